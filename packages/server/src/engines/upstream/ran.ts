import type { Message, UpstreamFailure } from "./types.ts";

/** Statuses with which a server says that it did nothing. */
const NOT_RUN_STATUSES: ReadonlySet<number> = new Set([401, 403, 404, 429]);
/** JSON-RPC: there is no such method, and these are no parameters of it. */
const NOT_RUN_CODES: ReadonlySet<unknown> = new Set([-32601, -32602]);

/** Whether an HTTP status proves that the call never ran. Pure. */
export function ranByStatus(status: number): UpstreamFailure["ran"] {
  return NOT_RUN_STATUSES.has(status) ? "no" : "maybe";
}

/**
 * Whether a call ran, by its answer: `no` when status or error code prove that it did not, else `yes`; any other error
 * may have come before or after it ran, which is `maybe`. Pure.
 */
export function ranByAnswer(status: number, answer: Message): "no" | "yes" | "maybe" {
  if (NOT_RUN_STATUSES.has(status)) return "no";
  const error = answer.error;
  if (error === undefined) return "yes";
  const code = typeof error === "object" && error !== null ? (error as { code?: unknown }).code : undefined;
  return NOT_RUN_CODES.has(code) ? "no" : "maybe";
}
