import { DurableObject } from "cloudflare:workers";

/** Encoders, decoders, transforms: streams put together. */
export class TextStreams extends DurableObject {
  async fetch(request: Request): Promise<Response> {
    const upper = new TransformStream<string, string>({
      transform(chunk, controller) {
        controller.enqueue(chunk.toUpperCase());
      },
      flush(controller) {
        controller.enqueue(" — end");
      },
    });
    if (request.method === "POST") {
      return new Response(
        request
          .body!.pipeThrough(new TextDecoderStream())
          .pipeThrough(upper)
          .pipeThrough(new TextEncoderStream()),
      );
    }
    const bytes = new TextEncoder().encode("grüße 😀");
    const into = new TextEncoder().encodeInto("ééé", new Uint8Array(5));
    const fatal = () => {
      try {
        return new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array([0xff]));
      } catch (error) {
        return (error as Error).name;
      }
    };
    return Response.json({
      bytes: [...bytes].slice(0, 5),
      text: new TextDecoder().decode(bytes),
      into,
      fatal: fatal(),
      replaced: new TextDecoder().decode(new Uint8Array([0x61, 0xff])),
      latin: new TextDecoder("windows-1252").decode(new Uint8Array([0x80, 0xe9])),
      bom: new TextDecoder("utf-16le").decode(new Uint8Array([0xff, 0xfe, 0x41, 0])),
    });
  }
}
