import { type LedgerEntry, type Report, verifyExport } from "@ambit/ledger";
import type { Platform } from "../../../engines/platform.ts";
import type { Database } from "../../../engines/postgres/database.ts";
import { Metrics } from "../../../kernel/metrics.ts";
import { createLedgerService, type Ledger, type LedgerDraft } from "../service.ts";

/** A node's ledger on the database of a test: with metrics of its own, as another process would have them. */
export function ledgerNode(platform: Platform): { ledger: Ledger; metrics: Metrics } {
  const metrics = new Metrics();
  return { ledger: createLedgerService({ ...platform, metrics }), metrics };
}

/** Something to write. */
export const draftOf = (organizationId: string | null, more: Partial<LedgerDraft> = {}): LedgerDraft => ({
  kind: "test.thing.happened",
  organizationId,
  actor: { type: "person", id: "key_1", account: "acc_1" },
  ...more,
});

/** An export as an outsider gets it, with what the library says of it. */
export interface Verified {
  readonly report: Report;
  readonly lines: readonly string[];
  /** Entries told in full, in order. */
  readonly entries: readonly (LedgerEntry & { readonly index: number })[];
}

/** Exports everything committed so far and verifies it. */
export async function exportAndVerify(
  ledger: Ledger,
  organizationId: string,
  checkpoints: readonly string[] = [],
): Promise<Verified> {
  let text = "";
  for await (const piece of await ledger.export(organizationId, Date.now())) text += piece;
  const lines = text.split("\n").slice(0, -1);
  const { publicKey } = await ledger.checkpoints.signer();
  const report = await verifyExport(lines, publicKey, { checkpoints });
  const told = lines.map((line) => JSON.parse(line)).filter((line) => line.entry !== undefined);
  const entries = told.map(({ i, entry }) => ({ ...(JSON.parse(entry) as LedgerEntry), index: Number(i) }));
  return { report, lines, entries };
}

/** Waits until `holds`, at most `withinMs`. */
export async function eventually(holds: () => boolean | Promise<boolean>, withinMs = 5_000): Promise<void> {
  const giveUpAt = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > giveUpAt) throw new Error(`it did not come true within ${withinMs} ms: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/**
 * Writes one entry after the other until `stopped`, by itself or in transactions, some of which are undone. Tells the
 * ids of those that were acknowledged.
 */
export async function writeForEver(
  ledger: Ledger,
  database: Database,
  draft: () => LedgerDraft,
  acknowledged: (id: string) => void,
  stopped: () => boolean = () => false,
): Promise<void> {
  for (let n = 0; !stopped(); n += 1) {
    let id = "";
    const writing =
      n % 2 === 0
        ? ledger.record(draft()).then((made) => (id = made))
        : database.transaction(async (tx) => {
            id = ledger.append(tx, draft());
            if (n % 5 === 0) tx.beforeCommit(() => Promise.reject(new Error("undone")));
          });
    await writing.then(
      () => acknowledged(id),
      () => new Promise((resolve) => setTimeout(resolve, 5)),
    );
  }
}
