import type { Platform } from "../../engines/platform.ts";
import type { Answer } from "../../engines/workerd/types.ts";
import { type FunctionCall, type FunctionCalls, ofAmbit } from "./calls.ts";
import type { FunctionRoute } from "./catalogue.ts";
import { claimEvent, releaseEvent, settleEvent } from "./claims-store.ts";
import { openWebhookSecret } from "./env.ts";
import { functionErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { type Delivery, verifyWebhook } from "./signatures.ts";

/** A request for a webhook as it came, its body whole. */
export interface WebhookRequest extends Pick<FunctionCall, "headers" | "path" | "ip"> {
  readonly route: FunctionRoute;
  readonly parsed: Delivery["headers"];
  readonly body: Buffer;
}

/** The function's answer, or null for an event that was handled before. */
export type WebhookAnswer = (Answer & { readonly requestId: string }) | null;

/**
 * Verifies a webhook and runs its function once per event. The event is claimed before the function runs, and let go
 * when it fails, so that the sender's next try is taken.
 * @throws FUNCTION_NOT_FOUND, WEBHOOK_SIGNATURE_INVALID, FUNCTION_EVENT_IN_PROGRESS, and what calls throw
 */
export async function runWebhook(
  { database, secrets, clock }: Platform,
  calls: FunctionCalls,
  request: WebhookRequest,
): Promise<WebhookAnswer> {
  const { route, body } = request;
  if (route.webhook === null) throw functionErrors.FUNCTION_NOT_FOUND();
  const { settings, sealedSecret } = route.webhook;
  const verified = verifyWebhook(
    {
      provider: settings.provider,
      secret: openWebhookSecret(secrets, route.id, sealedSecret),
      signatureHeader: settings.signature_header,
      idempotencyKeyHeader: settings.idempotency_key_header,
    },
    { headers: request.parsed, body, nowMs: clock() },
  );
  if (verified === null) throw functionErrors.WEBHOOK_SIGNATURE_INVALID();
  const { eventId, rememberMs } = verified;
  const now = clock();
  const givenUpAt = new Date(now + route.timeoutMs + limits.claimSlackMs);
  const standing = await claimEvent(database, route.id, eventId, new Date(now), givenUpAt);
  if (standing === "handled") return null;
  if (standing === "in_progress") {
    throw functionErrors.FUNCTION_EVENT_IN_PROGRESS({ headers: { "Retry-After": "60" } });
  }
  let answer: NonNullable<WebhookAnswer>;
  try {
    answer = await calls.run({
      ...ofAmbit,
      route,
      trigger: "webhook",
      verbose: false,
      ip: request.ip,
      path: request.path,
      headers: request.headers,
      body,
    });
  } catch (error) {
    await releaseEvent(database, route.id, eventId);
    throw error;
  }
  try {
    if (answer.status >= 500) await releaseEvent(database, route.id, eventId);
    else await settleEvent(database, route.id, eventId, new Date(clock() + rememberMs));
  } catch (error) {
    answer.body.destroy();
    throw error;
  }
  return answer;
}
