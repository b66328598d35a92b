import { z } from "zod";
import type { JsonObject } from "../../features/ledger/service.ts";
import type { SubstrateService } from "../../features/substrate/service.ts";
import type { SubstrateLinksService } from "../../features/substrate-links/service.ts";
import type { SubstrateStreamService } from "../../features/substrate-stream/service.ts";
import { AmbitError, errors } from "../../kernel/errors.ts";
import { newUuid } from "../../kernel/ids.ts";
import { limits as kernelLimits } from "../../kernel/limits.ts";
import type { AnyOperation, App, PlatformOperation } from "../../kernel/operation.ts";
import { inputProblem } from "../../kernel/plain-input.ts";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import { type Authority, proposerOf } from "./authority.ts";

export interface SubstrateDeps {
  readonly links: Pick<SubstrateLinksService, "readerOfApp">;
  readonly substrate: Pick<SubstrateService, "propose">;
  readonly stream: Pick<SubstrateStreamService, "mintTicket">;
  /** Every operation there is: what code reads is what the same operation gives a key of its app. */
  operations(): readonly AnyOperation[];
}

/** The operation behind a way to read, and what of its answer code is given. */
interface Read {
  /** Of the tool `manage_substrate`. */
  readonly action: string;
  /** The field of the answer that has the rows; or, for one row, the argument that takes its id. */
  readonly rows?: string;
  readonly id?: string;
}

const READS = {
  "entities/find": { action: "find_entities", rows: "entities" },
  "entities/get": { action: "get_entity", id: "entity_id" },
  "memory/search": { action: "search_memory", rows: "results" },
  "memory/list": { action: "list_memory", rows: "results" },
  "source-artifacts/list": { action: "list_source_artifacts", rows: "source_artifacts" },
  "source-artifacts/get": { action: "get_source_artifact", id: "artifact_id" },
  "actions/list": { action: "list_actions", rows: "actions" },
  "actions/get": { action: "get_action", id: "action_id" },
} as const satisfies Record<string, Read>;

export type SubstrateVerb = keyof typeof READS | "propose" | "ws-ticket";

export const isSubstrateVerb = (text: string): text is SubstrateVerb =>
  text === "propose" || text === "ws-ticket" || Object.hasOwn(READS, text);

export interface SubstrateQuestion {
  readonly app: App;
  readonly authority: Authority;
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

/**
 * Answers what the code of a linked app asks of its organisation's substrate. It reads what the link lets the app
 * read, and writes as itself, whoever called it. Throws SUBSTRATE_NOT_LINKED.
 */
export async function askSubstrate(
  deps: SubstrateDeps,
  asked: SubstrateQuestion,
  verb: SubstrateVerb,
  question: Record<string, unknown>,
): Promise<object> {
  const { app } = asked;
  const { organizationId } = await deps.links.readerOfApp(app.id);
  if (verb === "ws-ticket") {
    const { ticket, expiresInS } = await deps.stream.mintTicket(
      { kind: "app", appId: app.id },
      organizationId,
    );
    return { ticket, expires_in: expiresInS };
  }
  if (verb === "propose") return propose(deps, asked, organizationId, question);
  return read(deps, asked, organizationId, READS[verb], question);
}

async function propose(
  deps: SubstrateDeps,
  { app, authority, nowMs }: SubstrateQuestion,
  organizationId: string,
  question: Record<string, unknown>,
): Promise<object> {
  const input = inputFor(operation(deps, "propose"), question);
  return deps.substrate.propose(
    proposerOf(authority, app),
    {
      organizationId,
      capability: input.capability as string,
      payload: input.payload as JsonObject,
      idempotencyKey: (input.idempotency_key as string | undefined) ?? null,
      triggerContext: typeof question.trigger_context === "string" ? question.trigger_context : null,
    },
    nowMs,
  );
}

async function read(
  deps: SubstrateDeps,
  { app, nowMs, signal }: SubstrateQuestion,
  organizationId: string,
  { action, rows, id }: Read,
  question: Record<string, unknown>,
): Promise<object> {
  const found = operation(deps, action);
  const given = id === undefined ? question : { ...question, [found.mcp?.rename?.[id] ?? id]: question.id };
  const input = inputFor(found, given);
  const call = {
    principal: keyOfApp(app, organizationId),
    ...{ door: "internal" as const, requestId: newUuid(), ip: "", userAgent: "", nowMs, signal },
  };
  try {
    const output = await found.run(call, input as never);
    return rows === undefined ? { row: output } : { rows: (output as Record<string, unknown>)[rows] };
  } catch (error) {
    if (id !== undefined && error instanceof AmbitError && error.code === "RESOURCE_NOT_FOUND")
      return { row: null };
    throw error;
  }
}

/** What code reads as: an agent's key that is bound to its app and reads the substrate. */
const keyOfApp = (app: App, organizationId: string): KeyPrincipal => ({
  ...{ kind: "key", keyId: app.id, keyKind: "agent", accountId: "", organizationId, role: "viewer" },
  ...{ scopes: [`app:${app.id}`, "substrate", "read"], expiresAtMs: null },
});

// biome-ignore lint/suspicious/noExplicitAny: found by name, whatever it takes and gives
function operation(deps: SubstrateDeps, action: string): PlatformOperation<any, any> {
  const found = deps
    .operations()
    .find(({ mcp }) => mcp?.tool === "manage_substrate" && mcp.action === action);
  if (found === undefined || found.scope !== "platform") throw new Error(`There is no operation ${action}.`);
  return found;
}

function inputFor({ input }: AnyOperation, question: Record<string, unknown>): Record<string, unknown> {
  const problem = inputProblem(question, kernelLimits.inputDepth + 1);
  if (problem !== null) throw errors.VALIDATION_INVALID_SCHEMA({ message: problem });
  const parsed = input.safeParse(question);
  if (parsed.success) return parsed.data as Record<string, unknown>;
  throw errors.VALIDATION_INVALID_SCHEMA({
    message: z.prettifyError(parsed.error),
    details: parsed.error.issues.map(({ path, message, code }: z.core.$ZodIssue) => ({
      ...{ path: path.join("."), message, code },
    })),
  });
}
