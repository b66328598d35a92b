import { randomBytes } from "node:crypto";
import { leafHash } from "@ambit/ledger";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Queryable } from "../../engines/postgres/database.ts";
import { newSortableId } from "../../kernel/ids.ts";
import { Metrics } from "../../kernel/metrics.ts";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { limits } from "./limits.ts";
import { ledgerMetrics } from "./metrics.ts";
import { prepareEntry } from "./prepare.ts";
import { createSequencer } from "./sequencer.ts";
import type { Ledger } from "./service.ts";
import { insertEntries } from "./store.ts";
import { draftOf, eventually, exportAndVerify, ledgerNode } from "./testing/stand.ts";

let test: TestPlatform;
let nodes: Ledger[] = [];
let org: string;
beforeEach(async () => {
  test = await testPlatform();
  org = test.organizationId;
});
afterEach(async () => {
  await Promise.all(nodes.map((node) => node.stop()));
  nodes = [];
  await test.stop();
});

const startNode = (): Ledger => {
  const { ledger } = ledgerNode(test.platform);
  nodes.push(ledger);
  ledger.start();
  return ledger;
};
const placed = async (): Promise<{ index: number; seq: number; id: string; hash: Buffer; entry: string }[]> =>
  (
    await test.platform.database.query<{
      index: string;
      seq: string;
      id: string;
      hash: Buffer;
      entry: string;
    }>(
      `select l.index, l.seq, l.hash, e.id, e.entry from ambit.ledger_leaves l
       left join ambit.ledger_entries e on e.seq = l.seq order by l.index`,
    )
  ).map((row) => ({ ...row, index: Number(row.index), seq: Number(row.seq) }));
const head = async () =>
  (
    await test.platform.database.query<{ holder: string | null; gap_from: string[] }>(
      "select holder, gap_from from ambit.ledger_head",
    )
  )[0]!;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe("the sequencer", () => {
  it("places what was committed within a second, each entry as the hash of its text, in order", async () => {
    const ledger = startNode();
    await eventually(async () => (await head()).holder !== null);
    const before = performance.now();
    for (let n = 0; n < 30; n += 1) await ledger.record(draftOf(org, { data: { n, text: "ä\u2028\0" } }));
    const last = performance.now();
    await eventually(async () => (await placed()).length === 30);
    expect(performance.now() - last).toBeLessThan(1_000);
    expect(performance.now() - before).toBeLessThan(6_000);
    const leaves = await placed();
    expect(leaves.map(({ index }) => index)).toEqual(leaves.map((_, at) => at));
    for (const { hash, entry } of leaves) expect(hash).toEqual(leafHash(entry));
    expect(leaves.map(({ entry }) => JSON.parse(entry).data.n)).toEqual(leaves.map((_, at) => at));
  });

  it("respects the order in which commits followed each other, whatever transactions overlap", async () => {
    const ledger = startNode();
    const other = startNode();
    const spans = new Map<string, { asked: number; done: number }>();
    const writer = async () => {
      for (let n = 0; n < 25; n += 1) {
        const node = Math.random() < 0.5 ? ledger : other;
        if (Math.random() < 0.3) {
          const asked = performance.now();
          const id = await node.record(draftOf(org));
          spans.set(id, { asked, done: performance.now() });
          continue;
        }
        let id = "";
        let asked = 0;
        const undone = Math.random() < 0.15;
        await test.platform.database
          .transaction(async (tx) => {
            id = node.append(tx, draftOf(org, { sealed: { n } }));
            if (Math.random() < 0.5) await pause(Math.random() * 60);
            if (undone) tx.beforeCommit(() => Promise.reject(new Error("undone")));
            asked = performance.now();
          })
          .then(
            () => spans.set(id, { asked, done: performance.now() }),
            (error) => expect(error.message).toBe("undone"),
          );
      }
    };
    await Promise.all(Array.from({ length: 8 }, writer));
    const { report, entries } = await exportAndVerify(ledger, org);
    expect(report).toMatchObject({ ok: true, size: spans.size, entries: spans.size });
    expect(new Set(entries.map(({ id }) => id))).toEqual(new Set(spans.keys()));
    let latestAsked = Number.NEGATIVE_INFINITY;
    for (const { id } of entries) {
      const span = spans.get(id)!;
      // Whatever was placed before this one must not have been asked for after this one was done.
      expect(span.done).toBeGreaterThan(latestAsked);
      latestAsked = Math.max(latestAsked, span.asked);
    }
    expect((await head()).gap_from).toEqual([]);
  });

  it("waits for a transaction that has its number, without holding up the others, and passes over one that is undone", async () => {
    const ledger = startNode();
    const held = await holdOpen();
    await Promise.all(Array.from({ length: 5 }, () => ledger.record(draftOf(org))));
    await eventually(async () => (await placed()).length === 5);
    // Time enough to give the gaps up, if that were decided by time.
    await pause(3 * limits.placeEveryMs);
    expect((await head()).gap_from.length).toBe(1);
    await held.commit();
    await eventually(async () => (await placed()).length === 6);
    expect((await placed()).at(-1)!.id).toBe(held.id);
    const undone = await holdOpen();
    await ledger.record(draftOf(org));
    await eventually(async () => (await head()).gap_from.length === 1);
    await undone.rollback();
    await eventually(async () => (await placed()).length === 7);
    // What is written down follows with the next renewal of the lease.
    await eventually(async () => (await head()).gap_from.length === 0);
  });

  it("is waited for by nobody who writes, nor does anybody wait for another's transaction", async () => {
    const ledger = startNode();
    await eventually(async () => (await head()).holder !== null);
    const stuck = new pg.Client({ ...test.platform.database.target });
    await stuck.connect();
    await stuck.query("begin");
    await stuck.query("select from ambit.ledger_head for update");
    const other = await holdOpen();
    try {
      const writing = Array.from({ length: 50 }, (_, n) =>
        n % 2 === 0
          ? ledger.record(draftOf(org))
          : test.platform.database.transaction(async (tx) => ledger.append(tx, draftOf(org))),
      );
      expect((await Promise.all(writing)).length).toBe(50);
      expect(await placed()).toEqual([]);
    } finally {
      await stuck.end();
      await other.rollback();
    }
    await eventually(async () => (await placed()).length === 50);
  });

  it("takes over where the other left off, with what that one was waiting for", async () => {
    const first = startNode();
    await eventually(async () => (await head()).holder !== null);
    const held = await holdOpen();
    for (let n = 0; n < 300; n += 1) void first.record(draftOf(org, { data: { n } }));
    await eventually(async () => (await placed()).length === 300);
    const { holder } = await head();
    await first.stop();
    const second = startNode();
    const begun = performance.now();
    await held.commit();
    await second.record(draftOf(org));
    await eventually(async () => (await placed()).length === 302);
    expect(performance.now() - begun).toBeLessThan(1_500);
    expect((await head()).holder).not.toBe(holder);
    expect((await exportAndVerify(second, org)).report).toMatchObject({ ok: true, size: 302 });
  });

  it("is taken over within three seconds when its node is gone without a word", async () => {
    const ledger = startNode();
    await ledger.record(draftOf(org));
    // As a node leaves it that held the lease and was killed right after renewing it.
    await eventually(async () => (await placed()).length === 1);
    await ledger.stop();
    await test.platform.database.query(
      "update ambit.ledger_head set holder = gen_random_uuid(), lease_until = clock_timestamp() + $1 * interval '1 millisecond'",
      [limits.leaseMs],
    );
    const next = startNode();
    await next.record(draftOf(org));
    const begun = performance.now();
    await eventually(async () => (await placed()).length === 2);
    expect(performance.now() - begun).toBeGreaterThan(limits.leaseMs / 2);
    expect(performance.now() - begun).toBeLessThan(3_000);
  });

  it("places nothing twice while one takes over from another that does not know yet", async () => {
    const { ledger } = ledgerNode(test.platform);
    const fresh = () => createSequencer(test.platform, ledgerMetrics(new Metrics()));
    let holding = fresh();
    let kept = 0;
    let written = 0;
    for (let round = 0; round < 60; round += 1) {
      await Promise.all(
        Array.from({ length: 5 }, () => ledger.record(draftOf(org, { data: { n: written++ } }))),
      );
      await test.platform.database.query("update ambit.ledger_head set lease_until = '-infinity'");
      const next = fresh();
      // One after the other, either way round, and at every distance in between.
      if (round % 10 === 0) await next.run();
      const running = holding.run();
      if (round % 10 === 1) await running;
      await Promise.all([running, pause(Math.random() * 4).then(() => next.run())]);
      if (next.placing === null) kept += 1;
      else holding = next;
    }
    // Some came too late, others took over in the middle of the other's work.
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(60);
    await holding.release();
    const { report, entries } = await exportAndVerify(startNode(), org);
    expect(report).toMatchObject({ ok: true, size: written });
    expect(entries.map(({ data }) => data.n)).toEqual(Array.from({ length: written }, (_, n) => n));
  });
});

/** A transaction that has written its entry and does not end by itself. */
async function holdOpen() {
  const client = new pg.Client({ ...test.platform.database.target });
  await client.connect();
  await client.query("begin");
  const nowMs = Date.now();
  const entry = prepareEntry(draftOf(org, { kind: "late" }), {
    ...{ id: newSortableId("led", nowMs), nowMs, randomBytes },
  });
  const query = async (text: string, values: readonly unknown[] = []) =>
    (await client.query(text, [...values])).rows;
  await insertEntries({ query: query as Queryable["query"] }, [entry]);
  const end = async (how: string) => {
    await client.query(how);
    await client.end();
  };
  return { id: entry.id, commit: () => end("commit"), rollback: () => end("rollback") };
}
