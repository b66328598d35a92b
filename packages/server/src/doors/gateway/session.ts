import { RULES } from "@ambit/policy";
import type { Admission } from "../../features/gateway/service.ts";
import { errors } from "../../kernel/errors.ts";
import type { DoorContext } from "./context.ts";
import { gatewayDoorErrors } from "./errors.ts";
import { eraOf, forwardedHeaders } from "./headers.ts";
import { Listening } from "./listening.ts";
import { turnAway } from "./refuse.ts";
import { sendAmbitError, sendEmpty, type Visit } from "./visit.ts";

/** What the opening of a stream, and the end of a session, are recorded as. */
const LISTEN = "(listen)";
const END = "(end)";

/** GET: what the server sends by itself in a session. Resolves when the stream is over. */
export async function serveGet(context: DoorContext, visit: Visit): Promise<void> {
  const found = await admitToSession(context, visit, LISTEN);
  if (found === null) return;
  const { admission, sessionId } = found;
  const header = visit.request.headers["last-event-id"];
  const lastEventId = typeof header === "string" ? context.ids.openEvent(admission, sessionId, header) : null;
  if (header !== undefined && lastEventId === null) {
    const unknown = errors.REQUEST_ERROR({ message: "Last-Event-ID names no event of this session." });
    return turnAway(context, visit, admission, LISTEN, unknown, RULES.malformed);
  }
  const grantId = admission.grant.id;
  try {
    context.streams.enter(grantId);
  } catch (error) {
    return turnAway(context, visit, admission, LISTEN, error, "(busy)");
  }
  try {
    if (await noted(context, visit, admission, LISTEN)) {
      await listen(context, visit, admission, sessionId, lastEventId);
    }
  } finally {
    context.streams.leave(grantId);
  }
}

/** DELETE: ends a session. */
export async function serveDelete(context: DoorContext, visit: Visit): Promise<void> {
  const found = await admitToSession(context, visit, END);
  if (found === null) return;
  const { admission, sessionId } = found;
  if (!(await noted(context, visit, admission, END))) return;
  const upstream = await context.servers.upstream(admission.server);
  await upstream.endSession(sessionId);
  sendEmpty(visit, 204);
}

/** The session that a request without a body names; null when there is none, and that has been recorded and answered. */
async function admitToSession(
  context: DoorContext,
  visit: Visit,
  method: string,
): Promise<{ readonly admission: Admission; readonly sessionId: string } | null> {
  const { request, target, ip } = visit;
  const { headers } = request;
  const admission = await context.gateway.admit(headers.authorization, target.serverRef, ip);
  const header = headers["mcp-session-id"];
  const none =
    typeof header !== "string" ||
    admission.server.transport === "builtin" ||
    eraOf(undefined, headers, false) === "stateless";
  if (none || admission.policy === null) {
    const rule = none ? "(no session)" : RULES.noPolicy;
    await turnAway(context, visit, admission, method, notAllowed(), rule);
    return null;
  }
  const sessionId = context.ids.open(admission, header);
  if (sessionId !== null) return { admission, sessionId };
  const unknown = gatewayDoorErrors.GATEWAY_SESSION_UNKNOWN();
  await turnAway(context, visit, admission, method, unknown, "(no session)");
  return null;
}

/** Records it; false when that could not be done, which has been answered then. */
async function noted(
  context: DoorContext,
  visit: Visit,
  admission: Admission,
  method: string,
): Promise<boolean> {
  const { requestId } = visit;
  try {
    await context.gateway.note(admission, { requestId, method, outcome: "allow", rule: "", message: null });
    return true;
  } catch (error) {
    sendAmbitError(visit, error, context);
    return false;
  }
}

async function listen(
  context: DoorContext,
  visit: Visit,
  admission: Admission,
  sessionId: string,
  lastEventId: string | null,
): Promise<void> {
  const upstream = await context.servers.upstream(admission.server);
  await new Promise<void>((resolve) => {
    const listening = new Listening(context, visit, admission, sessionId, () => {
      context.watch.remove(listening);
      resolve();
    });
    context.watch.add(listening);
    const headers = forwardedHeaders(visit.request.headers, "session");
    upstream.listen({ sessionId, headers, lastEventId, signal: listening.signal }, listening);
  });
}

export const notAllowed = () => gatewayDoorErrors.GATEWAY_METHOD_NOT_ALLOWED({ headers: { allow: "POST" } });
