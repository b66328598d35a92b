import { must } from "../../support/app.ts";
import { SUBSTRATE } from "../../support/substrate.ts";
import type { Data } from "./memory.ts";
import { compareSettings } from "./reads.ts";
import type { Policy } from "./rules.ts";
import { type Run, stepDecide, stepPropose } from "./steps.ts";

// Short stories in which one thing builds on another: chance alone tells them too seldom.

let names = 0;
const fresh = (what: string): string => `${what}-${names++}`;

/** Proposes something valid; the action's id, or null when it was refused. */
async function say(
  run: Run,
  capability: string,
  payload: Data,
  stored: Data = payload,
): Promise<string | null> {
  const { world, dice, staff } = run;
  const known = new Set(world.actions.keys());
  const caller = dice.pick([staff.owner, staff.admin, staff.developer]);
  await stepPropose(run, caller, { capability, sent: payload, stored });
  return [...world.actions.keys()].find((id) => !known.has(id)) ?? null;
}

const resultOf = ({ world }: Run, id: string | null): Data | null =>
  id === null ? null : (world.actions.get(id)?.result ?? null);

const undo = async (run: Run, id: string | null): Promise<string | null> =>
  id === null ? null : say(run, "revert_action", { action_id: id });

/** Has everybody who may agree to what waits. */
async function agree(run: Run, id: string | null): Promise<void> {
  const { world, staff } = run;
  for (const caller of [staff.manager, staff.admin, staff.owner])
    if (id !== null && world.actions.get(id)?.status === "proposed")
      await stepDecide(run, caller, id, "approve");
}

async function person(run: Run, more: Data = {}): Promise<{ action: string | null; id: string | null }> {
  const payload = { type: "person", display_name: fresh("Somebody"), ...more };
  const action = await say(run, "upsert_entity", payload);
  return { action, id: resultOf(run, action)?.entity_id ?? null };
}

/** A key goes from one to another; what took it away can't be undone any more. */
async function keyMoves(run: Run): Promise<void> {
  const primary_email = `${fresh("key")}@x.org`;
  const { id } = await person(run, { primary_email });
  if (id === null) return;
  const lost = await say(run, "update_entity", { id, primary_email: null });
  const taken = await person(run, { primary_email });
  await undo(run, lost);
  await undo(run, taken.action);
  await undo(run, lost);
}

/** A link is taken away and made again; then one of its ends goes. */
async function linkAgain(run: Run): Promise<void> {
  const [from, to] = [await person(run), await person(run)];
  if (from.id === null || to.id === null) return;
  const link = { from_id: from.id, to_id: to.id, relation: "knows" };
  await say(run, "link_records", link);
  const gone = await say(run, "unlink_records", link);
  const again = await say(run, "link_records", { ...link, attrs: { since: 2020 } });
  await undo(run, gone);
  await undo(run, again);
  if (run.dice.chance(0.5)) await undo(run, gone);
  await agree(run, await say(run, "delete_entity", { id: to.id, reason: "left" }));
  await undo(run, gone);
}

/** Changes upon changes are undone in the wrong order, and then in the right one. */
async function layers(run: Run): Promise<void> {
  const { id, action } = await person(run);
  if (id === null) return;
  const changes = [
    await say(run, "patch_entity", { id, attrs_patch: { a: 1 } }),
    await say(run, "patch_entity", { id, attrs_patch: { b: 2 } }),
    await say(run, "patch_entity", { id, attrs_patch: { a: null } }),
  ];
  const owed = { description: fresh("Owed"), status: "confirmed", to_entity: id };
  const referring = await say(run, "record_commitment", owed);
  await undo(run, run.dice.pick([...changes, action]));
  if (run.dice.chance(0.5)) for (const change of [...changes].reverse()) await undo(run, change);
  const all = [action, ...changes, referring].filter((each): each is string => each !== null);
  const action_ids = run.dice.some([...new Set(all)], 5);
  await agree(run, await say(run, "bulk_revert_actions", { action_ids, reason: "all of it" }));
}

/** One is merged into another and that into a third; what referred to them is found at the last. */
async function mergeTwice(run: Run): Promise<void> {
  const { dice } = run;
  const key = fresh("m");
  const [a, b, c] = [
    await person(run, { canonical_keys: { crm: `${key}a` }, primary_email: `${key}@x.org` }),
    await person(run, { canonical_keys: { crm: `${key}b` }, attrs: { team: "sales" } }),
    await person(run, { canonical_keys: { crm: `${key}c` } }),
  ];
  if (a.id === null || b.id === null || c.id === null) return;
  const owed = { description: fresh("Owed"), status: "confirmed", from_entity: a.id, to_entity: b.id };
  await say(run, "record_commitment", owed);
  await say(run, "link_records", { from_id: a.id, to_id: c.id, relation: "knows" });
  await say(run, "link_records", { from_id: b.id, to_id: c.id, relation: "knows" });
  const links = { entity_ids: [a.id, b.id], project_tags: [] };
  await say(run, "upsert_source_artifact", { kind: "email", title: fresh("About both"), links });
  const merge = (loser_id: string, winner_id: string) =>
    say(run, "merge_entities", { loser_id, winner_id, reason: "the same" });
  await agree(run, await merge(a.id, b.id));
  await say(run, "upsert_entity", {
    type: "person",
    display_name: "By a merged key",
    canonical_keys: { crm: `${key}a` },
  });
  if (dice.chance(0.7)) await agree(run, await merge(b.id, c.id));
  if (dice.chance(0.3)) await agree(run, await say(run, "delete_entity", { id: c.id, reason: "left" }));
  await say(run, "record_commitment", { ...owed, description: fresh("Owed") });
}

/** An owner sets what holds for a capability, or has its default hold again. */
async function rule(
  { world, staff, trail, settings }: Run,
  capability: string,
  policy: Policy | null,
): Promise<void> {
  trail.push(`the owner has ${capability} be ${JSON.stringify(policy)}`);
  const path = `${SUBSTRATE}/capabilities/${capability}/policy`;
  if (policy === null) must(await staff.owner.api("DELETE", path));
  else must(await staff.owner.api("PUT", path, policy));
  if (policy === null) world.policies.delete(capability);
  else world.policies.set(capability, policy);
  const operation = `substrate.${policy === null ? "reset" : "set"}_capability_policy`;
  settings.set(operation, (settings.get(operation) ?? 0) + 1);
}

/** What reaches people outside is let run, which holds for people alone; then it is forbidden while some of it waits. */
async function letters(run: Run): Promise<void> {
  const { staff, world } = run;
  const letter = () => ({ to: "ben@example.com", subject: fresh("Letter"), body: "Dear Ben" });
  await rule(run, "send_email_draft", { mode: "auto", approvers: 1 });
  const known = new Set(world.actions.keys());
  for (const caller of [staff.owner, staff.agents[1]!, staff.appKey]) {
    const payload = letter();
    await stepPropose(run, caller, {
      capability: "send_email_draft",
      sent: payload,
      stored: payload,
      skip: true,
    });
  }
  await rule(run, "send_email_draft", { mode: "forbidden", approvers: 1 });
  await compareSettings(run, staff.viewer);
  await say(run, "send_email_draft", letter());
  for (const id of world.actions.keys()) if (!known.has(id)) await agree(run, id);
  await rule(run, "send_email_draft", null);
}

/** A purse from which three small sums can be paid, to the cent and not one more; giving one back makes no room. */
async function purse(run: Run): Promise<void> {
  const name = fresh("purse");
  const principle = {
    ...{
      title: `No more than is in ${name}`,
      applies_to: { capability: "record_commitment", "attrs.purse": name },
    },
    constraint_spec: {
      type: "max_amount_per_window",
      params: { field: "amount", max: 0.6, window: "month" },
    },
  };
  await agree(run, await say(run, "record_principle", principle, { ...principle, salience: "ambient" }));
  const pay = (amount: number) =>
    say(run, "record_commitment", {
      description: fresh("Paid"),
      status: "confirmed",
      amount,
      attrs: { purse: name },
    });
  await pay(0.1);
  const second = await pay(0.2);
  await pay(0.3);
  await pay(0.1);
  await undo(run, second);
  await agree(run, await pay(0.2));
  await pay(0);
}

const SCENES = [keyMoves, linkAgain, layers, mergeTwice, letters, purse];

export const stepScene = (run: Run): Promise<void> => run.dice.pick(SCENES)(run);
