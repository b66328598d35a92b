import type { Data, Draft } from "./memory.ts";
import { Refusal } from "./memory.ts";
import { entityNames, identitiesOf, knownBy, leadsTo, namedBy, referencesOf, target } from "./ties.ts";

const lower = (email: string): string => email.trim().toLowerCase();
const iso = (ms: number): string => new Date(ms).toISOString();

/** The entity with another e-mail; the key of that name goes along unless it says something of its own. */
function withEmail(entity: Data, email: string | null, keyStays: boolean): Data {
  const keys = { ...entity.canonical_keys };
  const own =
    keys.email !== undefined &&
    (entity.primary_email === null || lower(keys.email) !== lower(entity.primary_email));
  if (!keyStays && !own) {
    delete keys.email;
    if (email !== null) keys.email = lower(email);
  }
  return { ...entity, primary_email: email, canonical_keys: keys };
}

function merged(before: Data | null, payload: Data): Data {
  const old = before ?? {
    ...{ type: payload.type, display_name: "", primary_email: null, canonical_keys: {}, merged_keys: {} },
    ...{ merged_ids: [], linked_app_user_id: null, linked_app_id: null, attrs: {} },
  };
  const next = {
    ...old,
    display_name: payload.display_name,
    canonical_keys: { ...old.canonical_keys, ...payload.canonical_keys },
    linked_app_user_id: payload.linked_app_user_id ?? old.linked_app_user_id,
    linked_app_id: payload.linked_app_id ?? old.linked_app_id,
    attrs: { ...old.attrs, ...payload.attrs },
  };
  const email = payload.primary_email;
  if (email === undefined) return next;
  if (old.primary_email !== null && lower(old.primary_email) === lower(email)) return next;
  return withEmail(next, email, payload.canonical_keys?.email !== undefined);
}

/** Throws when another entity is known by something this one would be known by. */
function refuseTaken(draft: Draft, id: string, data: Data): void {
  const owners = knownBy(draft, identitiesOf({ kind: "entity", data }));
  if (owners.some((owner) => owner !== id)) throw new Refusal("ENTITY_AMBIGUOUS");
}

export function upsertEntity(draft: Draft, payload: Data): Data {
  const found = new Set(knownBy(draft, identitiesOf({ kind: "entity", data: merged(null, payload) })));
  if (payload.id !== undefined) found.add(target(draft, payload.id, "entity"));
  if (found.size > 1) throw new Refusal("ENTITY_AMBIGUOUS");
  const [existing] = found;
  if (existing === undefined) {
    const id = draft.create("entity", merged(null, payload));
    return { entity_id: id, was_insert: true, updated_at: iso(draft.updatedAt(id)) };
  }
  const before = draft.get(existing)!.data;
  if (before.type !== payload.type) throw new Refusal("ENTITY_TYPE_MISMATCH");
  const data = merged(before, payload);
  refuseTaken(draft, existing, data);
  draft.change(existing, data);
  return { entity_id: existing, was_insert: false, updated_at: iso(draft.updatedAt(existing)) };
}

/** RFC 7396. */
function patched(value: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const object = typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
  const result = object as Data;
  for (const [name, part] of Object.entries(patch)) {
    if (part === null) delete result[name];
    else result[name] = patched(result[name], part);
  }
  return result;
}

/** `update_entity` and `patch_entity`. */
export function changeEntity(draft: Draft, payload: Data): Data {
  const id = target(draft, payload.id, "entity");
  if (payload.if_updated_at !== undefined && payload.if_updated_at !== iso(draft.updatedAt(id)))
    throw new Refusal("ENTITY_CHANGED");
  const before = draft.get(id)!.data;
  const attrs = payload.attrs ?? before.attrs;
  let data: Data = {
    ...before,
    display_name: payload.display_name ?? before.display_name,
    attrs: payload.attrs_patch === undefined ? attrs : patched(attrs, payload.attrs_patch),
  };
  if (payload.primary_email !== undefined) data = withEmail(data, payload.primary_email, false);
  refuseTaken(draft, id, data);
  draft.change(id, data);
  return { entity_id: id, updated_at: iso(draft.updatedAt(id)) };
}

export function deleteEntity(draft: Draft, { id }: Data): Data {
  if (draft.get(id)?.kind !== "entity") throw new Refusal("RESOURCE_NOT_FOUND");
  if (namedBy(draft, id).length > 0) throw new Refusal("ENTITY_IN_USE");
  draft.remove(id);
  return { entity_id: id, removed: true };
}

export function mergeEntities(draft: Draft, { loser_id, winner_id }: Data): Data {
  const winnerId = leadsTo(draft, winner_id) ?? winner_id;
  if (draft.get(loser_id) === null && leadsTo(draft, loser_id) !== null)
    throw new Refusal("RESOURCE_NOT_FOUND");
  if (winnerId === loser_id) throw new Refusal("VALIDATION_INVALID_SCHEMA");
  const [loser, winner] = [draft.get(loser_id), draft.get(winnerId)];
  if (loser?.kind !== "entity" || winner?.kind !== "entity") throw new Refusal("RESOURCE_NOT_FOUND");
  if (loser.data.type !== winner.data.type) throw new Refusal("ENTITY_TYPE_MISMATCH");
  const referrers = namedBy(draft, loser_id).sort((a, b) => (a.id < b.id ? -1 : 1));
  const data = absorbed(winner.data, loser.data, loser_id);
  draft.remove(loser_id);
  draft.change(winnerId, data);
  for (const { id, state } of referrers) rename(draft, id, state.data, loser_id, winnerId);
  return { entity_id: winnerId, merged_id: loser_id, references_rewritten: referrers.length };
}

/** What the winner lacks it takes; whatever the loser was known by leads to it. */
function absorbed(winner: Data, loser: Data, loserId: string): Data {
  const linked = winner.linked_app_user_id === null ? loser : winner;
  const data: Data = {
    ...winner,
    primary_email: winner.primary_email ?? loser.primary_email,
    canonical_keys: { ...loser.canonical_keys, ...winner.canonical_keys },
    linked_app_user_id: linked.linked_app_user_id,
    linked_app_id: linked.linked_app_id,
    attrs: { ...loser.attrs, ...winner.attrs },
    merged_ids: [...new Set([...winner.merged_ids, loserId, ...loser.merged_ids])].sort(),
  };
  const known = new Set(entityNames(data).map((each) => each.join(" ")));
  const keys: Data = {};
  for (const [name, values] of Object.entries<string[]>(winner.merged_keys)) keys[name] = [...values];
  for (const [name, value] of entityNames(loser)) {
    if (!known.has([name, value].join(" "))) keys[name] = [...(keys[name] ?? []), value].sort();
  }
  return { ...data, merged_keys: keys };
}

/** Has a record name the winner instead of the loser; a link that says nothing new then goes. */
function rename(draft: Draft, id: string, data: Data, loser: string, winner: string): void {
  const to = (each: unknown) => (each === loser ? winner : each);
  const { kind } = draft.get(id)!;
  let next: Data;
  if (kind === "source_artifact") {
    const ids = [...new Set(data.links.entity_ids.map(to))];
    next = { ...data, links: { ...data.links, entity_ids: ids } };
  } else {
    const names = ["from_entity", "to_entity", "from_id", "to_id"].filter((name) => name in data);
    next = { ...data, ...Object.fromEntries(names.map((name) => [name, to(data[name])])) };
  }
  if (kind === "link") {
    const others = knownBy(draft, identitiesOf({ kind, data: next })).filter((other) => other !== id);
    if (next.from_id === next.to_id || others.length > 0) {
      draft.remove(id);
      return;
    }
  }
  if (referencesOf({ kind, data: next }).includes(loser)) throw new Error(`${kind} still names ${loser}`);
  draft.change(id, next);
}
