import { limits } from "./limits.ts";

/** A line of the decision log, as the API has it. */
export interface LoggedDecision {
  readonly decision_id: string;
  /** ISO 8601 */
  readonly at: string;
  readonly outcome: string;
  readonly grant_id: string;
  readonly grant_label: string | null;
  readonly method: string | null;
  readonly tool: string | null;
  readonly rule: string;
  readonly message: string | null;
  readonly argument_keys: readonly string[] | null;
  readonly approval_id: string | null;
  readonly upstream_status: number | null;
  readonly latency_ms: number | null;
  readonly problem: string | null;
}

/**
 * Tells which decisions of a look at the log are new. Entries that several nodes write at once may appear a little out of
 * order, so each look begins some time before the newest one seen, and what was seen is known by its id.
 */
export class DecisionTail {
  readonly #seen = new Map<string, number>();
  readonly #start: string | undefined;
  /** What is before the first one shown is not new. */
  readonly #oldest: string | null;
  #newestMs = Number.NEGATIVE_INFINITY;

  /** `shown`: what was shown so far. `start`: from when on decisions are wanted at all, ISO 8601. */
  constructor(shown: readonly LoggedDecision[], start: string | undefined) {
    this.#start = start;
    this.#oldest = shown.reduce<string | null>(
      (oldest, { decision_id }) => (oldest === null || decision_id < oldest ? decision_id : oldest),
      null,
    );
    this.#note(shown);
  }

  /** From when on the next look must ask, ISO 8601; undefined: from the beginning. */
  get from(): string | undefined {
    if (!Number.isFinite(this.#newestMs)) return this.#start;
    const from = new Date(this.#newestMs - limits.followOverlapMs).toISOString();
    return this.#start !== undefined && Date.parse(this.#start) > Date.parse(from) ? this.#start : from;
  }

  /** Those that were not seen before, the oldest first; they count as seen from now on. */
  fresh(found: readonly LoggedDecision[]): LoggedDecision[] {
    const fresh = found.filter(
      ({ decision_id: id }) => !this.#seen.has(id) && (this.#oldest === null || id > this.#oldest),
    );
    this.#note(fresh);
    return fresh.sort((a, b) => (a.decision_id < b.decision_id ? -1 : 1));
  }

  #note(decisions: readonly LoggedDecision[]): void {
    for (const { decision_id, at } of decisions) {
      const atMs = Date.parse(at);
      this.#seen.set(decision_id, atMs);
      this.#newestMs = Math.max(this.#newestMs, atMs);
    }
    // Twice the overlap: whatever the next look can find is still known.
    const forgotten = this.#newestMs - 2 * limits.followOverlapMs;
    for (const [id, atMs] of this.#seen) if (atMs < forgotten) this.#seen.delete(id);
  }
}
