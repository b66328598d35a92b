import { describe, expect, it } from "vitest";
import { TransactionAssembler } from "./assembler.ts";
import { type Message, type Relation, UNCHANGED } from "./pgoutput.ts";
import type { Progress, Transaction } from "./transactions.ts";

const relation: Relation = {
  oid: 7,
  schema: "public",
  table: "note",
  replicaIdentity: "f",
  columns: [
    { name: "id", typeOid: 23, typmod: -1, isKey: true },
    { name: "body", typeOid: 25, typmod: -1, isKey: false },
  ],
};
const commitTime = new Date(1_000);
const begin = (commitLsn: bigint): Message => ({ type: "begin", commitLsn, commitTime, xid: 5 });
const commit = (commitLsn: bigint): Message => ({
  type: "commit",
  commitLsn,
  endLsn: commitLsn + 8n,
  commitTime,
});
const insert = (id: number): Message => ({ type: "insert", relationOid: 7, new: [String(id), "x"] });
const inserts = (n: number): Message[] => Array.from({ length: n }, (_, i) => insert(i));
const fresh: Progress = { lsn: 0n, partial: null };

/** Runs the messages through an assembler with parts of at most three events or 100 bytes; each message has 10. */
function assemble(messages: Message[], progress: Progress = fresh, bytes = 10): Transaction[] {
  const assembler = new TransactionAssembler(progress, () => 42, { partBytes: 100, partEvents: 3 });
  const described: Message[] = [{ type: "relation", relation }, ...messages];
  return described.flatMap((message) => assembler.accept(message, bytes)?.transaction ?? []);
}

const idsOf = (transactions: Transaction[]) =>
  transactions.flatMap(({ events }) =>
    events.map((event) => (event.kind === "insert" ? event.new[0] : event.kind)),
  );

describe("TransactionAssembler", () => {
  it("gives a transaction at its commit", () => {
    const [transaction, ...more] = assemble([begin(100n), insert(1), insert(2), commit(100n)]);
    expect(more).toEqual([]);
    expect(transaction).toMatchObject({
      commitLsn: 100n,
      endLsn: 108n,
      xid: 5,
      part: 0,
      firstEvent: 0,
      final: true,
    });
    expect(transaction?.events).toEqual([
      { kind: "insert", relation, new: ["1", "x"] },
      { kind: "insert", relation, new: ["2", "x"] },
    ]);
  });

  it("splits a large transaction by events and by bytes, and says where it may be taken up again", () => {
    const parts = assemble([begin(100n), ...inserts(7), commit(100n)]);
    expect(
      parts.map(({ part, firstEvent, final, endLsn, events }) => [
        part,
        firstEvent,
        final,
        endLsn,
        events.length,
      ]),
    ).toEqual([
      [0, 0, false, 100n, 3],
      [1, 3, false, 100n, 3],
      [2, 6, true, 108n, 1],
    ]);
    expect(assemble([begin(100n), insert(1), insert(2), commit(100n)], fresh, 60)).toHaveLength(2);
    expect(assemble([begin(100n), ...inserts(3), commit(100n)]).map(({ final }) => final)).toEqual([
      false,
      true,
    ]);
  });

  it("leaves out what was handled: whole transactions, and the first parts of the one that was cut off", () => {
    const stream = [begin(100n), insert(1), commit(100n), begin(108n), ...inserts(8), commit(108n)];
    const rest = assemble(stream, { lsn: 108n, partial: { commitLsn: 108n, parts: 2, events: 6 } });
    expect(rest).toMatchObject([{ commitLsn: 108n, part: 2, firstEvent: 6, final: true }]);
    expect(idsOf(rest)).toEqual(["6", "7"]);
    expect(idsOf(assemble(stream, { lsn: 116n, partial: null }))).toEqual([]);
    expect(
      idsOf(assemble(stream, { lsn: 108n, partial: { commitLsn: 50n, parts: 2, events: 6 } })),
    ).toHaveLength(8);
  });

  it("still ends a transaction whose every event was handled before the connection was cut", () => {
    const rest = assemble([begin(108n), ...inserts(3), commit(108n)], {
      lsn: 100n,
      partial: { commitLsn: 108n, parts: 1, events: 3 },
    });
    expect(rest).toMatchObject([{ part: 1, firstEvent: 3, final: true, events: [] }]);
  });

  it("gives a non-transactional message a place of its own before everything that follows it", () => {
    const message = (lsn: bigint): Message => {
      return { type: "message", transactional: false, lsn, prefix: "p", content: Buffer.from("c") };
    };
    const got = assemble([message(100n), message(108n), begin(108n), insert(1), commit(108n)], {
      ...fresh,
      lsn: 100n,
    });
    expect(got).toMatchObject([
      { commitLsn: 107n, endLsn: 108n, xid: 0, commitTime: new Date(42), final: true },
      { commitLsn: 108n, endLsn: 116n },
    ]);
  });

  it("completes unchanged large values from a full old row, and marks what a key-only old row does not hold", () => {
    const key: Relation = { ...relation, oid: 8, replicaIdentity: "d" };
    const [transaction] = assemble([
      { type: "relation", relation: key },
      begin(1n),
      { type: "update", relationOid: 7, old: ["1", "large"], oldKind: "full", new: ["2", UNCHANGED] },
      { type: "update", relationOid: 8, old: ["1", null], oldKind: "key", new: ["2", UNCHANGED] },
      commit(1n),
    ]);
    expect(transaction?.events).toEqual([
      { kind: "update", relation, old: ["1", "large"], new: ["2", "large"] },
      { kind: "update", relation: key, old: ["1", UNCHANGED], new: ["2", UNCHANGED] },
    ]);
  });

  it("knows whether it is inside a transaction, also inside one that it passes over", () => {
    const assembler = new TransactionAssembler({ lsn: 50n, partial: null }, () => 42);
    for (const lsn of [10n, 100n]) {
      assembler.accept(begin(lsn), 10);
      expect(assembler.insideTransaction).toBe(true);
      assembler.accept(commit(lsn), 10);
      expect(assembler.insideTransaction).toBe(false);
    }
  });

  it("refuses messages that are out of place", () => {
    const unknown: Message = { type: "insert", relationOid: 99, new: [] };
    for (const stream of [[insert(1)], [commit(1n)], [begin(1n), begin(2n)], [begin(1n), unknown]]) {
      expect(() => assemble(stream)).toThrow("not logical replication protocol");
    }
  });
});
