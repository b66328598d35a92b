import { limits } from "./limits.ts";

/** How often the server died or failed to come back lately. */
export interface RestartState {
  readonly failures: number;
  /** When it last answered, in ms of the caller's clock. */
  readonly readySinceMs: number;
}

export type RestartEvent = "died" | "restart failed" | "ready";

/** The state after an event. A server that lived long enough is forgiven its earlier deaths. */
export function nextRestartState(state: RestartState, event: RestartEvent, nowMs: number): RestartState {
  switch (event) {
    case "ready":
      return { failures: state.failures, readySinceMs: nowMs };
    case "restart failed":
      return { ...state, failures: state.failures + 1 };
    case "died": {
      const forgiven = nowMs - state.readySinceMs >= limits.restartForgiveMs;
      return { ...state, failures: forgiven ? 1 : state.failures + 1 };
    }
  }
}

/** The pause before the next attempt: none at first, then doubling up to a bound. */
export function restartPauseMs(state: RestartState): number {
  if (state.failures <= 1) return 0;
  return Math.min(limits.restartFirstPauseMs * 2 ** (state.failures - 2), limits.restartLongestPauseMs);
}
