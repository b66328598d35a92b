import { DurableObject } from "cloudflare:workers";

/** Takes what it can get: the processor, memory, files, connections. */
export class Hog extends DurableObject<{ HOG: DurableObjectNamespace }> {
  private readonly kept: unknown[] = [];

  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const count = Number(url.searchParams.get("n") ?? "0");
    switch (url.pathname.split("/").at(-1)) {
      case "write": {
        const n = ((await this.ctx.storage.get<number>("n")) ?? 0) + 1;
        await this.ctx.storage.put("n", n);
        return new Response(String(n));
      }
      case "loop":
        for (;;) this.kept.length = 0;
      case "buffers":
        for (;;) {
          this.kept.push(new Uint8Array(16 * 1024 * 1024).fill(this.kept.length));
          await scheduler.wait(1);
        }
      case "objects":
        for (;;) {
          for (let n = 0; n < 100_000; n++) this.kept.push({ n, text: `some text ${n}` });
          await scheduler.wait(0);
        }
      case "instances": {
        const touched = Array.from({ length: count }, (_, n) =>
          this.env.HOG.getByName(`many-${n}`).fetch("http://hog/_do/hog/x/write", { method: "POST" }),
        );
        return Response.json((await Promise.allSettled(touched)).length);
      }
      case "connections": {
        const target = url.searchParams.get("to")!;
        const opened = Array.from({ length: count }, () => fetch(target).then((answer) => answer.status));
        return Response.json((await Promise.allSettled(opened)).length);
      }
      default:
        return new Response(String((await this.ctx.storage.get("n")) ?? 0));
    }
  }
}
