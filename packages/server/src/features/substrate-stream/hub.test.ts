import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Relation } from "../../engines/postgres/replication/pgoutput.ts";
import type { Transaction } from "../../engines/postgres/replication/transactions.ts";
import { Metrics } from "../../kernel/metrics.ts";
import { type Peer, StreamHub } from "./hub.ts";
import { streamMetrics } from "./metrics.ts";
import { TABLES } from "./tables.ts";

const relation: Relation = {
  ...{ oid: 1, schema: "ambit", table: "memory_records", replicaIdentity: "d" },
  columns: TABLES.memory_records!.columns.map((name) => ({ name, typeOid: 25, typmod: -1, isKey: false })),
};
const elsewhere: Relation = { ...relation, schema: "app_x" };

/** One reader of one organisation, across its connections. */
class Reader {
  readonly #hub: StreamHub;
  readonly #organizationId: string;
  readonly seen: number[] = [];
  /** The changes there were when it was last told to read again, or began. */
  base = 0;
  resyncs = 0;
  cursor: string | null = null;
  #peer: Peer | null = null;

  constructor(hub: StreamHub, organizationId: string) {
    this.#hub = hub;
    this.#organizationId = organizationId;
  }

  /** The connection breaks after `keep` frames. */
  connect(total: () => number, withCursor: boolean, keep = Number.POSITIVE_INFINITY): void {
    this.disconnect();
    const from = withCursor ? this.cursor : null;
    if (from === null) this.#restart(total());
    const peer: Peer = {
      viewer: { organizationId: this.#organizationId, scope: null },
      send: (frames) => {
        for (const frame of frames) {
          if (keep-- <= 0) return;
          const { type, id, cursor } = JSON.parse(frame.toString());
          this.cursor = cursor;
          if (type === "resync") {
            this.resyncs += 1;
            this.#restart(total());
          } else if (type === undefined) this.seen.push(Number(id.slice(4)));
        }
      },
    };
    this.#peer = peer;
    this.#hub.join(peer, from);
  }

  disconnect(): void {
    if (this.#peer !== null) this.#hub.leave(this.#peer);
    this.#peer = null;
  }

  #restart(at: number): void {
    this.seen.length = 0;
    this.base = at;
  }
}

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("part" as const),
      orgs: fc.array(fc.nat(2), { maxLength: 4 }),
      final: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("connect" as const),
      reader: fc.nat(3),
      withCursor: fc.boolean(),
      keep: fc.integer({ min: 1, max: 12 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("disconnect" as const), reader: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("gap" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("expire" as const) }) },
);

describe("StreamHub", () => {
  it("sends each change once and in order to whoever comes and goes, or says that some are missing", () => {
    const sizes = fc.record({
      windowMs: fc.constantFrom(3, 1_000),
      windowChangesPerOrganization: fc.constantFrom(3, 1_000),
      windowChanges: fc.constantFrom(5, 1_000),
      windowOrganizations: fc.constantFrom(1, 10),
    });
    fc.assert(
      fc.property(sizes, fc.array(step, { maxLength: 80, size: "max" }), (limits, steps) => {
        let [nowMs, lsn, part, firstEvent] = [0, 1n, 0, 0];
        const hub = new StreamHub({ limits, metrics: streamMetrics(new Metrics()), clock: () => nowMs });
        /** Of each organisation: the numbers of its changes. */
        const all: number[][] = [[], [], []];
        let next = 0;
        const readers = [0, 0, 1, 2].map((org) => ({ org, reader: new Reader(hub, `org${org}`) }));
        for (const each of steps) {
          nowMs += 1;
          if (each.kind === "part") {
            const events: Transaction["events"] = [];
            if (each.orgs.length % 2 === 0)
              events.push({ kind: "insert", relation: elsewhere, new: ["a", "b"] });
            for (const org of each.orgs) {
              all[org]!.push(next);
              events.push({
                kind: "insert",
                relation,
                new: [`org${org}`, `ent_${next++}`, "entity", null, null],
              });
            }
            hub.accept({
              ...{ commitLsn: lsn, endLsn: lsn, commitTime: new Date(0), xid: 1, events },
              ...{ part, firstEvent, final: each.final },
            });
            [part, firstEvent] = each.final ? [0, 0] : [part + 1, firstEvent + events.length];
            if (each.final) lsn += 1n;
          } else if (each.kind === "connect") {
            const { org, reader } = readers[each.reader]!;
            reader.connect(() => all[org]!.length, each.withCursor, each.keep);
          } else if (each.kind === "disconnect") readers[each.reader]!.reader.disconnect();
          else if (each.kind === "gap") hub.gap();
          else hub.expire();
        }
        for (const { org, reader } of readers) {
          if (reader.cursor === null) continue;
          const { resyncs } = reader;
          reader.connect(() => all[org]!.length, true);
          expect(reader.seen).toEqual(all[org]!.slice(reader.base));
          const roomy = limits.windowMs === 1_000 && limits.windowChanges === 1_000;
          const kept =
            roomy && limits.windowChangesPerOrganization === 1_000 && limits.windowOrganizations === 10;
          if (kept && !steps.some(({ kind }) => kind === "gap")) expect(reader.resyncs).toBe(resyncs);
        }
      }),
      { numRuns: 400 },
    );
  });
});
