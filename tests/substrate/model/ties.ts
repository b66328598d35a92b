import type { Data, Draft, Kind, State } from "./memory.ts";
import { Refusal } from "./memory.ts";

const given = (...ids: (string | null | undefined)[]): string[] =>
  ids.filter((id): id is string => typeof id === "string");

/** The records a record names. */
export function referencesOf({ kind, data }: Pick<State, "kind" | "data">): string[] {
  switch (kind) {
    case "entity":
      return [];
    case "decision":
      return given(data.source_artifact_id, data.supersedes, data.superseded_by);
    case "commitment":
      return given(data.from_entity, data.to_entity, data.source_artifact_id);
    case "learning":
      return given(data.related_decision_id, data.source_artifact_id);
    case "source_artifact":
      return [...data.links.entity_ids];
    case "link":
      return [data.from_id, data.to_id];
  }
}

const key = (...parts: string[]): string => parts.join(" | ");
const plain = (name: string, value: string): string =>
  name === "email" ? value.trim().toLowerCase() : value.trim();

/** What nobody else may be known by. */
export function identitiesOf({ kind, data }: Pick<State, "kind" | "data">): string[] {
  if (kind === "source_artifact") {
    return data.external_system === null ? [] : [key("artifact", data.external_system, data.external_id)];
  }
  if (kind === "link") return [key("link", data.relation, data.from_id, data.to_id)];
  return kind === "entity" ? entityNames(data).map(([name, value]) => key(data.type, name, value)) : [];
}

/** Everything an entity is known by within its type: name and value as they are compared. */
export function entityNames(data: Data): [name: string, value: string][] {
  const found = new Map<string, [string, string]>();
  const add = (name: string, value: string) =>
    found.set(key(name, plain(name, value)), [name, plain(name, value)]);
  for (const [name, value] of Object.entries<string>(data.canonical_keys)) add(name, value);
  if (data.primary_email !== null) add("email", data.primary_email);
  if (data.linked_app_user_id !== null) add("app_user", data.linked_app_user_id);
  for (const [name, values] of Object.entries<string[]>(data.merged_keys))
    for (const value of values) add(name, value);
  return [...found.values()];
}

/** The records that are known by one of these. */
export const knownBy = (draft: Draft, identities: readonly string[]): string[] =>
  draft
    .all()
    .filter(({ state }) => identitiesOf(state).some((each) => identities.includes(each)))
    .map(({ id }) => id);

/** The records that name this one. */
export const namedBy = (draft: Draft, id: string): { id: string; state: State }[] =>
  draft.all().filter(({ state }) => referencesOf(state).includes(id));

/** Where an id leads now; null: nowhere. */
export function leadsTo(draft: Draft, id: string): string | null {
  if (draft.get(id) !== null) return id;
  const winner = draft
    .all()
    .find(({ state }) => state.kind === "entity" && state.data.merged_ids.includes(id));
  return winner?.id ?? null;
}

/** The record an action is about, also by the id of an entity merged into it. */
export function target(draft: Draft, id: string, kind: Kind): string {
  const found = leadsTo(draft, id);
  if (found === null || draft.get(found)!.kind !== kind) throw new Refusal("RESOURCE_NOT_FOUND");
  return found;
}

/** The record a payload names, which has to be of one of the kinds. */
export function reference(draft: Draft, id: string, kinds: readonly Kind[]): string {
  const found = leadsTo(draft, id);
  if (found === null || !kinds.includes(draft.get(found)!.kind))
    throw new Refusal("VALIDATION_UNKNOWN_REFERENCE");
  return found;
}
