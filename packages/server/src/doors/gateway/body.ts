import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { Metrics } from "../../kernel/metrics.ts";
import { gatewayDoorErrors } from "./errors.ts";
import { limits } from "./limits.ts";

/** Why there is no text of a body. `gone`: the client went away before its end. */
export type BodyProblem = "too_large" | "not_utf8" | "gone";

/** Bytes of large bodies on their way, by grant. */
export class HeldBytes {
  readonly #metrics: Pick<Metrics, "limitsHit">;
  readonly #byGrant = new Map<string, number>();

  constructor(metrics: Pick<Metrics, "limitsHit">) {
    this.#metrics = metrics;
  }

  /** False when the grant may hold no more. */
  take(grantId: string, bytes: number): boolean {
    const after = (this.#byGrant.get(grantId) ?? 0) + bytes;
    if (after > limits.heldBytesPerGrant) {
      this.#metrics.limitsHit.inc({ limit: "gateway_held_bytes_per_grant" });
      return false;
    }
    this.#byGrant.set(grantId, after);
    return true;
  }

  give(grantId: string, bytes: number): void {
    const left = (this.#byGrant.get(grantId) ?? 0) - bytes;
    if (left > 0) this.#byGrant.set(grantId, left);
    else this.#byGrant.delete(grantId);
  }
}

/**
 * The body's text, with a byte order mark if it has one. Nothing is kept of a body that says it is too large. Rejects with
 * GATEWAY_BODIES_BUSY when the grant is sending too many large ones.
 */
export function readBody(
  request: IncomingMessage,
  held: HeldBytes,
  grantId: string,
): Promise<{ readonly text: string } | { readonly problem: BodyProblem }> {
  return new Promise((resolve, reject) => {
    if (Number(request.headers["content-length"] ?? 0) > limits.bodyBytes) {
      return resolve({ problem: "too_large" });
    }
    if (request.destroyed || request.errored) return resolve({ problem: "gone" });
    let first: Buffer | null = null;
    let more: Buffer[] | null = null;
    let bytes = 0;
    let taken = 0;
    const over = () => {
      request.off("data", onData).off("end", onEnd).off("close", onClose);
      if (taken > 0) held.give(grantId, taken);
    };
    const onData = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > limits.bodyBytes) {
        over();
        return resolve({ problem: "too_large" });
      }
      if (bytes > limits.freeBodyBytes) {
        if (!held.take(grantId, bytes - taken)) {
          over();
          return reject(
            gatewayDoorErrors.GATEWAY_BODIES_BUSY({ headers: { "Retry-After": "1", connection: "close" } }),
          );
        }
        taken = bytes;
      }
      if (first === null) first = chunk;
      else if (more === null) more = [first, chunk];
      else more.push(chunk);
    };
    const onEnd = () => {
      over();
      const all = more === null ? (first ?? EMPTY) : Buffer.concat(more, bytes);
      resolve(isUtf8(all) ? { text: all.toString("utf8") } : { problem: "not_utf8" });
    };
    const onClose = () => {
      over();
      resolve({ problem: "gone" });
    };
    request.on("data", onData).once("end", onEnd).once("close", onClose);
    // Its `close` tells the same.
    request.on("error", ignore);
  });
}

/**
 * Throws away what still comes of a body that was refused, for a moment: a client that is cut off in the middle of
 * sending does not read the answer. Resolves at the body's end, when the client pauses, or when it goes on too long.
 */
export function discardBody(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    if (request.complete || request.destroyed) return resolve();
    const over = () => {
      clearTimeout(most);
      clearTimeout(pause);
      request.off("data", onData).off("end", over).off("close", over);
      resolve();
    };
    const onData = () => void pause.refresh();
    const most = setTimeout(over, limits.discardMs);
    const pause = setTimeout(over, limits.discardPauseMs);
    request.on("data", onData).once("end", over).once("close", over).on("error", ignore).resume();
  });
}

const EMPTY = Buffer.alloc(0);
const ignore = () => {};

const JSON_TYPE = /^application\/json\s*(?:;|$)/i;

/** Whether the headers announce JSON as it is. Pure. */
export function announcesJson({ headers }: Pick<IncomingMessage, "headers">): boolean {
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") return false;
  return JSON_TYPE.test(headers["content-type"] ?? "");
}
