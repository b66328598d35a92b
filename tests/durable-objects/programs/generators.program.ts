import { DurableObject } from "cloudflare:workers";

/** An answer made by an async generator, rows by an iterator, cleaned up when left early. */
export class Generators extends DurableObject {
  private closed = 0;

  async fetch(request: Request): Promise<Response> {
    const wanted = Number(new URL(request.url).searchParams.get("n") ?? "3");
    const lines = ReadableStream.from(this.lines(wanted)).pipeThrough(new TextEncoderStream());
    if (request.method === "HEAD")
      return new Response(null, { headers: { "x-test-closed": String(this.closed) } });
    return new Response(lines, {
      headers: { "content-type": "application/x-ndjson", "x-test-first": String(this.first()) },
    });
  }

  private first(): number {
    for (const n of this.numbers()) return n;
    return -1;
  }

  private *numbers(): Generator<number> {
    try {
      for (let n = 1; ; n++) yield n;
    } finally {
      this.closed += 1;
    }
  }

  private async *lines(count: number): AsyncGenerator<string> {
    for (const n of this.numbers()) {
      if (n > count) return;
      await scheduler.wait(1);
      yield `${JSON.stringify({ n })}\n`;
    }
  }
}
