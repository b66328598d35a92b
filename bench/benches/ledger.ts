import type { Bench, BenchContext } from "../harness/bench.ts";
import { measureAppends } from "./ledger-appends.ts";
import { measureProposals } from "./ledger-proposals.ts";
import { measureSearch } from "./ledger-search.ts";
import { type LedgerStand, openLedgerStand } from "./ledger-stand.ts";
import { measureVerification } from "./ledger-verification.ts";

/** What is measured on one ledger, one after the other. */
const PARTS: readonly ((context: BenchContext, stand: LedgerStand) => Promise<void>)[] = [
  measureVerification,
  measureAppends,
  measureProposals,
  measureSearch,
];

/** What it costs to have everything in the ledger, and how fast somebody else verifies it. */
export const ledger: Bench = {
  name: "ledger",
  summary: "durable entries by 16 writers against plain inserts of the same bytes; verifying an export",
  async run(context) {
    const stand = await openLedgerStand(context.resources);
    for (const part of PARTS) await part(context, stand);
  },
};
