import { type Bucket, newBucket, type Rate } from "./bucket.ts";
import { limits } from "./limits.ts";
import type { RoomClient } from "./types.ts";

export const RATES = {
  presence_rate: { perSecond: limits.presencePerSecond, burst: limits.presenceBurst },
  broadcast_rate: { perSecond: limits.broadcastsPerSecond, burst: limits.broadcastBurst },
  join_rate: { perSecond: limits.joinsPerSecond, burst: limits.joinBurst },
} satisfies Record<string, Rate>;

export type RateName = keyof typeof RATES;

/** A membership: when it was last known to be rightful. */
export interface Held {
  heldAtMs: number;
}

/** What one connection has to do with rooms and channels. */
export interface Session {
  readonly client: RoomClient;
  /** The connection is gone; whatever is still under way comes to nothing. */
  gone: boolean;
  /** By name; null is the app-wide one. */
  readonly rooms: Map<string | null, Held>;
  readonly channels: Map<string, Held>;
  readonly buckets: Record<RateName, Bucket>;
}

export function newSession(client: RoomClient, nowMs: number): Session {
  const buckets = {
    presence_rate: newBucket(RATES.presence_rate, nowMs),
    broadcast_rate: newBucket(RATES.broadcast_rate, nowMs),
    join_rate: newBucket(RATES.join_rate, nowMs),
  };
  return { client, gone: false, rooms: new Map(), channels: new Map(), buckets };
}
