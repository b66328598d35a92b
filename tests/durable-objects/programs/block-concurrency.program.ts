import { DurableObject } from "cloudflare:workers";

/** Set up before the first request is seen; and what happens when that fails. */
export class BlockConcurrency extends DurableObject {
  private ready = false;
  private value = 0;

  constructor(ctx: DurableObjectState, env: unknown) {
    super(ctx, env);
    ctx.blockConcurrencyWhile(async () => {
      const starts = ((await ctx.storage.get<number>("starts")) ?? 0) + 1;
      await ctx.storage.put("starts", starts);
      await scheduler.wait(60);
      this.ready = true;
    });
  }

  async fetch(request: Request): Promise<Response> {
    const verb = new URL(request.url).pathname.split("/").at(-1);
    if (verb === "add") {
      const value = await this.ctx.blockConcurrencyWhile(async () => {
        const read = this.value;
        await scheduler.wait(5);
        this.value = read + 1;
        return this.value;
      });
      return new Response(String(value));
    }
    if (verb === "break") {
      this.value = 1_000;
      await this.ctx.blockConcurrencyWhile(async () => {
        throw new Error("the section failed");
      });
    }
    return Response.json({
      ready: this.ready,
      value: this.value,
      starts: await this.ctx.storage.get("starts"),
    });
  }
}
