import { z } from "zod";
import { type AnyOperation, appOperation } from "../../../kernel/operation.ts";
import { limits } from "./limits.ts";
import type { RulesService } from "./rule-service.ts";
import type { StoredRule } from "./rule-store.ts";

const appId = z.string().describe("The app; list_apps shows the ids");
const pattern = z
  .string()
  .min(1)
  .max(limits.patternChars)
  .describe("A name, or the beginning of names and a *, e.g. room:*");
const condition = z.string().min(1).max(limits.expressionChars);

const ruleShape = z.object({
  pattern: z.string(),
  receive: z.string(),
  send: z.string(),
  created_at: z.string(),
  updated_at: z.string(),
});

const shown = (rule: StoredRule) => ({
  pattern: rule.pattern,
  receive: rule.receive.expression,
  send: rule.send.expression,
  created_at: rule.createdAt.toISOString(),
  updated_at: rule.updatedAt.toISOString(),
});

/** The operations on the rules of rooms and channels. */
export function ruleOperations(rules: RulesService): AnyOperation[] {
  return [listRules(rules), putRule(rules), deleteRule(rules)];
}

const listRules = (rules: RulesService) =>
  appOperation({
    name: "realtime.rules.list",
    title: "List rules of rooms and channels",
    summary: "Who may hear and say what in which rooms and channels: every rule of the app, by pattern.",
    input: z.object({ app_id: appId }),
    output: z.object({ rules: z.array(ruleShape) }),
    right: "view",
    risk: "read",
    idempotent: true,
    http: { method: "GET", path: "/v1/:app_id/realtime/rules" },
    mcp: { tool: "manage_realtime", action: "list_rules", aliases: ["list_realtime_rules"] },
    async run({ app }) {
      return { rules: (await rules.list(app.id)).map(shown) };
    },
  });

const audited = (action: "update" | "delete") => ({
  category: "admin" as const,
  action,
  resourceType: "realtime_rule",
  resourceId: (input: { pattern: string }) => input.pattern,
});

const putRule = (rules: RulesService) =>
  appOperation({
    name: "realtime.rules.put",
    title: "Set a rule of rooms and channels",
    summary:
      "Decides who may be in (receive) and who may send to and show themselves in (send) the rooms and channels whose names match the pattern; the longest matching pattern counts. SQL conditions as in policies, where channel is the full name, e.g. exists (select 1 from members where room = split_part(channel, ':', 2) and user_id = current_user_id()::uuid). Names that begin with private: are closed without a rule, all others open. Whoever may no longer be in is taken out.",
    input: z.object({
      app_id: appId,
      pattern,
      receive: condition.describe("SQL condition on being in: hearing broadcasts, seeing who is there"),
      send: condition.describe("SQL condition on sending broadcasts and showing oneself"),
    }),
    output: z.object({ rule: ruleShape, warnings: z.array(z.string()).optional() }),
    right: "develop",
    risk: "write",
    overwrites: true,
    idempotent: true,
    errors: [
      "REALTIME_RULE_UNSAFE",
      "REALTIME_RULE_INVALID",
      "REALTIME_PATTERN_INVALID",
      "QUOTA_REALTIME_RULES",
    ],
    audit: audited("update"),
    http: { method: "PUT", path: "/v1/:app_id/realtime/rules" },
    mcp: { tool: "manage_realtime", action: "put_rule", aliases: ["put_realtime_rule"] },
    async run({ app }, { pattern, receive, send }) {
      const { rule, warnings } = await rules.put(app.id, { pattern, receive, send });
      return { rule: shown(rule), ...(warnings.length === 0 ? {} : { warnings }) };
    },
  });

const deleteRule = (rules: RulesService) =>
  appOperation({
    name: "realtime.rules.delete",
    title: "Delete a rule of rooms and channels",
    summary:
      "Names it matched follow the next longest pattern; without one they are open to every connection of the app, or closed if they begin with private:.",
    input: z.object({ app_id: appId, pattern }),
    output: z.object({ pattern: z.string(), status: z.literal("deleted") }),
    right: "develop",
    risk: "destructive",
    idempotent: false,
    errors: ["REALTIME_RULE_NOT_FOUND"],
    audit: audited("delete"),
    http: { method: "DELETE", path: "/v1/:app_id/realtime/rules/:pattern" },
    mcp: { tool: "manage_realtime", action: "delete_rule", aliases: ["delete_realtime_rule"] },
    async run({ app }, { pattern }) {
      await rules.delete(app.id, pattern);
      return { pattern, status: "deleted" as const };
    },
  });
