import { chmodSync, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { startEmbedded } from "../engines/postgres/embedded/launcher.ts";

declare module "vitest" {
  export interface ProvidedContext {
    postgres: { host: string; port: number; user: string };
  }
}

/** One real Postgres for a whole test run; every test file makes a database of its own in it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const stateDir = mkdtempSync(join(tmpdir(), "ambit-test-"));
  chmodSync(stateDir, 0o755);
  const server = await startEmbedded({ stateDir, log: () => {} });
  project.provide("postgres", { host: server.host, port: server.port, user: server.user });
  return async () => {
    await server.stop();
    await rm(stateDir, { recursive: true, force: true });
  };
}
