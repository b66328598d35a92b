import { DurableObject } from "cloudflare:workers";

/** Compression by hand and by header. */
export class Compression extends DurableObject {
  async fetch(request: Request): Promise<Response> {
    const verb = new URL(request.url).pathname.split("/").at(-1);
    const long = "so much of the same ".repeat(500);
    if (verb === "encoded") {
      return new Response(long, { headers: { "content-encoding": "gzip", "content-type": "text/plain" } });
    }
    if (verb === "manual") {
      const body = new Blob([long]).stream().pipeThrough(new CompressionStream("gzip"));
      return new Response(body, { encodeBody: "manual", headers: { "content-encoding": "gzip" } });
    }
    if (verb === "inflate") return new Response(request.body!.pipeThrough(new DecompressionStream("gzip")));
    const results: unknown[] = [];
    for (const format of ["gzip", "deflate", "deflate-raw"] as const) {
      const packed = await new Response(
        new Blob([long]).stream().pipeThrough(new CompressionStream(format)),
      ).arrayBuffer();
      const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream(format));
      results.push([format, packed.byteLength < 300, (await new Response(stream).text()) === long]);
    }
    try {
      await new Response(new Blob(["nonsense"]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
    } catch (error) {
      results.push((error as Error).name);
    }
    return Response.json(results);
  }
}
