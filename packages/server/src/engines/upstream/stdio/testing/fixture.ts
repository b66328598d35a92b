import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createLog } from "../../../../kernel/log.ts";
import type { Upstream } from "../../types.ts";
import { createStdioUpstream, type StdioOptions } from "../index.ts";

/** A data directory of a test's own, and the upstreams that were made in it. */
export interface Fixture {
  readonly dataDir: string;
  /** A registered program; `serverId` is its directory's name. */
  upstream(
    program: { command: string; args: string[]; env?: Record<string, string> },
    more?: Partial<StdioOptions>,
  ): Upstream;
  /** Writes a program of ours, for Node. */
  script(name: string, text: string): { command: string; args: string[] };
  stop(): Promise<void>;
}

export const silent = createLog("silent");

export function stdioFixture(): Fixture {
  const dataDir = mkdtempSync(join(tmpdir(), "ambit-stdio-"));
  // As an operator's data directory: others may pass.
  chmodSync(dataDir, 0o755);
  const upstreams: Upstream[] = [];
  let made = 0;
  return {
    dataDir,
    upstream({ command, args, env = {} }, more = {}) {
      made += 1;
      const options: StdioOptions = { serverId: `server-${made}`, dataDir, log: silent, ...more };
      const upstream = createStdioUpstream({ transport: "stdio", command, args, env }, options);
      upstreams.push(upstream);
      return upstream;
    },
    script(name, text) {
      const path = join(dataDir, name);
      writeFileSync(path, text, { mode: 0o644 });
      chmodSync(path, 0o644);
      return { command: process.execPath, args: [path] };
    },
    async stop() {
      await Promise.all(upstreams.map((upstream) => upstream.close()));
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** An installed MCP server that others wrote. */
export function installed(name: string, args: string[] = []): { command: string; args: string[] } {
  const require = createRequire(import.meta.url);
  const manifest = require.resolve(`@modelcontextprotocol/${name}/package.json`);
  const { bin } = require(manifest);
  const file = typeof bin === "string" ? bin : Object.values<string>(bin)[0]!;
  return { command: process.execPath, args: [join(dirname(manifest), file), ...args] };
}
