import type { Api } from "../../support/api.ts";
import { must } from "../../support/app.ts";
import { destroys, type Found, ofPlatform, person, reads, type Step } from "../step.ts";

/** Proposes as the owner; the answer. */
export const propose = async (owner: Api, capability: string, payload: object): Promise<any> =>
  must(await owner("POST", "/v1/me/substrate/actions/propose", { capability, payload }));

/** An entity that nothing else refers to. */
export const newEntity = async (owner: Api, name: string): Promise<string> =>
  (await propose(owner, "upsert_entity", { type: "project", display_name: name })).result.entity_id;

/** Asks to delete an entity, which waits for a person. */
export async function askToDelete(owner: Api, name: string): Promise<any> {
  const id = await newEntity(owner, name);
  return propose(owner, "delete_entity", { id, reason: "not needed" });
}

const learning = { capability: "record_learning" };
const aPerson = ({ run }: Found) => ({
  capability: "upsert_entity",
  payload: { type: "person", display_name: `Ada ${run}`, primary_email: `ada-${run}@example.com` },
});

/** Proposing, and what comes of it. */
export const substrateSteps: readonly Step[] = [
  ofPlatform("substrate_provision", "manage_substrate provision", {}, reads),
  ofPlatform("substrate_get_settings", "manage_substrate get_settings", {}, reads),
  ofPlatform("substrate_list_capabilities", "manage_substrate list_capabilities", learning, reads),
  ofPlatform("substrate_set_yolo", "manage_substrate set_yolo", { yolo_mode: false }, person),
  ofPlatform(
    "substrate_set_capability_policy",
    "manage_substrate set_capability_policy",
    { ...learning, mode: "approval", approvers: 2 },
    { ...person, ...destroys },
  ),
  ofPlatform("substrate_reset_capability_policy", "manage_substrate reset_capability_policy", learning, {
    ...person,
    ...destroys,
  }),
  ofPlatform("substrate_preview", "manage_substrate preview", aPerson, { ...reads }),
  ofPlatform("substrate_propose", "manage_substrate propose", aPerson, {
    also: ["propose_action"],
    find: (output, found) => {
      found.entityId = output.result.entity_id;
      found.actionId = output.action_id;
    },
  }),
  ofPlatform(
    "substrate_list_actions",
    "manage_substrate list_actions",
    { status: "executed", capability: "upsert_entity", limit: 5 },
    reads,
  ),
  ofPlatform(
    "substrate_get_action",
    "manage_substrate get_action",
    ({ actionId }) => ({ action_id: actionId }),
    {
      ...reads,
    },
  ),
  ofPlatform(
    "substrate_approve",
    "manage_substrate approve",
    ({ principleAction }) => ({ action_id: principleAction }),
    {
      ...person,
      ...destroys,
      furnishes: true,
      also: ["approve_action"],
      before: async (owner, found) => {
        const principle = {
          title: `Not in ${found.run}`,
          applies_to: { capability: "record_commitment", "attrs.run": found.run },
          constraint_spec: { type: "forbidden_values", params: { field: "status", values: ["confirmed"] } },
        };
        found.principleAction = (await propose(owner, "record_principle", principle)).action_id;
      },
      find: (output, found) => {
        found.principleId = output.result.decision_id;
      },
    },
  ),
  ofPlatform(
    "substrate_reject",
    "manage_substrate reject",
    ({ unwanted }) => ({ action_id: unwanted, reason: "not now" }),
    {
      ...person,
      also: ["reject_action"],
      before: async (owner, found) => {
        found.unwanted = (await askToDelete(owner, `reject ${found.run}`)).action_id;
      },
    },
  ),
  ofPlatform(
    "substrate_list_policy_conflicts",
    "manage_substrate list_policy_conflicts",
    ({ conflicted }) => ({ status: "open", action_id: conflicted }),
    {
      ...reads,
      before: async (owner, found) => {
        const promise = { description: "Ship it", status: "confirmed", attrs: { run: found.run } };
        found.conflicted = (await propose(owner, "record_commitment", promise)).action_id;
      },
      find: (output, found) => {
        found.conflictId = output.conflicts[0].id;
      },
    },
  ),
  ofPlatform(
    "substrate_get_policy_conflict",
    "manage_substrate get_policy_conflict",
    ({ conflictId }) => ({ conflict_id: conflictId }),
    reads,
  ),
  ofPlatform(
    "substrate_resolve_policy_conflict",
    "manage_substrate resolve_policy_conflict",
    ({ conflictId }) => ({ conflict_id: conflictId, resolution: "dismiss", reason: "no conflict" }),
    { ...person, ...destroys },
  ),
  ofPlatform(
    "substrate_erase",
    "manage_substrate erase",
    ({ spare }) => ({ entity_id: spare, reason: "asked for" }),
    {
      ...person,
      ...destroys,
      before: async (owner, found) => {
        found.spare = await newEntity(owner, `erase ${found.run}`);
      },
    },
  ),
  ofPlatform("substrate_stream_ws_ticket", "manage_substrate ws_ticket", {}, { forReaders: true }),
];
