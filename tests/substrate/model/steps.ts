import { expect } from "vitest";
import type { Answer } from "../../support/api.ts";
import { must } from "../../support/app.ts";
import { type Caller, propose, type Staffed, SUBSTRATE } from "../../support/substrate.ts";
import type { Dice } from "./dice.ts";
import type { Data } from "./memory.ts";
import type { Proposals } from "./proposals.ts";
import type { Action, Expected, Proposal, Proposer, Seen, World } from "./world.ts";

/** Everything a run works with. */
export interface Run {
  readonly dice: Dice;
  readonly world: World;
  readonly staff: Staffed;
  readonly proposals: Proposals;
  /** What was done so far, for whoever reads a failure. */
  readonly trail: string[];
  /** Proposals that have a key, with who sent them. */
  readonly keyed: { readonly proposal: Proposal; readonly caller: Caller }[];
  /** How often an owner changed a setting, by the operation that did it. */
  readonly settings: Map<string, number>;
}

export const proposerOf = ({ name, human, keyId, account, app }: Caller): Proposer => ({
  ...{ name, kind: human ? "human" : "agent", keyId, account, app },
});

const errorOf = ({ status, body }: Answer): string => body?.error?.code ?? `status ${status}`;
const ms = (iso: string): number => Date.parse(iso);

/** An answer's result without what is only told to people, and with what an app may not see taken out. */
export function resultFor(world: World, app: string | null, result: Data | null): Data | null {
  if (result === null) return null;
  const { before } = result;
  if (app === null || before === null || before === undefined) return result;
  const state = world.memory.now(before.id);
  return state !== null && world.visible(app, state) ? result : { ...result, before: null };
}

/** What the server says came of an action, in the model's form. */
export function seenResult(result: Data | null): Data | null {
  if (result === null) return null;
  const { hint: _, ...rest } = result;
  if (Array.isArray(rest.failed)) {
    const failed = rest.failed.map(({ action_id, code }: Data) => [action_id, code]);
    return { ...rest, failed: Object.fromEntries(failed) };
  }
  if (Array.isArray(rest.record_ids)) return { ...rest, record_ids: [...rest.record_ids].sort() };
  return rest;
}

export const modelResult = (result: Data | null): Data | null =>
  Array.isArray(result?.record_ids) ? { ...result, record_ids: [...result.record_ids].sort() } : result;

/** What of an action's row the model knows. */
export function rowOf(world: World, action: Action, app: string | null): Data {
  const { verdict, proposer } = action;
  return {
    ...{ id: action.id, capability: action.capability, action_type: action.capability },
    ...{ payload: action.payload, status: action.status, idempotency_key: action.key },
    verdict: { result: verdict.result, conflicts: [...verdict.conflicts] },
    result: modelResult(resultFor(world, app, action.result)),
    error: action.error,
    changes: sorted(action.changes),
    changes_count: action.changes.length,
    proposer: { kind: proposer.kind, id: proposer.keyId, account_id: proposer.account },
    ...{ source_app_id: proposer.app, approved_by: action.approvedBy, reverted_by: action.revertedBy },
    proposed_at: new Date(action.proposedAt).toISOString(),
    executed_at: action.executedAt === null ? null : new Date(action.executedAt).toISOString(),
    decided: action.status !== "proposed",
    rejected: action.status === "rejected",
  };
}

/** The same of a row the server gave. */
export function readRow(row: Data): Data {
  return {
    ...{ id: row.id, capability: row.capability, action_type: row.action_type, payload: row.payload },
    ...{ status: row.status, idempotency_key: row.idempotency_key },
    verdict: { result: row.verdict.result, conflicts: principlesIn(row.verdict) },
    result: seenResult(row.result),
    error: row.error?.code ?? null,
    changes: sorted(row.changes),
    changes_count: row.changes_count,
    proposer: { kind: row.proposer.kind, id: row.proposer.id, account_id: row.proposer.account_id },
    ...{ source_app_id: row.source_app_id, approved_by: row.approved_by, reverted_by: row.reverted_by },
    ...{ proposed_at: row.proposed_at, executed_at: row.executed_at },
    decided: row.decided_at !== null,
    rejected: row.rejected_reason !== null,
  };
}

const principlesIn = (verdict: Data): string[] =>
  verdict.conflicts.map(({ principle_id }: Data) => principle_id);
const sorted = (changes: readonly { id: string; change: string }[]) =>
  [...changes].sort((a, b) => (`${a.id} ${a.change}` < `${b.id} ${b.change}` ? -1 : 1));

export const getAction = async ({ staff }: Run, id: string): Promise<Data> =>
  must(await staff.owner.api("GET", `${SUBSTRATE}/actions/${id}`));

/** Proposes and compares everything the answer says, and the action's row. */
export async function stepPropose(run: Run, caller: Caller, proposal: Proposal): Promise<void> {
  const { world, trail } = run;
  const { capability, sent, key, skip } = proposal;
  const more = { idempotency_key: key, dangerously_skip_approval: skip };
  trail.push(`${caller.name} proposes ${capability} ${JSON.stringify(sent)} ${JSON.stringify(more)}`);
  const answer = await propose(caller.api, capability, sent, more);
  trail.push(`  → ${answer.status} ${JSON.stringify(answer.body).slice(0, 600)}`);
  if (["viewer", "policy_manager"].includes(caller.role)) {
    return expect(errorOf(answer), capability).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
  }
  const row = answer.status === 200 ? await getAction(run, answer.body.action_id) : null;
  const seen: Seen | null = row && {
    id: row.id,
    at: ms(row.proposed_at),
    result: seenResult(answer.body.result ?? null),
  };
  const expected = world.propose(proposerOf(caller), proposal, seen, Date.now());
  compareAnswer(run, caller, answer, expected);
  if (row !== null && "action" in expected)
    expect(readRow(row), "the action's row").toEqual(rowOf(world, expected.action, null));
}

function compareAnswer({ world }: Run, { app }: Caller, answer: Answer, expected: Expected): void {
  if ("error" in expected) {
    expect(errorOf(answer), "the refusal").toBe(expected.error);
    return;
  }
  const { body } = answer;
  const { action, replay } = expected;
  const waits = action.status === "proposed";
  const told = {
    action_id: body.action_id,
    verdict: { result: body.verdict?.result, conflicts: body.verdict && principlesIn(body.verdict) },
    requires_approval: body.requires_approval,
    result: seenResult(body.result ?? null),
    replay: body.replay ?? false,
    waits: "approval_id" in body && body.approval_url.endsWith(`/approve/${body.approval_id}`),
  };
  expect(told, "the answer").toEqual({
    action_id: action.id,
    verdict: { result: action.verdict.result, conflicts: replay ? [] : action.verdict.conflicts },
    requires_approval: waits,
    result: modelResult(resultFor(world, app, action.result)),
    ...{ replay, waits },
  });
}

/** Somebody decides on an action, at one of the doors there are. */
export async function stepDecide(run: Run, caller: Caller, id: string, decision: "approve" | "reject") {
  const { dice, world, trail } = run;
  const action = world.actions.get(id);
  const row = action === undefined ? null : await getAction(run, id);
  const approval = row?.approval_id ?? null;
  const inInbox = approval !== null && dice.chance(0.4);
  const path = inInbox ? `/v1/approvals/${approval}/${decision}` : `${SUBSTRATE}/actions/${id}/${decision}`;
  trail.push(`${caller.name} ${caller.role} decides: ${decision} ${id} (${action?.capability})`);
  const answer = await caller.api("POST", path, decision === "reject" ? { reason: "No." } : {});
  trail.push(`  → ${answer.status} ${JSON.stringify(answer.body).slice(0, 400)}`);
  const after = action === undefined ? null : await getAction(run, id);
  const seen = after?.decided_at && { id, at: ms(after.decided_at), result: seenResult(after.result) };
  const voter = { ...caller, mayDecide: ["owner", "admin", "policy_manager"].includes(caller.role) };
  const expected = world.decide(voter, action, decision, seen || null);
  if ("error" in expected) expect(errorOf(answer), "the refusal").toBe(expected.error);
  else expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  if (after !== null) {
    expect(readRow(after), "the action's row").toEqual(rowOf(world, action!, null));
    if (answer.status === 200 && !inInbox)
      expect(readRow(answer.body), "the answer").toEqual(rowOf(world, action!, null));
    if (after.approval !== null) expect(after.approval.decisions.map(voteOf)).toEqual(action!.votes);
  }
}

const voteOf = ({ account_id, decision }: Data) => ({ account: account_id, decision });

/** A person settles a conflict between a proposal and a principle. */
export async function stepConflict(run: Run, caller: Caller): Promise<void> {
  const { dice, world, trail, staff } = run;
  const actions = [...world.actions.values()].filter(({ conflicts }) => conflicts.length > 0);
  if (actions.length === 0) return;
  const waiting = actions.filter(({ status }) => status === "proposed");
  const action = dice.pick(waiting.length > 0 && dice.chance(0.8) ? waiting : actions);
  const path = `${SUBSTRATE}/policy-conflicts`;
  const { conflicts } = must(await staff.owner.api("GET", `${path}?action_id=${action.id}`));
  const { id, principle_id } = dice.pick(conflicts as Data[]);
  const conflict = action.conflicts.find(({ principle }) => principle === principle_id)!;
  const resolution = dice.pick(["dismiss", "dismiss", "approve", "reject"] as const);
  trail.push(`${caller.name} resolves ${id} of ${action.id}: ${resolution}`);
  const answer = await caller.api("POST", `${path}/${id}/resolve`, { resolution, reason: "So be it" });
  trail.push(`  → ${answer.status} ${JSON.stringify(answer.body).slice(0, 400)}`);
  const row = await getAction(run, action.id);
  const voter = { ...caller, mayDecide: ["owner", "admin", "policy_manager"].includes(caller.role) };
  const seen = row.decided_at && { id: action.id, at: ms(row.decided_at), result: seenResult(row.result) };
  let error: string | null = null;
  if (!voter.human) error = "AUTH_PERSON_REQUIRED";
  else if (!voter.mayDecide) error = "AUTH_INSUFFICIENT_PERMISSIONS";
  else if (conflict.status === "resolved") error = "wrong_status";
  else if (resolution === "dismiss") Object.assign(conflict, { status: "resolved", resolution });
  else {
    const expected = world.decide(voter, action, resolution, seen || null);
    if ("error" in expected) error = expected.error;
  }
  expect(answer.status === 200 ? null : errorOf(answer), "the refusal").toBe(error);
  expect(readRow(row), "the action's row").toEqual(rowOf(world, action, null));
}

/** An owner, or somebody who is none, changes what holds for a capability, for people in a hurry, or for four eyes. */
export async function stepSettings(run: Run, caller: Caller): Promise<void> {
  const { dice, world, trail, settings } = run;
  const capability = dice.pick([
    ...["record_learning", "upsert_entity", "delete_entity", "merge_entities", "record_principle"],
    ...["send_email_draft", "link_records", "record_commitment", "bulk_revert_actions", "revert_action"],
  ]);
  const policy = {
    mode: dice.weighted([
      [4, "auto"],
      [4, "approval"],
      [1, "forbidden"],
    ] as const),
    approvers: dice.pick([1, 1, 2, 3]),
  };
  const path = `${SUBSTRATE}/capabilities/${capability}/policy`;
  const [operation, method, target, body, change] = dice.weighted<
    readonly [string, string, string, object | undefined, () => void]
  >([
    [
      4,
      ["substrate.set_capability_policy", "PUT", path, policy, () => world.policies.set(capability, policy)],
    ],
    [
      4,
      [
        "substrate.reset_capability_policy",
        "DELETE",
        path,
        undefined,
        () => world.policies.delete(capability),
      ],
    ],
    [
      1,
      [
        "substrate.set_yolo",
        "PUT",
        `${SUBSTRATE}/settings/yolo`,
        { yolo_mode: !world.yolo },
        () => (world.yolo = !world.yolo),
      ],
    ],
    [1, fourEyes(run)],
  ]);
  trail.push(`${caller.name} sets ${method} ${target} ${JSON.stringify(body)}`);
  const answer = await caller.api(method, target, body);
  trail.push(`  → ${answer.status}`);
  if (!caller.human) return expect(errorOf(answer)).toBe("AUTH_PERSON_REQUIRED");
  if (caller.role !== "owner") return expect(errorOf(answer)).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  change();
  settings.set(operation, (settings.get(operation) ?? 0) + 1);
}

function fourEyes({ dice, world }: Run) {
  const four_eyes = dice.pick([null, null, true, false]);
  const change = () => {
    world.fourEyes = four_eyes;
  };
  return ["approvals.update_settings", "PATCH", "/v1/approvals/settings", { four_eyes }, change] as const;
}

/** Asks what a proposal would come to; nothing happens, as what follows shows. */
export async function stepPreview(run: Run, caller: Caller, proposal: Proposal): Promise<void> {
  const { world, trail } = run;
  const { capability, sent, stored, skip } = proposal;
  trail.push(`${caller.name} previews ${capability} ${JSON.stringify(sent)}`);
  const body = { capability, payload: sent, dangerously_skip_approval: skip };
  const answer = await caller.api("POST", `${SUBSTRATE}/actions/preview`, body);
  trail.push(`  → ${answer.status} ${JSON.stringify(answer.body).slice(0, 400)}`);
  if (stored === null) {
    const unknown = capability === "dream_up";
    return expect(errorOf(answer)).toBe(unknown ? "CAPABILITY_UNKNOWN" : "VALIDATION_INVALID_SCHEMA");
  }
  const now = Date.now();
  const verdict = world.judge(proposerOf(caller), proposal, now);
  const told = answer.body.verdict;
  expect({ result: told.result, conflicts: principlesIn(told) }).toEqual(verdict);
  const tried = world.tryOut(proposerOf(caller), proposal, now);
  expect(answer.body.problem?.code ?? null).toBe("problem" in tried ? tried.problem : null);
}
