import { createHash } from "node:crypto";
import { canonicalText, LedgerError } from "@ambit/ledger";
import { z } from "zod";
import type { Platform } from "../../engines/platform.ts";
import { errors } from "../../kernel/errors.ts";
import { schemaOf } from "../../kernel/operation-schema.ts";
import type { JsonObject } from "../ledger/service.ts";
import type { MemoryService } from "../memory/service.ts";
import { CAPABILITIES, type Capability } from "./capabilities.ts";
import { substrateErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { principleProblems } from "./principles.ts";
import type { Proposal } from "./types.ts";

const actionId = z.string().min(1).max(64);
/** One line: whoever makes headers of a mail of it must not be led to more of them. */
const line = z
  .string()
  .trim()
  .min(1)
  .max(limits.lineChars)
  .regex(/^[^\p{Cc}\u2028\u2029]*$/u, "must be one line, without control characters");
const text = z.string().max(limits.textChars);

/** Payloads of the capabilities that don't write the memory; the memory reads its own. */
const OWN = {
  revert_action: z.object({ action_id: actionId.describe("The action to undo") }),
  bulk_revert_actions: z.object({
    action_ids: z
      .array(actionId)
      .min(1)
      .max(limits.actionsAtOnce)
      .refine((ids) => new Set(ids).size === ids.length, "each action once")
      .describe("The actions to undo, in any order"),
    reason: z.string().trim().min(1).max(limits.reasonChars),
  }),
  send_email_draft: z.object({
    to: z.union([line, z.array(line).min(1).max(limits.recipients)]),
    subject: line,
    body: text,
    target_role: line.optional(),
  }),
  place_call: z.object({
    to: line,
    purpose: z.string().trim().min(1).max(limits.reasonChars),
    script: text.optional(),
    target_role: line.optional(),
  }),
} satisfies Readonly<Record<string, z.ZodObject>>;

export type OwnCapability = keyof typeof OWN;
export type OwnPayload<C extends OwnCapability> = z.infer<(typeof OWN)[C]>;

export const isOwn = (name: string): name is OwnCapability => Object.hasOwn(OWN, name);

const SUMMARIES: Readonly<Record<OwnCapability, string>> = {
  revert_action: "Undoes an action; refused, with the reason, when later actions have built on it.",
  bulk_revert_actions:
    "Undoes several actions in an order that works; what can't be undone stays, with its reason.",
  send_email_draft: "Hands an e-mail to the webhooks registered for it.",
  place_call: "Hands a call to the webhooks registered for it.",
};

/** What a capability is for and what it takes, for those who fill it in. */
export function payloadForm(
  memory: MemoryService,
  name: string,
): { summary: string; payload_schema: JsonObject } {
  if (isOwn(name)) return { summary: SUMMARIES[name], payload_schema: schemaOf(OWN[name]) as JsonObject };
  const { summary, payloadSchema } = memory.capabilities.get(name)!;
  return { summary, payload_schema: payloadSchema };
}

/** A proposal's capability and its payload as it is stored. */
export interface ParsedProposal {
  readonly capability: Capability;
  readonly payload: JsonObject;
}

/** Reads a payload as its capability defines it. Throws CAPABILITY_UNKNOWN, VALIDATION_INVALID_SCHEMA. */
export function parsePayload(memory: MemoryService, name: string, payload: JsonObject): ParsedProposal {
  const capability = CAPABILITIES.get(name);
  if (capability === undefined) {
    throw substrateErrors.CAPABILITY_UNKNOWN({
      message: `There is no capability ${JSON.stringify(name.slice(0, 80))}.`,
      details: { capabilities: [...CAPABILITIES.keys()] },
    });
  }
  if (isOwn(name)) return { capability, payload: parseOwn(name, payload) };
  const parsed = memory.capabilities.get(name)!.parse(payload);
  if (capability.governs) refuseUncomputable(parsed);
  return { capability, payload: parsed };
}

function parseOwn(name: OwnCapability, payload: JsonObject): JsonObject {
  const read = OWN[name].safeParse(payload);
  if (read.success) return read.data as JsonObject;
  throw errors.VALIDATION_INVALID_SCHEMA({
    message: `The payload of ${name} is not valid: ${z.prettifyError(read.error)}`,
    details: read.error.issues.map(({ path, message, code }) => ({ path: path.join("."), message, code })),
  });
}

/** A principle nobody can compute would stand in the way of everything it may be about. */
function refuseUncomputable({ applies_to: appliesTo, constraint_spec: constraint }: JsonObject): void {
  const problems = principleProblems({
    appliesTo: appliesTo as JsonObject | undefined,
    constraint: constraint as JsonObject | undefined,
  });
  if (problems.length === 0) return;
  throw errors.VALIDATION_INVALID_SCHEMA({
    message: problems.map(({ path, message }) => `${path}: ${message}`).join("\n"),
    details: problems,
    remediation: "Topic substrate of the documentation lists the constraint types with their parameters.",
  });
}

/**
 * What tells whether two proposals are the same: a keyed hash of the canonical capability and payload, as they were
 * sent. Throws PROPOSAL_TOO_LARGE, VALIDATION_INVALID_SCHEMA.
 */
export function payloadHash({ secrets, metrics }: Platform, proposal: Proposal): string {
  const { organizationId, capability, payload } = proposal;
  let canonical: string;
  try {
    canonical = canonicalText({ capability, payload });
  } catch (error) {
    if (!(error instanceof LedgerError)) throw error;
    throw errors.VALIDATION_INVALID_SCHEMA({
      message: `The payload is not JSON: ${error.message}`,
      cause: error,
    });
  }
  if (Buffer.byteLength(canonical) > limits.payloadBytes) {
    metrics.limitsHit.inc({ limit: "substrate_payload_bytes" });
    throw substrateErrors.PROPOSAL_TOO_LARGE();
  }
  const digest = createHash("sha256").update(canonical).digest("hex");
  return secrets.derive("substrate-payload", `${organizationId} ${digest}`);
}
