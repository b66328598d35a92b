import type { JsonObject } from "../../ledger/service.ts";
import { limits } from "../limits.ts";
import type { MemoryRecord, RecordKind } from "../types.ts";
import type {
  ArtifactData,
  CommitmentData,
  DataOf,
  DecisionData,
  EntityData,
  LearningData,
  LinkData,
} from "./data.ts";
import { idsIn, REFERENCE_FIELDS } from "./data.ts";
import { cutBytes, textsIn } from "./json.ts";

/** The columns of a record that follow from its data. */
export type Shape = Pick<MemoryRecord, "subtype" | "title" | "body" | "status">;

/** What a record is known by: unique within an organisation. */
export interface Identity {
  /** An entity's type, `#source_artifact` or `#link`. */
  readonly type: string;
  readonly name: string;
  readonly value: string;
}

/** Rows beside a record that follow from its data. */
export interface Ties {
  readonly references: readonly { readonly field: string; readonly to: string }[];
  readonly identities: readonly Identity[];
  /** Ids of entities that were merged into it. */
  readonly aliases: readonly string[];
}

/** An e-mail address as two that differ only in case or in spaces around them are the same. Pure. */
export const normalEmail = (email: string): string => email.trim().toLowerCase();

/** A key's value as it is compared. Pure. */
export const normalKey = (name: string, value: string): string =>
  name === "email" ? normalEmail(value) : value.trim();

/** What is listed, filtered and searched of a record with this data. Pure. */
export function shapeOf<K extends RecordKind>(kind: K, data: DataOf[K]): Shape {
  const { body, ...rest } = SHAPES[kind](data);
  const text = body.filter((part) => part !== null && part !== "").join("\n");
  return { ...rest, body: cutBytes(text, limits.bodyBytes) };
}

type Parts = Omit<Shape, "body"> & { readonly body: readonly (string | null)[] };

const SHAPES: { readonly [K in RecordKind]: (data: DataOf[K]) => Parts } = {
  entity: (data: EntityData) => ({
    subtype: data.type,
    title: data.display_name,
    status: "active",
    body: [
      ...new Set([data.primary_email, ...Object.values(data.canonical_keys)]),
      ...textsIn(data.merged_keys),
      ...textsIn(data.attrs),
    ],
  }),
  decision: (data: DecisionData) => ({
    subtype: data.kind,
    title: data.title,
    status: data.status,
    body: [data.rationale, ...textsIn(data.applies_to), ...textsIn(data.constraint_spec)],
  }),
  commitment: (data: CommitmentData) => ({
    subtype: null,
    title: firstLine(data.description),
    status: data.status,
    body: [data.description, data.unit, ...textsIn(data.attrs)],
  }),
  learning: (data: LearningData) => ({
    subtype: null,
    title: data.title,
    status: "active",
    body: [data.description, data.resolution_taken],
  }),
  source_artifact: (data: ArtifactData) => ({
    subtype: data.kind,
    title: data.title,
    status: "active",
    body: [
      data.summary,
      data.external_id,
      data.url,
      ...data.links.project_tags,
      ...textsIn(data.attrs),
      data.content,
    ],
  }),
  link: (data: LinkData) => ({
    subtype: data.relation,
    title: data.relation,
    status: "active",
    body: textsIn(data.attrs),
  }),
};

/** A long text's first line, cut to what a list can show. Pure. */
function firstLine(text: string): string {
  const line = text.trim().split("\n", 1)[0]!.trimEnd();
  const chars = [...line.slice(0, 2 * LINE_CHARS)];
  return chars.length <= LINE_CHARS ? line : `${chars.slice(0, LINE_CHARS - 1).join("")}…`;
}
const LINE_CHARS = 160;

/** What a record refers to and is known by. Pure; every list is sorted and names nothing twice. */
export function tiesOf(kind: RecordKind, data: JsonObject): Ties {
  const references = REFERENCE_FIELDS[kind].flatMap(({ field }) =>
    [...new Set(idsIn(data, field))].map((to) => ({ field, to })),
  );
  const aliases = kind === "entity" ? [...(data as EntityData).merged_ids].sort() : [];
  return { references, identities: identitiesOf(kind, data), aliases };
}

function identitiesOf(kind: RecordKind, data: JsonObject): Identity[] {
  if (kind === "entity") return entityIdentities(data as EntityData);
  if (kind === "source_artifact") {
    const { external_system: name, external_id: value } = data as ArtifactData;
    return name === null || value === null ? [] : [{ type: "#source_artifact", name, value }];
  }
  return kind === "link" ? [linkIdentity(data as LinkData)] : [];
}

/** What makes a link the same link. Pure. */
export function linkIdentity(link: Pick<LinkData, "from_id" | "to_id" | "relation">): Identity {
  return { type: "#link", name: link.relation, value: `${link.from_id} ${link.to_id}` };
}

/** Everything by which an entity is recognised: keys of its own, its e-mail, its user of an app, merged keys. Pure. */
export function entityIdentities(
  data: Omit<EntityData, "display_name" | "attrs" | "merged_ids">,
): Identity[] {
  const found = new Map<string, Identity>();
  const add = (name: string, value: string) => {
    const identity = { type: data.type, name, value: normalKey(name, value) };
    found.set(identityKey(identity), identity);
  };
  for (const [name, value] of Object.entries(data.canonical_keys)) add(name, value);
  if (data.primary_email !== null) add("email", data.primary_email);
  // Users' ids are UUIDs: the same one in two apps is the same person, as in an app and its clone.
  if (data.linked_app_user_id !== null) add("app_user", data.linked_app_user_id);
  for (const [name, values] of Object.entries(data.merged_keys)) for (const value of values) add(name, value);
  return sortedIdentities([...found.values()]);
}

/** One text for an identity, different for different ones. Pure. */
export const identityKey = ({ type, name, value }: Identity): string => JSON.stringify([type, name, value]);

/** In the one order in which everybody takes identities, so that nobody waits for somebody who waits for them. Pure. */
export function sortedIdentities<I extends Identity>(identities: readonly I[]): I[] {
  const keyed = identities.map((identity) => [identityKey(identity), identity] as const);
  return keyed.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, identity]) => identity);
}
