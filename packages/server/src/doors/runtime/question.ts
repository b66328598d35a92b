import type { IncomingMessage } from "node:http";
import { errors } from "../../kernel/errors.ts";
import { limits } from "./limits.ts";

/**
 * The JSON object in a question's body; `hold` is asked before each part of it is kept. Rejects with
 * REQUEST_TOO_LARGE, QUOTA_RATE_LIMIT, VALIDATION_INVALID_JSON.
 */
export function readQuestion(
  request: IncomingMessage,
  hold: (bytes: number) => boolean,
): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const refuse = (error: Error) => {
      chunks.length = 0;
      request.removeAllListeners("data").resume();
      reject(error);
    };
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > limits.questionBytes) refuse(errors.REQUEST_TOO_LARGE());
      else if (!hold(chunk.length)) refuse(tooMuch());
      else chunks.push(chunk);
    });
    request.once("error", reject);
    request.once("close", () => reject(errors.REQUEST_CANCELLED()));
    request.once("end", () => {
      try {
        const value: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
        if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("no object");
        resolve(value as Record<string, unknown>);
      } catch (cause) {
        reject(errors.VALIDATION_INVALID_JSON({ cause }));
      }
    });
  });
}

const tooMuch = () =>
  errors.QUOTA_RATE_LIMIT({
    message: `The app's code has ${limits.heldBytesPerApp} bytes of questions to Ambit under way.`,
    headers: { "Retry-After": "1" },
  });

export function wrong(message: string): never {
  throw errors.VALIDATION_INVALID_SCHEMA({ message });
}
