import type { IncomingMessage } from "node:http";
import type { FastifyRequest } from "fastify";
import { errors } from "../../kernel/errors.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * The body as text, at most `limitBytes` of it. Throws REQUEST_TOO_LARGE before more has been kept, and
 * VALIDATION_INVALID_JSON for bytes that are not UTF-8, rather than putting other characters in their place.
 */
export function readText(
  request: FastifyRequest,
  payload: IncomingMessage,
  limitBytes: number,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const refuse = () => {
      payload.off("data", take);
      // What is still under way is let through unread, so that the answer can be sent.
      payload.resume();
      reject(
        errors.REQUEST_TOO_LARGE({
          message: `The request body is larger than the ${limitBytes} bytes accepted here.`,
          headers: { connection: "close" },
        }),
      );
    };
    const take = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > limitBytes) return refuse();
      chunks.push(chunk);
    };
    if (Number(request.headers["content-length"]) > limitBytes) return refuse();
    payload.on("data", take);
    payload.once("error", reject);
    payload.once("end", () => {
      try {
        resolve(decoder.decode(Buffer.concat(chunks)));
      } catch {
        reject(errors.VALIDATION_INVALID_JSON({ message: "The body is not valid UTF-8." }));
      }
    });
  });
}

/** The JSON value in a body; undefined for an empty one. */
export function parseJson(text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw errors.VALIDATION_INVALID_JSON();
  }
}
