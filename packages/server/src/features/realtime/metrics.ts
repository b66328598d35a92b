import type { Metrics } from "../../kernel/metrics.ts";

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
    undecided: metrics.counter(
      "ambit_realtime_undecided_total",
      "How often visibility could not be decided for a caller, by SQLSTATE; nothing is shown then.",
      ["sqlstate"],
    ),
    resyncs: metrics.counter(
      "ambit_realtime_resyncs_total",
      "Frames that told a client to load afresh, by reason.",
      ["reason"],
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
    streaming: metrics.gauge("ambit_realtime_streaming", "1 while the log is being read."),
  };
}

export type RealtimeMetrics = ReturnType<typeof realtimeMetrics>;
