import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrate } from "../../../engines/postgres/migrate.ts";
import type { Outcome, TailEvent } from "../../../engines/workerd/types.ts";
import { ANONYMOUS } from "../../../kernel/principal.ts";
import { type TestPlatform, testPlatform } from "../../../testing/platform.ts";
import type { Invocation } from "../types.ts";

/** A platform with the tables of this feature and a data directory of its own. */
export async function runtimeWorld(): Promise<TestPlatform & { readonly dataDir: string }> {
  const world = await testPlatform();
  await migrate(world.platform.database, [
    { feature: "runtime", directory: new URL("../migrations/", import.meta.url) },
  ]);
  const dataDir = mkdtempSync(join(tmpdir(), "ambit-runtime-"));
  const platform = { ...world.platform, config: { ...world.platform.config, dataDir } };
  return {
    ...world,
    platform,
    dataDir,
    async stop() {
      await world.stop();
      rmSync(dataDir, { recursive: true });
    },
  };
}

let made = 0;

export function invocation(given: Partial<Invocation> = {}): Invocation {
  made += 1;
  return {
    requestId: `request-${made}`,
    appId: "app_a",
    kind: "functions",
    unit: "hello",
    principal: ANONYMOUS,
    internalCaller: null,
    loopDepth: 0,
    mayUseService: false,
    trigger: "http",
    method: "GET",
    path: "/hello",
    startedAtMs: Date.now(),
    endedAtMs: null,
    ...given,
  };
}

export function outcome(given: Partial<Outcome> = {}): Outcome {
  return { status: 200, durationMs: 5, bytesIn: 0, bytesOut: 2, end: "answered", waiting: false, ...given };
}

export function tailEvent(given: Partial<TailEvent> = {}): TailEvent {
  return {
    unit: "hello",
    event: "fetch",
    outcome: "ok",
    atMs: Date.now(),
    requestId: null,
    method: "GET",
    path: "/hello",
    status: 200,
    actorId: null,
    lines: [],
    exceptions: [],
    ...given,
  };
}
