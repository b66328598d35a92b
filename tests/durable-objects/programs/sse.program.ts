import { DurableObject } from "cloudflare:workers";

/** Server-sent events for everyone who listens. */
export class Sse extends DurableObject {
  private readonly listeners = new Set<WritableStreamDefaultWriter<Uint8Array>>();
  private next = 1;

  async fetch(request: Request): Promise<Response> {
    if (request.method === "POST") {
      const frame = new TextEncoder().encode(
        `id: ${this.next++}\nevent: news\ndata: ${await request.text()}\n\n`,
      );
      for (const listener of this.listeners)
        void listener.write(frame).catch(() => this.listeners.delete(listener));
      return new Response(null, { status: 204 });
    }
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    this.listeners.add(writer);
    void writer.write(
      new TextEncoder().encode(`: hello ${request.headers.get("last-event-id") ?? "new"}\n\n`),
    );
    return new Response(readable, {
      headers: { "content-type": "text/event-stream", "cache-control": "no-store" },
    });
  }
}
