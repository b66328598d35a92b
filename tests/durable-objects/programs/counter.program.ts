import { DurableObject } from "cloudflare:workers";

/** Reads, adds one, writes: exact under concurrency only because of the input gate. */
export class Counter extends DurableObject {
  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    if (url.pathname.endsWith("/add")) {
      const value = ((await this.ctx.storage.get<number>("value")) ?? 0) + 1;
      await this.ctx.storage.put("value", value);
      return new Response(String(value));
    }
    return new Response(String((await this.ctx.storage.get<number>("value")) ?? 0));
  }
}
