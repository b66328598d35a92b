import type { Platform } from "../../engines/platform.ts";
import type { Feature } from "../../kernel/operation.ts";
import type { RuleDependencies } from "./context.ts";
import { ruleErrors } from "./errors.ts";
import { ruleReadOperations } from "./operations.ts";
import { type AttentionRulesService, createAttentionRulesService } from "./service.ts";
import { ruleWriteOperations } from "./write-operations.ts";

/** Attention rules: on a schedule, look at what the organisation knows, and propose something for what is found. */
export function createAttentionRules(
  platform: Platform,
  { substrate, snapshots, memory }: RuleDependencies,
): { feature: Feature; service: AttentionRulesService } {
  const service = createAttentionRulesService({ platform, substrate, snapshots, memory });
  const feature: Feature = {
    name: "attention_rules",
    operations: [...ruleReadOperations(service), ...ruleWriteOperations(service)],
    errors: ruleErrors.entries,
    tools: [
      {
        name: "manage_attention_rules",
        title: "Manage attention rules",
        description:
          "Rules that look at the organisation's memory on a schedule and propose an action for every match. A person writes them; preview shows what one would do.",
      },
    ],
    start: () => service.start(),
    stop: () => service.stop(),
  };
  return { feature, service };
}
