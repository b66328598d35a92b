import { DurableObject } from "cloudflare:workers";

/** Listing keys in every way there is. */
export class KvList extends DurableObject {
  async fetch(request: Request): Promise<Response> {
    const options = request.method === "POST" ? ((await request.json()) as object) : null;
    if (options === null) {
      const entries = ["a", "b", "user:1", "user:10", "user:2", "user:é", "user:😀", "z"].map((key, n) => [
        key,
        n,
      ]);
      await this.ctx.storage.put(Object.fromEntries(entries));
      return new Response(null, { status: 204 });
    }
    try {
      return Response.json([...(await this.ctx.storage.list(options))]);
    } catch (error) {
      return new Response((error as Error).name, { status: 400 });
    }
  }
}
