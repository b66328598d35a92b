import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, expect, it } from "vitest";
import { SOCKETS } from "../config/index.ts";
import { limits } from "../limits.ts";
import type { EnginePorts, TailBatch } from "../types.ts";
import { openServers, type ProcessServers } from "./servers.ts";

let dir: string;
let servers: ProcessServers;
let batches: TailBatch[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "ambit-servers-"));
  batches = [];
  servers = await openServers({
    key: "app_test/functions",
    socketsDir: dir,
    tokens: { inspect: {}, units: {} },
    ports: { onTail: (_key, batch) => batches.push(batch) } as Partial<EnginePorts> as EnginePorts,
    allowPrivateFetch: [],
    log: pino({ level: "silent" }),
  });
});
afterEach(() => {
  servers.close();
  rmSync(dir, { recursive: true, force: true });
});

/** A batch of which a part has been sent. */
function begin(): { post: ClientRequest; status: Promise<number> } {
  const post = request({ socketPath: join(dir, SOCKETS.tail), method: "POST", agent: false });
  post.write('{"events":[],');
  const status = once(post, "response").then(([answer]) => {
    const { statusCode } = (answer as IncomingMessage).resume();
    return statusCode!;
  });
  return { post, status };
}

it("reads few batches of a process at a time, and goes on when those are over", async () => {
  const slow = Array.from({ length: limits.tailBatches + 1 }, begin);
  expect(await Promise.race(slow.map(({ status }) => status))).toBe(429);
  for (const { post } of slow) post.on("error", () => {}).end('"runs":[]}');
  const all = await Promise.allSettled(slow.map(({ status }) => status));
  expect(all.filter((each) => each.status === "fulfilled" && each.value === 204)).toHaveLength(
    limits.tailBatches,
  );
  const later = begin();
  later.post.end('"runs":[]}');
  expect(await later.status).toBe(204);
  expect(batches).toHaveLength(limits.tailBatches + 1);
});
