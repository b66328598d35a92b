import type { Metrics } from "../../kernel/metrics.ts";
import { limits } from "./limits.ts";

/** Numbers of live changes for operators. Made once per server. */
export function realtimeMetrics(metrics: Metrics) {
  return {
    connections: metrics.gauge("ambit_realtime_connections", "Open realtime connections."),
    subscriptions: metrics.gauge(
      "ambit_realtime_subscriptions",
      "Tables subscribed to, over all connections.",
    ),
    changes: metrics.counter(
      "ambit_realtime_changes_total",
      "Changes of subscribed tables read from the log.",
    ),
    frames: metrics.counter("ambit_realtime_frames_total", "Frames sent to clients, heartbeats left out."),
    undecided: bounded(
      metrics.counter(
        "ambit_realtime_undecided_total",
        "How often visibility could not be decided for a caller, by SQLSTATE (`other` beyond the first hundred); nothing is shown then.",
        ["sqlstate"],
      ),
    ),
    resyncs: metrics.counter(
      "ambit_realtime_resyncs_total",
      "Frames that told a client to load afresh, by reason.",
      ["reason"],
    ),
    compiled: metrics.counter(
      "ambit_realtime_policies_total",
      "Policies looked at for compiling: refused (Postgres judges), equal to Postgres, or found to differ.",
      ["result"],
    ),
    samples: metrics.counter(
      "ambit_realtime_samples_total",
      "Decisions of compiled policies that Postgres was asked about too.",
    ),
    mismatches: metrics.counter(
      "ambit_realtime_mismatches_total",
      "Such decisions that differed: the policies concerned are judged by Postgres from then on.",
    ),
    lag: metrics.gauge(
      "ambit_realtime_lag_seconds",
      "From the commit of the newest change sent to its sending.",
    ),
    walKept: metrics.gauge(
      "ambit_realtime_wal_kept_bytes",
      "Write-ahead log that Postgres keeps for the window of changes.",
    ),
    walSafe: metrics.gauge(
      "ambit_realtime_wal_safe_bytes",
      "Log that may still be written before Postgres gives the window's slot up; -1 without a bound.",
    ),
    walBehind: metrics.gauge("ambit_realtime_wal_behind_bytes", "Log that this node has not read yet."),
    windowBytes: metrics.gauge("ambit_realtime_window_bytes", "Memory that the window of changes holds."),
    windowSeconds: metrics.gauge(
      "ambit_realtime_window_seconds",
      "Age of the oldest change a client can come back to.",
    ),
    epochs: metrics.counter(
      "ambit_realtime_windows_lost_total",
      "How often the window began anew and every client had to load afresh.",
    ),
    streaming: metrics.gauge("ambit_realtime_streaming", "1 while the log is being read."),
  };
}

/** Policies may raise any code they like: only so many are counted one by one. */
function bounded(counter: { inc(labels: { sqlstate: string }): void }): typeof counter {
  const known = new Set<string>();
  return {
    inc({ sqlstate }) {
      if (known.size < limits.undecidedCodes) known.add(sqlstate);
      counter.inc({ sqlstate: known.has(sqlstate) ? sqlstate : "other" });
    },
  };
}

export type RealtimeMetrics = ReturnType<typeof realtimeMetrics>;
