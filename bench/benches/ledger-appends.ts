import { randomBytes } from "node:crypto";
import pg from "pg";
import { prepareEntry } from "../../packages/server/src/features/ledger/prepare.ts";
import { newSortableId } from "../../packages/server/src/kernel/ids.ts";
import type { BenchContext } from "../harness/bench.ts";
import { alternate, describeRounds, ROUNDS } from "../load/alternate.ts";
import type { Generator } from "../load/generator.ts";
import { runClosedLoop } from "../load/lane.ts";
import type { Window } from "../load/plan.ts";
import { type LedgerStand, typicalDraft } from "./ledger-stand.ts";

const WRITERS = 16;
const LEAST_RATIO = 0.5;

/** Durable entries by 16 writers, by themselves and in transactions, against plain inserts of the same bytes. */
export async function measureAppends(context: BenchContext, stand: LedgerStand): Promise<void> {
  const { ledger, database, organizationId } = stand;
  const plain = await plainInserts(context, stand);
  const sides: Record<string, () => Promise<unknown>> = {
    record: () => ledger.record(typicalDraft(organizationId)),
    append: () => database.transaction(async (tx) => void ledger.append(tx, typicalDraft(organizationId))),
  };
  for (const [name, write] of Object.entries(sides)) {
    const compared = await alternate(writers(write), plain, ROUNDS, (round, mine, theirs) =>
      context.note(
        `${name}, ${round}/${ROUNDS.rounds}: ${mine.perSecond.toFixed(0)}/s, p50 ${mine.p50Ms.toFixed(2)} ms; plain ${theirs.perSecond.toFixed(0)}/s`,
      ),
    );
    const conditions =
      `${WRITERS} writers, one entry under way each, ${describeEntry(stand)}; the sequencer places them meanwhile; ` +
      `baseline: ${WRITERS} connections, each an insert of the same texts into a table with nothing but a key, prepared, ` +
      `committed by itself; ${describeRounds(ROUNDS)}; writers, sequencer and Postgres share the machine`;
    const measure = (quantity: keyof Window, what: string, unit: string) => {
      const [value, baseline, ratio] = [compared.a(quantity), compared.b(quantity), compared.ratio(quantity)];
      const target = { of: "ratio", bound: "≥", number: LEAST_RATIO } as const;
      context.report(
        {
          ...{ measure: `ledger.${name}_${what}`, value, baseline, ratio, unit, conditions },
          ...(quantity === "perSecond" ? { target } : {}),
        },
        stand.version,
      );
    };
    measure("perSecond", "per_second", "entries/s");
    measure("p50Ms", "p50", "ms");
    measure("p99Ms", "p99", "ms");
  }
  const { size } = await ledger.checkpoints.current();
  context.note(`${size} entries are in the signed tree`);
}

/** All of them write without pause. */
const writers = (write: () => Promise<unknown>): Generator => {
  const lane = { call: async () => String(await write()) };
  return { sample: "", run: (forMs) => runClosedLoop(Array(WRITERS).fill(lane), forMs) };
};

const prepared = ({ organizationId }: LedgerStand) =>
  prepareEntry(typicalDraft(organizationId), {
    ...{ id: newSortableId("led", Date.now()), nowMs: Date.now(), randomBytes },
  });

const describeEntry = (stand: LedgerStand): string => {
  const { entry, openings } = prepared(stand);
  return `an entry of ${entry.length} bytes with ${openings!.length} bytes sealed`;
};

/** The same texts, made once, into a plain table of the same database. */
async function plainInserts({ resources }: BenchContext, stand: LedgerStand): Promise<Generator> {
  const { entry, openings } = prepared(stand);
  const connections = await Promise.all(
    Array.from({ length: WRITERS }, async () => {
      const client = new pg.Client({ ...stand.database.target });
      await client.connect();
      resources.defer(() => client.end());
      return client;
    }),
  );
  await connections[0]!.query(
    "create table ambit.plain (seq bigint generated always as identity primary key, entry text, openings text)",
  );
  const statement = {
    name: "plain",
    text: "insert into ambit.plain (entry, openings) values ($1, $2)",
    values: [entry, openings],
  };
  const lanes = connections.map((client) => ({ call: async () => String(await client.query(statement)) }));
  return { sample: "", run: (forMs) => runClosedLoop(lanes, forMs) };
}
