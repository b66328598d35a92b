import type { IncomingMessage } from "node:http";
import { errors } from "../../kernel/errors.ts";
import { limits } from "./limits.ts";

/** The JSON object in a question's body. Rejects with REQUEST_TOO_LARGE, VALIDATION_INVALID_JSON. */
export function readQuestion(request: IncomingMessage): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > limits.questionBytes) {
        request.removeAllListeners("data").resume();
        reject(errors.REQUEST_TOO_LARGE());
      } else chunks.push(chunk);
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

export function wrong(message: string): never {
  throw errors.VALIDATION_INVALID_SCHEMA({ message });
}
