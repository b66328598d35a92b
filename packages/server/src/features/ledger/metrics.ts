import type { Metrics } from "../../kernel/metrics.ts";

/** What operators see of the ledger on this node. */
export function ledgerMetrics(metrics: Metrics) {
  return {
    appended: metrics.counter("ambit_ledger_appended_total", "Entries written to the ledger by this node."),
    placed: metrics.counter("ambit_ledger_placed_total", "Entries this node gave their place in the tree."),
    lagMs: metrics.gauge(
      "ambit_ledger_lag_ms",
      "Age of the oldest entry of the batch placed last, in milliseconds.",
    ),
    gaps: metrics.gauge(
      "ambit_ledger_gaps",
      "Gaps in the numbers of entries that a transaction may still fill.",
    ),
    size: metrics.gauge("ambit_ledger_tree_size", "Entries in the tree, as this node last knew."),
    checkpoint: metrics.gauge("ambit_ledger_checkpoint_size", "Entries covered by the latest checkpoint."),
    sequencer: metrics.gauge("ambit_ledger_sequencer", "1 on the node that places entries, else 0."),
    broken: metrics.gauge("ambit_ledger_broken", "1 when the ledger was found not to be what was signed."),
  };
}
export type LedgerMetrics = ReturnType<typeof ledgerMetrics>;
