import { DurableObject } from "cloudflare:workers";

/** Timers, their order, and that they go on between requests. */
export class Timers extends DurableObject {
  private ticks = 0;

  async fetch(request: Request): Promise<Response> {
    const verb = new URL(request.url).pathname.split("/").at(-1);
    if (verb === "order") {
      const order: string[] = [];
      setTimeout(() => order.push("timeout 20"), 20);
      setTimeout((word) => order.push(`timeout ${word}`), 0, "0");
      const never = setTimeout(() => order.push("cleared"), 10);
      clearTimeout(never);
      queueMicrotask(() => order.push("microtask"));
      const interval = setInterval(() => order.push("interval"), 15);
      order.push("now");
      await scheduler.wait(24);
      clearInterval(interval);
      const started = Date.now();
      await scheduler.wait(30);
      order.push(Date.now() - started >= 29 ? "time passed" : "time stood still");
      return Response.json(order);
    }
    if (verb === "later") setTimeout(() => this.ctx.storage.put("ticks", ++this.ticks), 60);
    return Response.json({ ticks: (await this.ctx.storage.get("ticks")) ?? 0 });
  }
}
