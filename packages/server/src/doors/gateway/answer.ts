import { ranByAnswer } from "../../engines/upstream/ran.ts";
import type { Era, Message, UpstreamFailure, UpstreamMessage } from "../../engines/upstream/types.ts";
import type { CallUnderWay } from "../../features/gateway/service.ts";
import { isObject } from "./shapes.ts";

/** How a call ended, as the judge is told. */
export type CallEnd = Parameters<CallUnderWay["settle"]>[0];

/** What a message of the upstream's says; null when it is no JSON-RPC message. */
export function readUpstream({ text, parsed }: UpstreamMessage): Message | null {
  if (parsed !== undefined) return isObject(parsed) ? parsed : null;
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

/** Whether it answers something. Pure. */
export const isResponse = (message: Message): boolean =>
  message.method === undefined && (Object.hasOwn(message, "result") || Object.hasOwn(message, "error"));

/** How a call ended that was answered. Pure. `keepsResult`: the result's text is wanted. */
export function endOfAnswer(status: number, answer: Message, keepsResult: boolean): CallEnd {
  const { result, error } = answer;
  if (error !== undefined) {
    const code = isObject(error) && typeof error.code === "number" ? String(error.code) : "error";
    return { ran: ranByAnswer(status, answer), status, problem: code, result: null };
  }
  const ran = ranByAnswer(status, answer);
  if (!isObject(result)) return { ran, status, problem: null, result: null };
  // It has asked something before it goes on: the same call comes again, and is the one that was approved.
  if (keepsResult && result.resultType === "input_required") {
    return { ran: "no", status, problem: null, result: null };
  }
  const problem = result.isError === true ? "isError" : null;
  return { ran, status, problem, result: keepsResult ? JSON.stringify(result) : null };
}

/** The same for one that was not. Pure. */
export const endOfFailure = ({ ran, status, kind }: UpstreamFailure): CallEnd => ({
  ran,
  status: status ?? 0,
  problem: kind,
  result: null,
});

const SAID: Readonly<Record<UpstreamFailure["kind"], string>> = {
  connect: "it can't be reached",
  refused: "it refused the request",
  timeout: "it did not answer in time",
  broken: "the connection broke before the answer was there",
  body: "its answer is no MCP message",
  too_large: "its answer is too large",
};

/** What a client is told of a failure: its kind and whether the call may have run, nothing of where the server is. Pure. */
export function failureText({ kind, status, ran }: UpstreamFailure): string {
  const http = status === null ? "" : `, HTTP ${status}`;
  const effect = ran === "no" ? "It did not run." : "It may have run.";
  return `The upstream server failed (${kind}${http}): ${SAID[kind]}. ${effect}`;
}

/**
 * The HTTP status of a failure. Pure. Clients of the older revisions take any status but 200 for a broken connection; only
 * that their session is gone they must learn from it.
 */
export function failureStatus(
  failure: UpstreamFailure,
  era: Era,
  isRequest: boolean,
  inSession: boolean,
): number {
  if (era === "session") {
    if (inSession && failure.status === 404) return 404;
    if (isRequest) return 200;
  }
  return failure.kind === "timeout" ? 504 : 502;
}

/** The status an upstream's answer passes with: what is said of our credentials there is nothing to do with the client's. Pure. */
export function passedStatus(status: number): number {
  const ours = status === 401 || status === 403 || status === 407 || status === 429;
  return ours || status < 200 || (status >= 300 && status < 400) || status > 599 ? 502 : status;
}
