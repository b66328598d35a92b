import type { Platform } from "../../engines/platform.ts";
import type { Proposer, SubstrateService } from "../substrate/service.ts";

import type { RuleRow } from "./rule-store.ts";
import type { Sources } from "./search.ts";

/** What rules look at, and where they propose. */
export interface RuleDependencies extends Sources {
  readonly substrate: Pick<SubstrateService, "propose" | "preview">;
}

export interface RuleContext extends RuleDependencies {
  readonly platform: Platform;
}

/**
 * Who proposes when a rule fires. The member who changed the rule last answers for it: where four eyes are asked for,
 * somebody else decides.
 */
export const proposerOf = (rule: Pick<RuleRow, "id" | "name" | "updated_by">): Proposer => ({
  kind: "rule",
  id: rule.id,
  accountId: rule.updated_by,
  label: rule.name,
  sourceAppId: null,
  sourceRuleId: rule.id,
});

/** The beginning of the day (UTC) an instant is in. */
export const dayOf = (nowMs: number): Date => new Date(nowMs - (nowMs % 86_400_000));
