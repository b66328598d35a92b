import type { Outcome } from "../../engines/workerd/types.ts";

/**
 * Whether user code, or its process, failed the caller. A caller that went away did not fail, and a socket that a deploy
 * closed was served until then. Pure.
 */
export function failed(outcome: Outcome): boolean {
  if (outcome.status === 101) return false;
  return outcome.status >= 500 || outcome.end === "timeout" || outcome.end === "process_lost";
}

/** The word for it in the log. Pure. */
export function outcomeWord(outcome: Outcome): string {
  if (outcome.end !== "answered") return outcome.end;
  return outcome.status >= 500 ? "error" : "ok";
}

/** What a batch says of a run that went well, or that was ended by its caller. */
const FINE: ReadonlySet<string> = new Set(["ok", "canceled", "responseStreamDisconnected"]);

/** Whether a run failed, from what its batch says of it. Pure. */
export function tailFailed(event: { outcome: string; exceptions: readonly unknown[] }): boolean {
  return event.exceptions.length > 0 || !FINE.has(event.outcome);
}
