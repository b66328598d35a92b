import type { AuditEntry } from "../../kernel/pipeline.ts";
import { inputProblem } from "../../kernel/plain-input.ts";
import type { Json, JsonObject, LedgerActor, LedgerDraft } from "../ledger/service.ts";
import { limits } from "./limits.ts";

/** How the audit log's actors are called in the ledger. */
const ACTOR_TYPES: Readonly<Record<string, LedgerActor["type"]>> = {
  platform_user: "person",
  api_key: "agent",
  grant: "grant",
  app_user: "user",
  anonymous: "anonymous",
};

/**
 * The ledger's entry about a line of the audit log with this id. Whatever a caller wrote, and where it called from, is
 * sealed: a resource's name can be someone's address. Pure.
 */
export function ledgerEntryOf(entry: AuditEntry, id: string): LedgerDraft {
  const code = (entry.eventData as { code?: unknown } | null)?.code;
  return {
    kind: `audit.${entry.eventType}`,
    organizationId: entry.organizationId,
    appId: entry.appId,
    actor: { type: ACTOR_TYPES[entry.actorType] ?? "system", id: entry.actorId },
    subject: id,
    data: {
      ...{ category: entry.category, action: entry.action, resource_type: entry.resourceType },
      ...{ success: entry.success, code: typeof code === "string" ? code : null },
      request_id: entry.requestId,
    },
    sealed: {
      event_data: sealable(entry.eventData),
      ip: entry.ip,
      user_agent: entry.userAgent,
      ...present("resource_id", entry.resourceId),
      ...present("error_message", entry.errorMessage),
    },
  };
}

const present = (name: string, value: string | null): JsonObject => (value === null ? {} : { [name]: value });

/** What JSON makes of a value; as a text where it is nested deeper than the ledger takes. */
function sealable(value: unknown): Json {
  const text = JSON.stringify(value) ?? "null";
  return inputProblem(value, limits.ledgerDepth) === null ? (JSON.parse(text) as Json) : text;
}
