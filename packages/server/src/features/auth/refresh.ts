/** What is known of a refresh token that was presented. */
export interface KnownToken {
  readonly usedAtMs: number | null;
  readonly expiresAtMs: number;
}

/** `rotate`: give its successor. `repeat`: give the same successor once more. The others give nothing. */
export type RefreshDecision = "rotate" | "repeat" | "reused" | "expired";

/**
 * Decides on a refresh token (OAuth 2.0 Security BCP, RFC 9700 §4.14.2). Pure.
 *
 * A used token that comes again means that two parties hold it, so its whole family ends. One case is exempt: a request
 * that had arrived before the first use was recorded. That is one client asking twice at the same moment (two tabs, a
 * retry that overlaps); it gets the very successor the first request got, so the family never forks, and whoever comes
 * with the used token after that is caught. A window of grace in seconds would let a thief in for just as long.
 */
export function decideRefresh(token: KnownToken, arrivedAtMs: number, nowMs: number): RefreshDecision {
  if (token.usedAtMs !== null) return arrivedAtMs <= token.usedAtMs ? "repeat" : "reused";
  return token.expiresAtMs <= nowMs ? "expired" : "rotate";
}
