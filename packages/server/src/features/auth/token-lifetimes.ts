import { limits } from "./limits.ts";

/** An app's `jwt_config`, in seconds. */
export interface TokenLifetimes {
  readonly accessS: number;
  readonly refreshS: number;
}

const UNIT_S: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** Seconds of `90s`, `15m`, `1h`, `7d`; null for anything else and for what is out of bounds. Pure. */
export function parseTtlSeconds(text: string): number | null {
  const match = /^(\d{1,9})([smhd])$/.exec(text);
  if (match === null) return null;
  const seconds = Number(match[1]) * UNIT_S[match[2]!]!;
  return seconds >= limits.accessTtlLeastS && seconds <= limits.accessTtlMostS ? seconds : null;
}

/** Lifetimes from the stored configuration, which was checked when it was written. */
export function lifetimesOf(config: { accessTokenTtl: string; refreshTokenTtlDays: number }): TokenLifetimes {
  return {
    accessS: parseTtlSeconds(config.accessTokenTtl) ?? 3_600,
    refreshS: config.refreshTokenTtlDays * 86_400,
  };
}
