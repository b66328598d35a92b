import { RULES } from "@ambit/policy";
import type { Admission } from "../../features/gateway/service.ts";
import { AmbitError } from "../../kernel/errors.ts";
import type { DoorContext } from "./context.ts";
import type { Malformed } from "./message.ts";
import { internalError, rpcError, sendAmbitError, sendJson, type Visit } from "./visit.ts";

/** Records a message that can't be judged, and answers it with a JSON-RPC error. */
export async function refuseMessage(
  context: DoorContext,
  visit: Visit,
  admission: Admission,
  { code, message, id, method }: Malformed,
  status: number,
): Promise<void> {
  const { requestId, request } = visit;
  const what = { requestId, method, outcome: "error", rule: RULES.malformed, message } as const;
  let text = rpcError(id, code, message);
  let told = status;
  try {
    await context.gateway.note(admission, what);
  } catch (error) {
    context.log.error({ err: error, requestId }, "a refusal could not be recorded");
    text = internalError(id, error, requestId);
    told = 503;
  }
  // What is still under way is let through unread, so that the answer can be sent.
  request.resume();
  sendJson(visit, told, text, request.complete ? undefined : { connection: "close" });
}

/** Records a request that is turned away for another reason than what it says, and answers it with an error of ours. */
export async function turnAway(
  context: DoorContext,
  visit: Visit,
  admission: Admission,
  method: string | null,
  error: unknown,
  rule: string,
): Promise<void> {
  const { requestId } = visit;
  const message = error instanceof AmbitError ? error.message : "Internal error";
  try {
    await context.gateway.note(admission, { requestId, method, outcome: "error", rule, message });
  } catch (unrecorded) {
    return sendAmbitError(visit, unrecorded, context);
  }
  sendAmbitError(visit, error, context);
}
