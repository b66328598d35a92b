import { RULES } from "@ambit/policy";
import type { Admission } from "../../features/gateway/service.ts";
import { AmbitError, errors } from "../../kernel/errors.ts";
import { announcesJson, discardBody, readBody } from "./body.ts";
import { CODES } from "./codes.ts";
import type { DoorContext } from "./context.ts";
import { decide } from "./decide.ts";
import { gatewayDoorErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { type Incoming, type Malformed, readMessage } from "./message.ts";
import { refuseMessage, turnAway } from "./refuse.ts";
import type { Visit } from "./visit.ts";

/** One message of a client, from its head to its answer. Resolves when it is over, rejects with what `admit` throws. */
export async function servePost(context: DoorContext, visit: Visit): Promise<void> {
  const { request, target, ip } = visit;
  const admission = await context.gateway.admit(request.headers.authorization, target.serverRef, ip);
  const grantId = admission.grant.id;
  if (target.verbs && admission.server.face !== "verbs") {
    // The policy of the other tools was never asked about these.
    return turnAway(context, visit, admission, null, notTheseTools(), RULES.malformed);
  }
  if (!context.requests.enter(grantId)) {
    context.metrics.limitsHit.inc({ limit: "gateway_requests_per_grant" });
    const busy = gatewayDoorErrors.GATEWAY_REQUESTS_BUSY({ headers: { "Retry-After": "1" } });
    return turnAway(context, visit, admission, null, busy, "(busy)");
  }
  let leave = () => context.requests.leave(grantId);
  try {
    const incoming = await receive(context, visit, admission);
    if (incoming === null) return;
    if (incoming.kind === "request" && incoming.method === "subscriptions/listen") {
      context.streams.enter(grantId);
      leave();
      leave = () => context.streams.leave(grantId);
    }
    await decide(context, visit, admission, incoming);
  } catch (error) {
    const rule = error instanceof AmbitError ? "(busy)" : "(error)";
    await turnAway(context, visit, admission, null, error, rule);
  } finally {
    leave();
  }
}

/** The message; null when there was none to judge, and that has been recorded and answered. */
async function receive(context: DoorContext, visit: Visit, admission: Admission): Promise<Incoming | null> {
  const { request } = visit;
  const refuse = async (malformed: Malformed, status: number) => {
    await refuseMessage(context, visit, admission, malformed, status);
    return null;
  };
  if (!announcesJson(request)) return refuse(without("Content-Type must be application/json"), 415);
  const body = await readBody(request, context.held, admission.grant.id);
  if ("problem" in body) {
    switch (body.problem) {
      case "too_large":
        context.metrics.limitsHit.inc({ limit: "gateway_body_bytes" });
        await discardBody(request);
        return refuse(without(`a message may have ${limits.bodyBytes} bytes`), 413);
      case "not_utf8":
        return refuse({ ...without("the body is not UTF-8"), code: CODES.parse }, 400);
      case "gone":
        return refuse(without("the body is cut short"), 400);
    }
  }
  const incoming = readMessage(body.text, request.headers);
  if (incoming.kind === "malformed") return refuse(incoming, 400);
  if (incoming.kind !== "request" || incoming.call === null || incoming.era !== "stateless") return incoming;
  const { headers } = request;
  const checked = context.repeated.problem(admission.server, { call: incoming.call, headers });
  const problem = checked instanceof Promise ? await checked : checked;
  if (problem === null) return incoming;
  const { id, method } = incoming;
  return refuse({ kind: "malformed", code: CODES.headerMismatch, message: problem, id, method }, 400);
}

const notTheseTools = () =>
  errors.REQUEST_ERROR({
    message: "The grant is not for the tools that ?tools=verbs names.",
    remediation: "Leave the query out, or use a grant for the server with one tool per operation.",
  });

const without = (why: string): Malformed => ({
  kind: "malformed",
  code: CODES.invalidRequest,
  message: `Invalid Request: ${why}`,
  id: null,
  method: null,
});
