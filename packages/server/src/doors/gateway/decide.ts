import type { Admission, AskedFor, Verdict } from "../../features/gateway/service.ts";
import { AmbitError } from "../../kernel/errors.ts";
import { CODES } from "./codes.ts";
import type { DoorContext } from "./context.ts";
import { gatewayDoorErrors } from "./errors.ts";
import { forward } from "./forward.ts";
import type { Incoming, RequestId } from "./message.ts";
import { turnAway } from "./refuse.ts";
import { isObject } from "./shapes.ts";
import { markState } from "./tool-call.ts";
import { internalError, rpcError, rpcResult, sendJson, type Visit } from "./visit.ts";

/** What an answer to a request of the server's is recorded as. */
const RESPONSE = "(response)";

/** Has a message judged, and does what the judge says. Resolves when it is answered and over. */
export async function decide(
  context: DoorContext,
  visit: Visit,
  admission: Admission,
  incoming: Incoming,
): Promise<void> {
  const method = incoming.kind === "response" ? RESPONSE : incoming.method;
  const sessionId = sessionOf(context, visit, admission, incoming);
  if (sessionId === undefined) {
    const unknown = gatewayDoorErrors.GATEWAY_SESSION_UNKNOWN();
    return turnAway(context, visit, admission, method, unknown, "(no session)");
  }
  if (incoming.kind === "request" && method === "initialize" && incoming.era === "session") {
    try {
      await context.gateway.openSession(admission);
    } catch (error) {
      return turnAway(context, visit, admission, method, error, "(sessions)");
    }
  }
  const asked = askedFor(visit, incoming, method, sessionId);
  let verdict: Verdict;
  try {
    verdict = await context.gateway.judge(admission, asked);
  } catch (error) {
    return unjudged(context, visit, incoming, error);
  }
  if (verdict.kind === "forward") {
    await forward(context, visit, admission, incoming, asked, verdict);
    if (method === "notifications/cancelled" && sessionId !== null) {
      const { params } = incoming.message;
      if (isObject(params)) context.watch.takeBack(admission, sessionId, params.requestId);
    }
    return;
  }
  if (incoming.kind === "request") return sendJson(visit, ...answerOf(incoming, verdict));
  const message = "message" in verdict ? verdict.message : "Refused.";
  sendJson(visit, 403, rpcError(null, CODES.invalidRequest, message));
}

/** The upstream's session of a message; null where there is none, undefined when its id is no session of this grant's. */
function sessionOf(
  { ids }: DoorContext,
  { request }: Visit,
  admission: Admission,
  incoming: Incoming,
): string | null | undefined {
  if (incoming.era === "stateless") return null;
  if (incoming.kind === "request" && incoming.method === "initialize") return null;
  const header = request.headers["mcp-session-id"];
  if (header === undefined) return null;
  return typeof header === "string" ? (ids.open(admission, header) ?? undefined) : undefined;
}

function askedFor(
  { requestId }: Visit,
  incoming: Incoming,
  method: string,
  sessionId: string | null,
): AskedFor {
  const call = incoming.kind === "request" ? incoming.call : null;
  return {
    requestId,
    method,
    tool: call === null ? null : call.tool,
    args: call === null ? null : call.args,
    sessionId,
    requestState: call === null ? null : call.ownState,
    opensUrls: call?.opensUrls ?? false,
  };
}

/** What a request gets that is not passed on: HTTP status and JSON text. Pure. */
function answerOf(
  { id, era }: Extract<Incoming, { kind: "request" }>,
  verdict: Exclude<Verdict, { kind: "forward" }>,
): readonly [number, string] {
  const stateless = era === "stateless";
  switch (verdict.kind) {
    case "answer": {
      const result = stateless ? { resultType: "complete", ...verdict.result } : verdict.result;
      return [200, rpcResult(id, JSON.stringify(result))];
    }
    case "replay":
      return [200, rpcResult(id, stateless ? completed(verdict.result) : verdict.result)];
    case "ask":
      return [200, rpcResult(id, JSON.stringify(question(verdict)))];
    case "refuse":
      return [200, rpcError(id, CODES.invalidRequest, verdict.message)];
    case "bad_state":
      return [400, rpcError(id, CODES.invalidParams, verdict.message)];
  }
}

/** The protocol's way to send a person to a page, in the midst of a call. */
const question = ({ approvalUrl, requestState, message }: Extract<Verdict, { kind: "ask" }>) => ({
  resultType: "input_required",
  inputRequests: {
    approval: { method: "elicitation/create", params: { mode: "url", message, url: approvalUrl } },
  },
  requestState: markState(requestState),
});

/** A kept result may be of a caller of an older revision. */
function completed(result: string): string {
  const value: unknown = JSON.parse(result);
  return isObject(value) && value.resultType === undefined
    ? JSON.stringify({ resultType: "complete", ...value })
    : result;
}

/** It could not be counted or recorded: then nothing is passed on. */
function unjudged({ log }: DoorContext, visit: Visit, incoming: Incoming, error: unknown): void {
  const { requestId } = visit;
  if (!(error instanceof AmbitError)) log.error({ err: error, requestId }, "a call could not be judged");
  const id: RequestId | null = incoming.kind === "request" ? incoming.id : null;
  const status =
    incoming.era === "session" && id !== null ? 200 : error instanceof AmbitError ? error.status : 500;
  const headers = error instanceof AmbitError ? error.headers : undefined;
  sendJson(visit, status, internalError(id, error, requestId), headers);
}
