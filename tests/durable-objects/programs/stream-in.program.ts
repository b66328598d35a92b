import { DurableObject } from "cloudflare:workers";

/** Reads bodies as they come. */
export class StreamIn extends DurableObject {
  async fetch(request: Request): Promise<Response> {
    const verb = new URL(request.url).pathname.split("/").at(-1);
    if (request.body === null) return new Response("no body");
    if (verb === "hash") {
      const digest = new crypto.DigestStream("SHA-256");
      const [one, two] = request.body.tee();
      const counting = this.count(two);
      await one.pipeTo(digest);
      const hex = [...new Uint8Array(await digest.digest)].map((byte) => byte.toString(16).padStart(2, "0"));
      return Response.json({ sha: hex.join("").slice(0, 40), bytes: await counting });
    }
    if (verb === "lines") {
      let lines = 0;
      let rest = "";
      for await (const text of request.body.pipeThrough(new TextDecoderStream())) {
        const parts = (rest + text).split("\n");
        rest = parts.pop()!;
        lines += parts.length;
      }
      return Response.json({ lines, rest });
    }
    return new Response(request.body, { headers: { "content-type": "application/octet-stream" } });
  }

  private async count(stream: ReadableStream<Uint8Array>): Promise<number> {
    let bytes = 0;
    for await (const chunk of stream) bytes += chunk.byteLength;
    return bytes;
  }
}
