import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { limits as streamLimits } from "../../features/substrate-stream/limits.ts";
import type { TestClient } from "./testing/client.ts";
import { createRandom, type Random } from "./testing/random.ts";
import { changesOf, changesOnceThere, type StreamNode, SubstrateStage } from "./testing/substrate-stage.ts";

let stage: SubstrateStage;
let key: { key: string };
beforeAll(async () => {
  stage = await SubstrateStage.start();
  key = await stage.key();
});
afterAll(() => stage?.stop());

const query = (text: string, values: readonly unknown[] = []) =>
  stage.world.platform.database.query<Record<string, string>>(text, values);
const listen = (cursor: string | null, node?: StreamNode) =>
  stage.listen(`token=${key.key}${cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`}`, node);
const lastCursor = (client: TestClient): string => client.frames.at(-1)!.cursor;

/** A reader that keeps being cut off, and goes on from the last cursor it was told. */
class Wanderer {
  readonly seen: string[] = [];
  #client: TestClient;
  #cursor: string;

  private constructor(client: TestClient) {
    this.#client = client;
    this.#cursor = lastCursor(client);
  }

  static async start(): Promise<Wanderer> {
    return new Wanderer(await listen(null));
  }

  /** Cut off in the middle of whatever is being sent; frames that were not taken by then are lost with it. */
  async cut(): Promise<void> {
    this.#take();
    this.#client.ws.terminate();
    this.#client = await listen(this.#cursor);
    expect(this.#client.frames[0]).toMatchObject({ type: "hello", cursor: this.#cursor });
  }

  async end(lastId: string): Promise<void> {
    await this.#client.frame((frame) => frame.id === lastId, "the last change");
    this.#take();
    this.#client.close();
  }

  #take(): void {
    for (const frame of this.#client.frames) {
      expect(frame.type).not.toBe("resync");
      if ("tbl" in frame) this.seen.push(`${frame.op} ${frame.tbl} ${frame.id}`);
      this.#cursor = frame.cursor;
    }
  }
}

/** Writes for a while; what it did, each thing once. */
async function write(random: Random, count: number): Promise<string[]> {
  const done: string[] = [];
  const mine: string[] = [];
  for (let n = 0; n < count; n++) {
    if (mine.length === 0 || random.chance(0.5)) {
      const id = await stage.record();
      mine.push(id);
      done.push(`insert entities ${id}`);
    } else if (random.chance(0.6)) {
      const some = mine.filter(() => random.chance(0.5));
      await query("update ambit.memory_records set title = title || 'x' where id = any($1)", [some]);
      done.push(...some.map((id) => `update entities ${id}`));
    } else {
      const [id] = mine.splice(random.below(mine.length), 1);
      await query("delete from ambit.memory_records where id = $1", [id]);
      done.push(`delete entities ${id}`);
    }
    if (random.chance(0.2)) await sleep(random.below(4));
  }
  return done;
}

describe("a reader that comes back", () => {
  it.each([1, 2, 3, 4, 5])("misses nothing and gets nothing twice, seed %i", async (seed) => {
    const random = createRandom(seed);
    const steady = await listen(null);
    const wanderers = await Promise.all([Wanderer.start(), Wanderer.start()]);
    let writing = true;
    const roaming = wanderers.map(async (wanderer, at) => {
      const ways = createRandom(seed * 100 + at);
      while (writing) {
        await wanderer.cut();
        await sleep(ways.below(8));
      }
    });
    const done = (await Promise.all([1, 2, 3].map(() => write(random, 60)))).flat();
    writing = false;
    await Promise.all(roaming);
    const last = await stage.record();
    await steady.frame((frame) => frame.id === last, "the last change");
    const all = changesOf(steady).map(({ op, tbl, id }) => `${op} ${tbl} ${id}`);
    expect([...all].sort()).toEqual([...done, `insert entities ${last}`].sort());
    for (const wanderer of wanderers) {
      await wanderer.end(last);
      expect(wanderer.seen, `seed ${seed}`).toEqual(all);
    }
    steady.close();
  });

  it("goes on after a long quiet time, though everybody else was busy", async () => {
    const other = await stage.organization();
    const quiet = await listen(null);
    const cursor = lastCursor(quiet);
    quiet.close();
    for (let n = 0; n < 5; n++) await stage.record({ organizationId: other });
    const back = await listen(cursor);
    const id = await stage.record();
    await changesOnceThere(back, 1);
    expect(back.frames.slice(1).map((frame) => frame.id)).toEqual([id]);
    back.close();
  });

  it("is told to read again where its cursor says nothing: of another node, made up, or too old", async () => {
    const second = await stage.startNode();
    const here = await listen(null);
    const cursor = lastCursor(here);
    const there = await listen(cursor, second);
    expect(await there.ofType("resync")).toEqual({
      ...{ type: "resync", reason: "cursor_unknown", cursor: expect.any(String) },
    });
    expect(there.frames[0]!.cursor).toBe(cursor);
    const ahead = cursor.replace(/[0-9A-F]{16}-/, "FFFFFFFFFFFFFFFF-");
    for (const odd of ["nonsense", `${cursor}0`, cursor.replace(".all.", ".0123.")])
      await (await listen(odd)).ofType("resync");
    expect(await (await listen(ahead)).ofType("resync")).toMatchObject({ reason: "cursor_unknown" });
    await stage.actions(streamLimits.windowChangesPerOrganization + 10);
    await changesOnceThere(here, streamLimits.windowChangesPerOrganization + 10);
    const late = await listen(cursor);
    const resync = await late.ofType("resync");
    expect(resync.reason).toBe("cursor_too_old");
    expect(late.frames).toHaveLength(2);
    const id = await stage.record();
    await changesOnceThere(late, 1);
    const again = await listen(resync.cursor);
    await changesOnceThere(again, 1);
    expect(again.frames.slice(1).map((frame) => frame.id)).toEqual([id]);
    for (const client of [here, there, late, again]) client.close();
    await second.stop();
  });

  it("that reads too slowly is sent away, and goes on from where it stopped", async () => {
    const slow = await listen(null);
    const socket = (slow.ws as unknown as { _socket: { pause(): void; resume(): void } })._socket;
    socket.pause();
    const before = await metric("substrate_stream_queued_bytes");
    const bulk = (from: number) =>
      query(
        `update ambit.substrate_actions set trigger_context = $1
         where organization_id = $2 and starts_with(id, 'act_')`,
        [`${from}`, stage.world.organizationId],
      );
    let rounds = 0;
    for (; rounds < 40 && (await metric("substrate_stream_queued_bytes")) === before; rounds++)
      await bulk(rounds);
    expect(await metric("substrate_stream_queued_bytes")).toBe(before + 1);
    socket.resume();
    expect(await slow.closed).toMatchObject({ code: 1013 });
    const back = await listen(lastCursor(slow));
    const id = await stage.record();
    await back.frame((frame) => frame.id === id || frame.type === "resync", "what comes next");
    back.close();
  }, 60_000);
});

describe("when the log is lost", () => {
  it("everybody is told to read again, and old cursors mean nothing", async () => {
    const client = await listen(null);
    const old = lastCursor(client);
    const [row] = await query(
      "select slot_name from pg_replication_slots where database = current_database() and not temporary",
    );
    for (let dropped = false; !dropped; ) {
      await stage.world.asSuperuser(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and backend_type = 'walsender'`,
      );
      dropped = await query("select pg_drop_replication_slot($1)", [row!.slot_name]).then(
        () => true,
        () => false,
      );
    }
    const resync = await client.ofType("resync");
    expect(resync).toMatchObject({ reason: "stream_lost" });
    expect(await (await listen(old)).ofType("resync")).toMatchObject({ reason: "cursor_unknown" });
    const id = await stage.record();
    await client.frame((frame) => frame.id === id);
    const back = await listen(resync.cursor);
    await changesOnceThere(back, 1);
    expect(changesOf(back).at(-1)!.id).toBe(id);
  });

  it("no change is lost or doubled when only the connection is cut", async () => {
    const client = await listen(null);
    const ids: string[] = [];
    for (let n = 0; n < 60; n++) {
      ids.push(await stage.record());
      if (n % 15 === 7)
        await stage.world.asSuperuser(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where datname = current_database() and backend_type = 'walsender'`,
        );
    }
    await client.frame((frame) => frame.id === ids.at(-1), "the last change", 15_000);
    expect(changesOf(client).map(({ id }) => id)).toEqual(ids);
  });
});

async function metric(limit: string): Promise<number> {
  const { values } = await stage.node.metrics.limitsHit.get();
  return values.find(({ labels }) => labels.limit === limit)?.value ?? 0;
}
