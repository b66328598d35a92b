import { randomBytes } from "node:crypto";
import pg from "pg";
import type { Queryable } from "../../packages/server/src/engines/postgres/database.ts";
import { prepareEntry } from "../../packages/server/src/features/ledger/prepare.ts";
import { newSortableId } from "../../packages/server/src/kernel/ids.ts";
import type { BenchContext, Target } from "../harness/bench.ts";
import { alternate, describeRounds, ROUNDS } from "../load/alternate.ts";
import type { Generator } from "../load/generator.ts";
import { runClosedLoop } from "../load/lane.ts";
import type { Window } from "../load/plan.ts";
import { type LedgerStand, typicalDraft } from "./ledger-stand.ts";

const WRITERS = 16;
const LEAST_RATIO = 0.5;

/** Two ways to write, compared. */
interface Comparison {
  readonly name: string;
  readonly ours: Generator;
  readonly plain: Generator;
  /** What the plain side does. */
  readonly baseline: string;
  /** Whether the ratio is held to the target. */
  readonly held: boolean;
}

/** Durable entries by 16 writers, by themselves and in transactions, against plain inserts of the same bytes. */
export async function measureAppends(context: BenchContext, stand: LedgerStand): Promise<void> {
  const { ledger, database, organizationId } = stand;
  const { autocommit, insert } = await plainTable(context, stand);
  const record = writers(() => ledger.record(typicalDraft(organizationId)));
  const append = writers(() =>
    database.transaction(async (tx) => void ledger.append(tx, typicalDraft(organizationId))),
  );
  const inserted = writers(() => database.transaction(insert));
  const alone = `${WRITERS} connections, each an insert of the same texts into a table with nothing but a key, prepared, committed by itself`;
  const within = `${WRITERS} writers, each a transaction like ours with an insert of the same texts into a table with nothing but a key`;
  const comparisons: Comparison[] = [
    { name: "record", ours: record, plain: autocommit, baseline: alone, held: true },
    { name: "transaction", ours: append, plain: inserted, baseline: within, held: true },
    { name: "transaction_over_autocommit", ours: append, plain: autocommit, baseline: alone, held: false },
  ];
  for (const comparison of comparisons) await compare(context, stand, comparison);
  const { size } = await ledger.checkpoints.current();
  context.note(`${size} entries are in the signed tree`);
}

async function compare(
  { note, report }: BenchContext,
  stand: LedgerStand,
  { name, ours, plain, baseline: theirs, held }: Comparison,
): Promise<void> {
  const compared = await alternate(ours, plain, ROUNDS, (round, mine, other) =>
    note(
      `${name}, ${round}/${ROUNDS.rounds}: ${mine.perSecond.toFixed(0)}/s, p50 ${mine.p50Ms.toFixed(2)} ms; plain ${other.perSecond.toFixed(0)}/s`,
    ),
  );
  const conditions =
    `${WRITERS} writers, one entry under way each, ${describeEntry(stand)}; the sequencer places them meanwhile; ` +
    `baseline: ${theirs}; ${describeRounds(ROUNDS)}; writers, sequencer and Postgres share the machine`;
  const measure = (quantity: keyof Window, what: string, unit: string, target?: Target) => {
    const [value, baseline, ratio] = [compared.a(quantity), compared.b(quantity), compared.ratio(quantity)];
    const finding = { measure: `ledger.${name}_${what}`, value, baseline, ratio, unit, target, conditions };
    report(finding, stand.version);
  };
  measure(
    ...(["perSecond", "per_second", "entries/s"] as const),
    held ? { of: "ratio", bound: "≥", number: LEAST_RATIO } : undefined,
  );
  if (!held) return;
  measure("p50Ms", "p50", "ms");
  measure("p99Ms", "p99", "ms");
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
async function plainTable(
  { resources }: BenchContext,
  stand: LedgerStand,
): Promise<{ autocommit: Generator; insert(tx: Queryable): Promise<unknown> }> {
  const { entry, openings } = prepared(stand);
  const text = "insert into ambit.plain (entry, openings) values ($1, $2)";
  const values = [entry, openings];
  await stand.database.query(
    "create table ambit.plain (seq bigint generated always as identity primary key, entry text, openings text)",
  );
  const lanes = Array.from({ length: WRITERS }, async () => {
    const client = new pg.Client({ ...stand.database.target });
    await client.connect();
    resources.defer(() => client.end());
    return { call: async () => String(await client.query({ name: "plain", text, values })) };
  });
  const opened = await Promise.all(lanes);
  return {
    autocommit: { sample: "", run: (forMs) => runClosedLoop(opened, forMs) },
    insert: (tx) => tx.query(text, values),
  };
}
