import { limits } from "./limits.ts";

/** What one side of a replication connection last did; times in milliseconds. */
export interface Pulse {
  reportedLsn: bigint;
  reportedAtMs: number;
  /** When the server was last heard, or last could have been: a paused socket hears nothing. */
  heardAtMs: number;
}

/** Whether a status update is due, whether it must ask for an answer, or whether the server is to be given up. */
export type HeartbeatVerdict = "quiet" | "report" | "ping" | "dead";

/**
 * The server drops a connection that does not report, and says nothing itself as long as it is reported to: so a
 * report goes out in any case, and asks for an answer when the server has been silent for some time.
 */
export function heartbeat(pulse: Pulse, positionLsn: bigint, nowMs: number): HeartbeatVerdict {
  const silentMs = nowMs - pulse.heardAtMs;
  if (silentMs >= limits.silenceMs) return "dead";
  const sinceReportMs = nowMs - pulse.reportedAtMs;
  if (silentMs >= limits.silencePingMs && sinceReportMs >= limits.reportMs) return "ping";
  if (sinceReportMs >= limits.heartbeatMs) return "report";
  return positionLsn !== pulse.reportedLsn && sinceReportMs >= limits.reportMs ? "report" : "quiet";
}
