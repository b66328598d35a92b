import { createReadStream, createWriteStream } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { linesOf, verifyExport } from "@ambit/ledger";
import { newDataDir } from "../harness/ambit.ts";
import type { BenchContext } from "../harness/bench.ts";
import { median } from "../harness/statistics.ts";
import { type LedgerStand, typicalDraft } from "./ledger-stand.ts";

const ENTRIES = 100_000;
const AT_ONCE = 500;
const REPEATS = 5;
const LEAST_PER_SECOND = 100_000;

/** How fast an export is verified, read from a file as `ambit ledger verify` reads it. */
export async function measureVerification(context: BenchContext, stand: LedgerStand): Promise<void> {
  const { ledger, organizationId } = stand;
  for (let size = (await ledger.checkpoints.current()).size; size < ENTRIES; size += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, () => ledger.record(typicalDraft(organizationId))));
  }
  await measureExport(context, stand, {
    ...{ name: "verified", sees: () => false, least: LEAST_PER_SECOND },
    what: "their texts, without the values they have sealed",
  });
  await measureExport(context, stand, {
    ...{ name: "verified_with_values", sees: () => true, least: null },
    what: "each with two sealed values, all of them checked",
  });
}

/** One kind of export, and what it is held to. */
interface Kind {
  readonly name: string;
  readonly what: string;
  readonly sees: () => boolean;
  readonly least: number | null;
}

async function measureExport(
  context: BenchContext,
  { ledger, organizationId, version }: LedgerStand,
  { name, what, sees, least }: Kind,
): Promise<void> {
  const file = join(newDataDir(context.resources), "ledger.jsonl");
  const exportMs = await timed(async () =>
    pipeline(
      Readable.from(await ledger.export(organizationId, Date.now(), undefined, sees)),
      createWriteStream(file),
    ),
  );
  const { publicKey } = await ledger.checkpoints.signer();
  const rates: number[] = [];
  let entries = 0;
  for (let repeat = 1; repeat <= REPEATS; repeat += 1) {
    const ms = await timed(async () => {
      const report = await verifyExport(
        linesOf(createReadStream(file, { highWaterMark: 1 << 20 })),
        publicKey,
      );
      if (!report.ok) throw new Error(`the export is not right: ${JSON.stringify(report.problems[0])}`);
      entries = report.entries;
    });
    rates.push((entries / ms) * 1_000);
    context.note(`${repeat}/${REPEATS}: ${rates.at(-1)!.toFixed(0)} entries/s verified`);
  }
  const conditions = `an export of ${entries} entries in one file, ${what}; one thread`;
  const target = least === null ? undefined : ({ of: "value", bound: "≥", number: least } as const);
  context.report(
    {
      ...{ measure: `ledger.${name}_per_second`, value: median(rates), unit: "entries/s", target },
      conditions: `${conditions}; median of ${REPEATS}`,
    },
    version,
  );
  context.report(
    {
      ...{
        measure: `ledger.${name.replace("verified", "exported")}_per_second`,
        value: (entries / exportMs) * 1_000,
        unit: "entries/s",
      },
      conditions: `${conditions}; written by the node that also serves, with its sequencer`,
    },
    version,
  );
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}
