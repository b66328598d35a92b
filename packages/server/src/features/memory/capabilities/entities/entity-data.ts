import type { JsonObject } from "../../../ledger/service.ts";
import type { EntityData } from "../../write/data.ts";
import { mergePatch } from "../../write/json.ts";
import { entityIdentities, normalEmail } from "../../write/shape.ts";

export const ENTITY_TYPES = [
  "person",
  "company",
  "fund",
  "workspace",
  "team",
  "project",
  "event",
  "agent",
  "self",
] as const;

/** What `upsert_entity` says of an entity, besides its id. */
export interface EntityFacts {
  readonly type: string;
  readonly display_name: string;
  readonly primary_email?: string | undefined;
  readonly canonical_keys?: { readonly [name: string]: string } | undefined;
  readonly linked_app_user_id?: string | undefined;
  readonly linked_app_id?: string | undefined;
  readonly attrs?: JsonObject | undefined;
}

/** An entity of which nothing is known yet but its type and name. Pure. */
export function emptyEntity(type: string, displayName: string): EntityData {
  return {
    type,
    display_name: displayName,
    primary_email: null,
    canonical_keys: {},
    merged_keys: {},
    merged_ids: [],
    linked_app_user_id: null,
    linked_app_id: null,
    attrs: {},
  };
}

/**
 * The entity with what is said of it: the name and what else is given replaces what was there, `canonical_keys` and
 * `attrs` are merged by name, what is not given stays. Pure.
 */
export function mergeFacts(before: EntityData | null, facts: EntityFacts): EntityData {
  const old = before ?? emptyEntity(facts.type, facts.display_name);
  const keyed = {
    ...old,
    display_name: facts.display_name,
    canonical_keys: { ...old.canonical_keys, ...facts.canonical_keys },
    linked_app_user_id: facts.linked_app_user_id ?? old.linked_app_user_id,
    linked_app_id: facts.linked_app_id ?? old.linked_app_id,
    attrs: { ...old.attrs, ...facts.attrs },
  };
  const email = facts.primary_email;
  if (email === undefined || (old.primary_email !== null && same(email, old.primary_email))) return keyed;
  return withEmail(keyed, email, facts.canonical_keys?.email !== undefined);
}

/**
 * The entity with another e-mail, null for none. `canonical_keys.email` goes along with it, unless it holds another
 * address than the e-mail did, or is to stay. Pure.
 */
export function withEmail(entity: EntityData, email: string | null, keyStays = false): EntityData {
  const { email: key, ...others } = entity.canonical_keys;
  const old = entity.primary_email;
  const follows = key === undefined || (old !== null && same(key, old));
  if (keyStays || !follows) return { ...entity, primary_email: email };
  const keys = email === null ? others : { ...others, email: normalEmail(email) };
  return { ...entity, primary_email: email, canonical_keys: keys };
}

const same = (a: string, b: string): boolean => normalEmail(a) === normalEmail(b);

/**
 * The winner of a merge: what it lacks (e-mail, linked user, single keys and attrs) it takes from the loser, what it
 * has stays. Every key of the loser leads to it from now on, those it has otherwise as `merged_keys`; so does the
 * loser's id. Pure.
 */
export function absorb(winner: EntityData, loser: EntityData, loserId: string): EntityData {
  const linked = winner.linked_app_user_id === null ? loser : winner;
  const filled: EntityData = {
    ...winner,
    primary_email: winner.primary_email ?? loser.primary_email,
    canonical_keys: { ...loser.canonical_keys, ...winner.canonical_keys },
    linked_app_user_id: linked.linked_app_user_id,
    linked_app_id: linked.linked_app_id,
    attrs: { ...loser.attrs, ...winner.attrs },
    merged_ids: [...new Set([...winner.merged_ids, loserId, ...loser.merged_ids])].sort(),
  };
  const own = new Set(entityIdentities(filled).map(({ name, value }) => `${name} ${value}`));
  const merged: { [name: string]: string[] } = {};
  for (const [name, values] of Object.entries(winner.merged_keys)) merged[name] = [...values];
  for (const { name, value } of entityIdentities(loser)) {
    if (!own.has(`${name} ${value}`)) merged[name] = [...(merged[name] ?? []), value].sort();
  }
  return { ...filled, merged_keys: merged };
}

/** What `update_entity` and `patch_entity` change; what is undefined stays. */
export interface EntityChange {
  readonly display_name?: string | undefined;
  readonly primary_email?: string | null | undefined;
  /** Replaces all attrs. */
  readonly attrs?: JsonObject | undefined;
  /** Changes attrs as RFC 7396 says. */
  readonly attrs_patch?: JsonObject | undefined;
}

/** The entity with the change. Pure. */
export function changeEntity(entity: EntityData, change: EntityChange): EntityData {
  const attrs = change.attrs ?? entity.attrs;
  const next = {
    ...entity,
    display_name: change.display_name ?? entity.display_name,
    attrs: change.attrs_patch === undefined ? attrs : mergePatch(attrs, change.attrs_patch),
  };
  return change.primary_email === undefined ? next : withEmail(next, change.primary_email);
}
