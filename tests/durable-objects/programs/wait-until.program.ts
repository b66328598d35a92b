import { DurableObject } from "cloudflare:workers";

/** Work that goes on after the answer. */
export class WaitUntil extends DurableObject {
  private release = () => {};

  async fetch(request: Request): Promise<Response> {
    if (request.method === "PUT") this.release();
    if (request.method !== "POST")
      return new Response((await this.ctx.storage.get("after")) ?? "nothing yet");
    const released = new Promise<void>((resolve) => {
      this.release = resolve;
    });
    this.ctx.waitUntil(released.then(() => this.ctx.storage.put("after", "done after the answer")));
    this.ctx.waitUntil(Promise.reject(new Error("nobody waits for this one")));
    return new Response("answered", { status: 202 });
  }
}
