import type { IncomingMessage, ServerResponse } from "node:http";
import { Transform } from "node:stream";
import { functionLimits } from "../../features/functions/service.ts";
import { errors } from "../../kernel/errors.ts";
import { limits } from "./limits.ts";

/** The body of a request for a function, to be streamed; null without one. @throws REQUEST_TOO_LARGE */
export function streamedBody(
  request: IncomingMessage,
  response: ServerResponse,
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
  // What is left when the answer has gone out is let through unread: the connection's next request comes behind it.
  response.once("finish", () => request.unpipe(bounded).resume());
  request.once("error", (error) => bounded.destroy(error));
  request.once("aborted", () => bounded.destroy(new Error("the caller went away")));
  return request.pipe(bounded);
}

/** Bytes of bodies that are held at once, by app: whoever sends them has not yet shown that they may. */
export class HeldBytes {
  readonly #byApp = new Map<string, number>();

  /** False when the app may hold no more. */
  take(appId: string, bytes: number): boolean {
    const after = (this.#byApp.get(appId) ?? 0) + bytes;
    if (after > limits.heldBytesPerApp) return false;
    this.#byApp.set(appId, after);
    return true;
  }

  give(appId: string, bytes: number): void {
    const left = (this.#byApp.get(appId) ?? 0) - bytes;
    if (left > 0) this.#byApp.set(appId, left);
    else this.#byApp.delete(appId);
  }
}

/**
 * The whole body. What goes beyond a small one counts against what the app may have held, so that few slow large ones
 * keep no small one out. Rejects with REQUEST_TOO_LARGE, QUOTA_RATE_LIMIT.
 */
export async function heldBody(request: IncomingMessage, held: HeldBytes, appId: string): Promise<Buffer> {
  if (Number(request.headers["content-length"] ?? 0) > functionLimits.bodyBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  let taken = 0;
  try {
    for await (const chunk of request) {
      bytes += (chunk as Buffer).length;
      if (bytes > functionLimits.bodyBytes) throw tooLarge();
      if (bytes > limits.freeBodyBytes) {
        const more = bytes - taken;
        if (!held.take(appId, more)) throw tooManyLarge();
        taken += more;
      }
      chunks.push(chunk as Buffer);
    }
  } finally {
    held.give(appId, taken);
  }
  return Buffer.concat(chunks);
}

const tooManyLarge = () =>
  errors.QUOTA_RATE_LIMIT({
    message: "The app is being sent too many large events at once.",
    headers: { "Retry-After": "5", connection: "close" },
  });

const tooLarge = () =>
  errors.REQUEST_TOO_LARGE({
    message: `A request for a function may have ${functionLimits.bodyBytes} bytes.`,
    headers: { connection: "close" },
  });
