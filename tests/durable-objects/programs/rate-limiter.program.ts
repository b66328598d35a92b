import { DurableObject } from "cloudflare:workers";

interface Bucket {
  tokens: number;
  atMs: number;
}

/** A token bucket: five at once, one more each second of the clock the caller names. */
export class RateLimiter extends DurableObject {
  static readonly CAPACITY = 5;

  async fetch(request: Request): Promise<Response> {
    const nowMs = Number(request.headers.get("x-test-now") ?? "0");
    const bucket = (await this.ctx.storage.get<Bucket>("bucket")) ?? {
      tokens: RateLimiter.CAPACITY,
      atMs: nowMs,
    };
    const grown = Math.min(RateLimiter.CAPACITY, bucket.tokens + (nowMs - bucket.atMs) / 1000);
    if (grown < 1) {
      const waitS = Math.ceil(1 - grown);
      return Response.json(
        { error: "slow down" },
        { status: 429, headers: { "x-test-retry": String(waitS) } },
      );
    }
    await this.ctx.storage.put("bucket", { tokens: grown - 1, atMs: nowMs } satisfies Bucket);
    return Response.json({ left: Math.floor(grown - 1) });
  }
}
