import type { IncomingMessage } from "node:http";
import { Transform } from "node:stream";
import { functionLimits } from "../../features/functions/service.ts";
import { errors } from "../../kernel/errors.ts";

/** The body of a request for a function, to be streamed; null without one. @throws REQUEST_TOO_LARGE */
export function streamedBody(
  request: IncomingMessage,
  onTooLarge: (error: unknown) => void,
): IncomingMessage | Transform | null {
  const length = request.headers["content-length"];
  if (length !== undefined) {
    if (Number(length) > functionLimits.bodyBytes) throw tooLarge();
    return length === "0" ? null : request;
  }
  if (request.headers["transfer-encoding"] === undefined) return null;
  let bytes = 0;
  const bounded = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes <= functionLimits.bodyBytes) done(null, chunk);
      else {
        const error = tooLarge();
        onTooLarge(error);
        done(error);
      }
    },
  });
  bounded.on("error", () => request.unpipe(bounded).resume());
  request.once("error", (error) => bounded.destroy(error));
  request.once("aborted", () => bounded.destroy(new Error("the caller went away")));
  return request.pipe(bounded);
}

/** The whole body. Rejects with REQUEST_TOO_LARGE. */
export async function heldBody(request: IncomingMessage): Promise<Buffer> {
  if (Number(request.headers["content-length"] ?? 0) > functionLimits.bodyBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > functionLimits.bodyBytes) throw tooLarge();
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

const tooLarge = () =>
  errors.REQUEST_TOO_LARGE({
    message: `A request for a function may have ${functionLimits.bodyBytes} bytes.`,
    headers: { connection: "close" },
  });
