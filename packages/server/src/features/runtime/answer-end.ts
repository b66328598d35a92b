import { workerdErrors } from "../../engines/workerd/errors.ts";
import type { Answer, Outcome } from "../../engines/workerd/types.ts";
import { AmbitError } from "../../kernel/errors.ts";

/** What is known of the end of a call from inside Ambit. */
export type CallEnd = Pick<Outcome, "status" | "end" | "bytesOut">;

const { RUNTIME_STOPPED, RUNTIME_UNAVAILABLE } = workerdErrors.entries;

/**
 * How a call without an answer ended. Only what was running when the process went is lost with it: whoever was turned
 * away, or waited too long, is not to blame for its end. Pure.
 */
export function endOfFailure(error: unknown, signal: AbortSignal | undefined): CallEnd {
  if (signal?.aborted === true) return { status: 0, end: "caller_gone", bytesOut: 0 };
  if (!(error instanceof AmbitError)) return { status: 0, end: "process_lost", bytesOut: 0 };
  const { code, status } = error;
  if (code === "RUNTIME_TIMEOUT") return { status, end: "timeout", bytesOut: 0 };
  const lost = status === RUNTIME_STOPPED.status || status === RUNTIME_UNAVAILABLE.status;
  return { status, end: lost ? "process_lost" : "answered", bytesOut: 0 };
}

/** Tells once how an answer ended, with the bytes of it that were read. It stays paused until somebody reads it. */
export function onAnswerEnd({ status, body }: Answer, tell: (end: CallEnd) => void): void {
  let bytesOut = 0;
  body.on("data", (chunk: Buffer) => {
    bytesOut += chunk.length;
  });
  body.pause();
  body.once("close", () => tell({ status, end: body.readableEnded ? "answered" : "caller_gone", bytesOut }));
}
