import type { Metrics } from "../../kernel/metrics.ts";

/** Numbers of the stream for operators. Made once per server. */
export function streamMetrics(metrics: Metrics) {
  return {
    connections: metrics.gauge("ambit_substrate_stream_connections", "Open streams of the substrate."),
    frames: metrics.counter("ambit_substrate_stream_frames_total", "Changes sent to streams."),
    resyncs: metrics.counter(
      "ambit_substrate_stream_resyncs_total",
      "How often a stream was told to read again, by reason.",
      ["reason"],
    ),
    window: metrics.gauge(
      "ambit_substrate_stream_window_changes",
      "Changes kept for streams that come back.",
    ),
  };
}

export type StreamMetrics = ReturnType<typeof streamMetrics>;
