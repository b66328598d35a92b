import { z } from "zod";
import { limits } from "./limits.ts";
import type { DecisionFilter, StoredDecision } from "./log.ts";
import type { EndedRow } from "./store.ts";
import { SKIPPED } from "./tally.ts";
import { DECISION_OUTCOMES } from "./types.ts";

const instant = z.iso.datetime({ offset: true, local: true }).or(z.iso.date());
/** A time without an offset is UTC. */
export const msOf = (iso: string): number =>
  Date.parse(/T.*(Z|[+-]\d\d:?\d\d)$/i.test(iso) || !iso.includes("T") ? iso : `${iso}Z`);

export const serverRef = z
  .string()
  .regex(
    /^(ambit|ambit-verbs|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$/,
    "must be a server's UUID, ambit or ambit-verbs",
  )
  .describe("The server: its UUID, or ambit or ambit-verbs for Ambit's own tools");
const id = z.string().min(1).max(limits.idChars);

export const times = {
  from: instant.optional().describe("Not before this ISO time"),
  to: instant.optional().describe("Not after this ISO time"),
};
export const grantId = id.optional().describe("Only calls of this grant");

export const filterFields = {
  server_id: serverRef.optional(),
  grant_id: grantId,
  tool: z
    .string()
    .min(1)
    .max(limits.toolChars)
    .optional()
    .describe("Only calls of the tool with exactly this name"),
  outcome: z.enum(DECISION_OUTCOMES).optional(),
  ...times,
  before: id.optional().describe("next_before of the page before"),
};

/** The times of a question as they bound it. */
export const between = ({ from, to }: { from?: string | undefined; to?: string | undefined }) => ({
  fromMs: from === undefined ? undefined : msOf(from),
  toMs: to === undefined ? undefined : msOf(to) + 1,
});

export function filterOf(input: {
  grant_id?: string | undefined;
  tool?: string | undefined;
  outcome?: DecisionFilter["outcome"] | undefined;
  from?: string | undefined;
  to?: string | undefined;
}): Omit<DecisionFilter, "serverId"> {
  const { grant_id = null, tool = null, outcome = null } = input;
  return { grantId: grant_id, tool, outcome, ...between(input) };
}

export const decisionShape = z.object({
  decision_id: z.string().describe("Its entry in the ledger"),
  at: z.string().describe("ISO 8601"),
  request_id: z.string(),
  grant_id: z.string(),
  grant_label: z.string().nullable().describe("Null when the grant is gone with its server"),
  server_id: z.string(),
  method: z.string().nullable().describe("JSON-RPC method; null for what could not be read"),
  tool: z.string().nullable(),
  policy_id: z.string().nullable(),
  policy_version: z.number().int().nullable(),
  outcome: z.enum(DECISION_OUTCOMES),
  rule: z.string().describe("What it rests on; empty for allow"),
  message: z.string().nullable(),
  argument_keys: z
    .array(z.string())
    .nullable()
    .describe("Top-level names of arguments, sorted; never values"),
  approval_id: z.string().nullable(),
  upstream_status: z.number().int().nullable().describe("HTTP status the call ended with; 0: there was none"),
  latency_ms: z.number().nullable(),
  problem: z.string().nullable().describe("isError, an error's code, or how the call failed"),
});
export type DecisionView = z.infer<typeof decisionShape>;

export const decisionView = (
  decision: StoredDecision,
  label: string | null,
  ended: EndedRow | undefined,
): DecisionView => ({
  ...{ decision_id: decision.id, at: decision.at, request_id: decision.requestId },
  ...{ grant_id: decision.grantId, grant_label: label, server_id: decision.serverId },
  ...{ method: decision.method, tool: decision.tool },
  ...{ policy_id: decision.policyId, policy_version: decision.policyVersion },
  ...{ outcome: decision.outcome, rule: decision.rule, message: decision.message },
  argument_keys: decision.argumentKeys === null ? null : [...decision.argumentKeys],
  approval_id: decision.approvalId,
  upstream_status: ended?.status ?? null,
  latency_ms: ended?.latency_ms ?? null,
  problem: ended?.problem ?? null,
});

const found = z.object({ outcome: z.string(), rule: z.string(), message: z.string().nullable() });

export const documentField = z.unknown().meta({
  anyOf: [{ type: "object" }, { type: "string" }],
  description: 'A policy document, version "1": a JSON object, or its text',
});
export const neededDocument = documentField
  .refine((value) => value !== undefined, "is required")
  .meta({
    anyOf: [{ type: "object" }, { type: "string" }],
    description: 'The policy document to try out, version "1": a JSON object, or its text',
  });

export const callShape = z.object({
  tool: z.string().min(1).max(limits.toolChars),
  arguments: z.record(z.string(), z.unknown()).default({}),
  at: instant.optional().describe("When it is made, ISO 8601; default now"),
  grant_id: id
    .optional()
    .describe("Whose call it is; with it, what the grant's present policy says is told too"),
  session_id: id.optional().describe("For limits of the scope session"),
});

const skippedShape = z.object(Object.fromEntries(SKIPPED.map((why) => [why, z.number().int()])));

export const judgedShape = z.object({
  judged: z.number().int().describe("Decisions or calls that were judged"),
  changed: z
    .array(
      z.object({
        decision_id: z.string().nullable().describe("Null for given calls"),
        index: z.number().int().optional().describe("Which of the given calls"),
        before: found,
        after: found,
      }),
    )
    .describe(`Those whose outcome is another, at most ${limits.told}; summary.changed counts all`),
  results: z
    .array(found.extend({ before: found.nullable() }))
    .optional()
    .describe("What became of each given call; before: by the grant's present policy"),
  summary: z.object({
    judged: z.number().int(),
    same: z.number().int(),
    changed: z.number().int(),
    undecidable: z.number().int().describe("Depend on values of arguments that are not known"),
    undecidable_decisions: z.array(z.string()).describe(`Their ids, at most ${limits.told}`),
    outcomes: z
      .array(z.object({ before: z.string().nullable(), after: z.string(), count: z.number().int() }))
      .describe("How often an outcome became another, or stayed"),
    skipped: skippedShape.describe("Decisions a policy can't make again, by reason"),
    values: z.enum(["unused", "used", "needed"]).describe("Whether kept values of arguments were used"),
    from: z.string().nullable().describe("The time judging began at, ISO 8601"),
    judged_until: z.string().nullable().describe("The time of the last decision that was looked at"),
    truncated: z.boolean().describe("There are more decisions after judged_until; go on with from"),
  }),
});
