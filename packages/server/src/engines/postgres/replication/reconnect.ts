import { limits } from "./limits.ts";

/**
 * The pause before the next attempt: doubles with every failure in a row up to a bound, and half of it is random so
 * that several nodes do not return together. `random` is in [0, 1).
 */
export function reconnectDelayMs(failuresInARow: number, random: number): number {
  const full = Math.min(limits.reconnectMaxMs, limits.reconnectMinMs * 2 ** Math.min(failuresInARow, 30));
  return Math.round(full * (0.5 + random / 2));
}
