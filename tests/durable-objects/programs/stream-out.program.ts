import { DurableObject } from "cloudflare:workers";

/** Bodies made while they are sent. */
export class StreamOut extends DurableObject {
  private release = () => {};
  private cancelled = "no";

  async fetch(request: Request): Promise<Response> {
    const verb = new URL(request.url).pathname.split("/").at(-1);
    if (verb === "release") {
      this.release();
      return new Response("released");
    }
    if (verb === "cancelled") return new Response(this.cancelled);
    if (verb === "big") return new Response(this.big());
    if (verb === "endless") return new Response(this.endless());
    if (verb === "broken") return new Response(this.broken());
    const gate = new Promise<void>((resolve) => {
      this.release = resolve;
    });
    const { readable, writable } = new TransformStream();
    const writer = writable.getWriter();
    const encoder = new TextEncoder();
    this.ctx.waitUntil(
      (async () => {
        await writer.write(encoder.encode("first "));
        await gate;
        await writer.write(encoder.encode("last"));
        await writer.close();
      })(),
    );
    return new Response(readable, { headers: { "content-type": "text/plain" } });
  }

  private big(): ReadableStream {
    let n = 0;
    return new ReadableStream({
      pull(controller) {
        if (n === 64) controller.close();
        else controller.enqueue(new Uint8Array(65_536).fill(n++));
      },
    });
  }

  private endless(): ReadableStream {
    return new ReadableStream({
      pull: async (controller) => {
        await scheduler.wait(5);
        controller.enqueue(new TextEncoder().encode("more "));
      },
      cancel: () => {
        this.cancelled = "yes";
      },
    });
  }

  private broken(): ReadableStream {
    let n = 0;
    return new ReadableStream({
      async pull(controller) {
        if (n++ < 3) controller.enqueue(new TextEncoder().encode(`part ${n} `));
        else controller.error(new Error("inner secret: the source dried up"));
      },
    });
  }
}
