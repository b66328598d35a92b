/** A bucket of tokens that fills again with time. */
export interface Bucket {
  tokens: number;
  atMs: number;
}

/** So many a second on average, and so many at once. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** A full one. */
export const newBucket = (rate: Rate, nowMs: number): Bucket => ({ tokens: rate.burst, atMs: nowMs });

/** Takes one token; false if there is none. A clock that goes back takes none away. */
export function take(bucket: Bucket, rate: Rate, nowMs: number): boolean {
  const passedMs = Math.max(0, nowMs - bucket.atMs);
  bucket.tokens = Math.min(rate.burst, bucket.tokens + (passedMs * rate.perSecond) / 1000);
  bucket.atMs = nowMs;
  if (bucket.tokens < 1) return false;
  bucket.tokens -= 1;
  return true;
}
