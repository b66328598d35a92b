import type { Api } from "../../support/api.ts";
import { must } from "../../support/app.ts";
import { destroys, type Found, ofPlatform, person, reads, type Step } from "../step.ts";
import { askToDelete, propose } from "./substrate.ts";

/** Has an approval wait, and its id remembered under `name`. */
const waiting = (name: string) => ({
  before: async (owner: Api, found: Found) => {
    found[name] = (await askToDelete(owner, `${name} ${found.run}`)).approval_id;
  },
});

/** What waits for a person. */
export const approvalSteps: readonly Step[] = [
  ofPlatform("approvals_get_settings", "manage_approvals get_settings", {}, { ...person, ...reads }),
  ofPlatform(
    "approvals_update_settings",
    "manage_approvals update_settings",
    { four_eyes: null, notify_emails: [], expires_after_hours: 24 },
    { ...person, ...destroys },
  ),
  ofPlatform(
    "approvals_list",
    "manage_approvals list",
    { status: "pending", kind: "substrate_action", capability: "delete_entity", limit: 5 },
    reads,
  ),
  ofPlatform("approvals_get", "manage_approvals get", ({ looked }) => ({ approval_id: looked }), {
    ...reads,
    ...waiting("looked"),
  }),
  ofPlatform("approvals_approve", "manage_approvals approve", ({ wanted }) => ({ approval_id: wanted }), {
    ...person,
    ...destroys,
    ...waiting("wanted"),
  }),
  ofPlatform(
    "approvals_reject",
    "manage_approvals reject",
    ({ refused }) => ({ approval_id: refused, reason: "not now" }),
    { ...person, ...waiting("refused") },
  ),
];

const rule = {
  name: "Busy",
  description: "A busy day.",
  trigger_cron: "0 0 1 1 *",
  condition_mode: "snapshot_predicate",
  condition: { ">": [{ var: "entity_count" }, 0] },
  action_capability: "record_learning",
  action_payload_template: { title: "{{entity_count}} entities", description: "On {{today}}." },
  max_fires_per_day: 3,
};
const theRule = ({ ruleId }: Found) => ({ rule_id: ruleId });
const inTools = (inSubstrate: string, action: string) =>
  [`manage_substrate ${inSubstrate}`, { also: [`manage_attention_rules ${action}`] }] as const;
const ruleStep = (verb: string, inSubstrate: string, args: Step["args"], rest: object): Step => {
  const [form, also] = inTools(inSubstrate, verb);
  return ofPlatform(`attention_rules_${verb}`, form, args, { ...also, ...rest });
};

/** What looks at the memory by itself. */
export const ruleSteps: readonly Step[] = [
  ruleStep("preview", "preview_rule", () => rule, { ...reads }),
  ruleStep("create", "create_rule", () => ({ ...rule, enabled: false }), {
    ...person,
    furnishes: true,
    find: (output: any, found: Found) => {
      found.ruleId = output.id;
    },
  }),
  ruleStep("list", "list_rules", () => ({ enabled: false }), reads),
  ruleStep("get", "get_rule", theRule, reads),
  ruleStep("update", "update_rule", (found) => ({ ...theRule(found), name: "Busier" }), {
    ...person,
    ...destroys,
  }),
  ruleStep("enable", "enable_rule", theRule, person),
  ruleStep("firings", "list_rule_firings", (found) => ({ ...theRule(found), limit: 5 }), reads),
  ruleStep("disable", "disable_rule", theRule, person),
  ruleStep("delete", "delete_rule", theRule, { ...person, ...destroys }),
];

const MOMENTS = 200;
const told = "record_learning";

/** A delivery that was tried in vain; it is tried again only seconds later. */
async function failedDelivery(owner: Api, found: Found): Promise<void> {
  const target = { webhook_url: found.hookUrl, signing_secret: "of this suite" };
  must(await owner("PUT", `/v1/me/substrate/outbox-targets/${told}`, target));
  const learning = { title: `Learnt in ${found.run}`, description: "Webhooks fail." };
  const { action_id } = await propose(owner, told, learning);
  for (let moment = 0; moment < MOMENTS; moment += 1) {
    const { outbox } = must(await owner("GET", "/v1/me/substrate/outbox?state=failed"));
    const delivery = outbox.find((each: any) => each.action_id === action_id);
    found.outboxId = delivery?.id;
    if (delivery !== undefined) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("no delivery of the webhook was tried");
}
const theDelivery = ({ outboxId }: Found) => ({ outbox_id: outboxId });

/** What is told to others. */
export const outboxSteps: readonly Step[] = [
  ofPlatform(
    "outbox_set_target",
    "manage_substrate set_outbox_target",
    ({ hookUrl, appId }) => ({
      capability: told,
      webhook_url: hookUrl,
      signing_secret: "of this suite",
      source_app_id: appId,
    }),
    { ...person, ...destroys },
  ),
  ofPlatform("outbox_list_targets", "manage_substrate list_outbox_targets", {}, { ...reads }),
  ofPlatform(
    "outbox_delete_target",
    "manage_substrate delete_outbox_target",
    ({ appId }) => ({ capability: told, source_app_id: appId }),
    { ...person, ...destroys },
  ),
  ofPlatform(
    "outbox_list",
    "manage_substrate list_outbox",
    { state: "failed", capability: told, limit: 5 },
    {
      ...reads,
      also: ["list_outbox"],
      before: failedDelivery,
    },
  ),
  ofPlatform("outbox_cancel", "manage_substrate cancel_outbox", theDelivery, { also: ["cancel_outbox"] }),
  ofPlatform("outbox_retry", "manage_substrate retry_outbox", theDelivery, { also: ["retry_outbox"] }),
];
