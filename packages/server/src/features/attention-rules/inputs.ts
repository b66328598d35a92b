import { z } from "zod";
import { limits } from "./limits.ts";
import type { RuleChange } from "./service.ts";
import { CONDITION_MODES } from "./types.ts";

/** In a query, only words that say yes or no. */
export const yesOrNo = z.union([
  z.boolean(),
  z.enum(["true", "false", "1", "0"]).transform((word) => word === "true" || word === "1"),
]);

export const rule_id = z.string().max(80).describe("The rule's id, rule_…");

/** The fields of a rule as callers send them. */
export const ruleFields = {
  name: z.string().trim().min(1).max(limits.nameChars).describe("What the rule is for"),
  description: z.string().max(limits.descriptionChars).nullish(),
  trigger_cron: z
    .string()
    .trim()
    .min(1)
    .max(limits.cronChars)
    .describe("When to look: five cron fields, UTC, e.g. 0 9 * * 1-5"),
  condition_mode: z
    .enum(CONDITION_MODES)
    .describe("snapshot_predicate looks at today's counts, row_query at records"),
  condition: z
    .union([z.record(z.string(), z.unknown()), z.boolean()])
    .describe(
      'JSON-Logic, or for row_query {"from": "entities|decisions|commitments|learnings|source_artifacts", "where": JSON-Logic, "type"?, "status"?, "limit"?}',
    ),
  action_capability: z.string().min(1).max(limits.capabilityChars).describe("What to propose"),
  action_payload_template: z
    .record(z.string(), z.unknown())
    .describe("The payload; {{name}} and {{a.b}} in its texts are filled in per match"),
  max_fires_per_day: z
    .number()
    .int()
    .min(1)
    .max(limits.maxFiresPerDay)
    .nullish()
    .describe("Proposals per day (UTC) at most"),
};

/** The fields that were sent, as the service takes them. */
export function changeFrom(input: Partial<z.infer<z.ZodObject<typeof ruleFields>>>): RuleChange {
  const sent = Object.entries(input).filter(([name, value]) => name in ruleFields && value !== undefined);
  return Object.fromEntries(sent) as RuleChange;
}
