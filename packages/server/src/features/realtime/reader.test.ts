import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newUuid } from "../../kernel/ids.ts";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { Reader } from "./reader.ts";

let test: TestPlatform;
beforeAll(async () => {
  test = await testPlatform();
});
afterAll(() => test.stop());

function newReader(): Reader {
  const { database, log } = test.platform;
  return new Reader({
    database,
    log,
    nodeId: newUuid().replaceAll("-", "").slice(0, 12),
    publications: () => [],
    prepare: async () => {},
    onTransaction: async () => {},
    onStreaming: () => {},
    onGap: () => {},
  });
}

async function startAndStop(afterMs: number): Promise<string> {
  const reader = newReader();
  reader.start();
  reader.ready().catch(() => {});
  await sleep(afterMs);
  return Promise.race([reader.stop().then(() => "stopped"), sleep(10_000, `hangs after ${afterMs} ms`)]);
}

describe("Reader", () => {
  it("stops at whatever moment of its start it is told to, and leaves no slot", async () => {
    // Eight at a time, so that connecting takes long enough to be hit.
    for (let round = 0; round < 12; round++) {
      const ended = await Promise.all(Array.from({ length: 8 }, (_, n) => startAndStop(round * 4 + n * 3)));
      expect([round, ended.filter((end) => end !== "stopped")]).toEqual([round, []]);
    }
    const slots = "select slot_name from pg_replication_slots where database = current_database()";
    expect(await test.platform.database.query(slots)).toEqual([]);
  });
});
