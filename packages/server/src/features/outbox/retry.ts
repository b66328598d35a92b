import { limits } from "./limits.ts";

/** How one try ended. */
export type Outcome =
  | { readonly kind: "answered"; readonly status: number; readonly retryAfterMs: number | null }
  /** There was no answer. */
  | { readonly kind: "failed"; readonly error: string }
  /** It must not, or can't, be sent at all. */
  | { readonly kind: "refused"; readonly error: string };

/** What becomes of the delivery. */
export type NextStep =
  | { readonly state: "delivered" }
  | { readonly state: "failed"; readonly nextAttemptMs: number; readonly error: string }
  | { readonly state: "dead"; readonly error: string };

/** "Gone" (RFC 9110 §15.5.11): the receiver says that nothing will ever be taken there again. */
const GONE = 410;

/**
 * Decides what becomes of a delivery after try number `attempt` (the first is 1). Only 2xx is success; any other
 * answer, and none, is tried again after a pause that grows each time, until the tries are used up. `random` is in
 * [0, 1). Pure.
 */
export function decideNext(attempt: number, outcome: Outcome, nowMs: number, random: number): NextStep {
  if (outcome.kind === "answered" && outcome.status >= 200 && outcome.status < 300) {
    return { state: "delivered" };
  }
  const error = (
    outcome.kind === "answered" ? `The receiver answered ${outcome.status}.` : outcome.error
  ).slice(0, limits.errorChars);
  const final = outcome.kind === "refused" || (outcome.kind === "answered" && outcome.status === GONE);
  if (final || attempt >= limits.attempts) return { state: "dead", error };
  const asked = outcome.kind === "answered" ? (outcome.retryAfterMs ?? 0) : 0;
  const pause = Math.max(pauseMs(attempt, random), Math.min(asked, limits.longestRetryMs));
  return { state: "failed", nextAttemptMs: nowMs + pause, error };
}

/** The pause after try number `attempt`, in whole milliseconds. */
function pauseMs(attempt: number, random: number): number {
  const plain = limits.firstRetryMs * limits.retryFactor ** (attempt - 1);
  return Math.round(plain * (1 + limits.retryJitter * (2 * random - 1)));
}

/** A Retry-After header (RFC 9110 §10.2.3) as a pause, or null for none that can be read. Pure. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | null {
  if (header === undefined) return null;
  const text = header.trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}
