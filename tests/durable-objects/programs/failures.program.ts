import { DurableObject } from "cloudflare:workers";

/** Everything that can go wrong in a request; the instance goes on. */
export class Failures extends DurableObject {
  private requests = 0;

  constructor(ctx: DurableObjectState, env: unknown) {
    super(ctx, env);
    if (ctx.id.name === "stillborn") throw new Error("inner secret: no such life");
  }

  fetch(request: Request): Promise<Response> | Response {
    this.requests += 1;
    const verb = new URL(request.url).pathname.split("/").at(-1);
    if (verb === "sync") throw new Error("inner secret: sync");
    if (verb === "async") return Promise.reject(new TypeError("inner secret: async"));
    if (verb === "late") return scheduler.wait(5).then(() => Promise.reject(new Error("inner secret: late")));
    if (verb === "string") throw "inner secret: a string";
    if (verb === "wrong-type") return { not: "a response" } as unknown as Response;
    if (verb === "nothing") return undefined as unknown as Response;
    if (verb === "read-twice") {
      const once = new Response("inner secret: read");
      return once.text().then(async () => new Response(await once.text()));
    }
    if (verb === "bad-status") return new Response("x", { status: 99 });
    return new Response(`request ${this.requests}`);
  }
}
