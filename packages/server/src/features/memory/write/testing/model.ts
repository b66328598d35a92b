/**
 * The memory in the plainest form: maps and loops, without a database, identities' table, versions' numbers or any of
 * the code under test. What it answers is what the memory has to answer.
 */

// biome-ignore lint/suspicious/noExplicitAny: what a record holds differs from kind to kind
export type Data = Record<string, any>;

/** What a record was from some action on; undoing goes back to `parent`. */
interface Node {
  readonly data: Data | null;
  readonly parent: Node | null;
}

interface Track {
  readonly kind: string;
  /** By the action that made it; Map keeps their order. */
  readonly made: Map<string, Node>;
  now: Node;
}

const NOTHING: Node = { data: null, parent: null };
const REFERENCES: Record<string, string[]> = {
  decision: ["source_artifact_id", "supersedes", "superseded_by"],
  commitment: ["from_entity", "to_entity", "source_artifact_id"],
  learning: ["related_decision_id", "source_artifact_id"],
  link: ["from_id", "to_id"],
};

export class Refused extends Error {
  readonly code: string;
  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

export class Model {
  readonly tracks = new Map<string, Track>();

  data(id: string): Data | null {
    return this.tracks.get(id)?.now.data ?? null;
  }

  /** Every record there is. */
  *all(): Generator<[string, string, Data]> {
    for (const [id, { kind, now }] of this.tracks) if (now.data !== null) yield [id, kind, now.data];
  }

  put(action: string, id: string, kind: string, data: Data | null): void {
    const track = this.tracks.get(id) ?? { kind, made: new Map(), now: NOTHING };
    this.tracks.set(id, track);
    if (data !== null && same(data, track.now.data)) return;
    track.now = { data, parent: track.now };
    track.made.set(action, track.now);
  }

  /** The entity an id leads to: itself, or the one it was merged into. */
  lead(id: string): string | null {
    if (this.data(id) !== null) return id;
    for (const [other, kind, data] of this.all()) {
      if (kind === "entity" && data.merged_ids.includes(id)) return other;
    }
    return null;
  }

  /** The record a payload names, of one of the kinds. */
  named(id: string, ...kinds: string[]): string {
    const found = this.lead(id);
    if (found === null || !kinds.includes(this.tracks.get(found)!.kind))
      throw new Refused("VALIDATION_UNKNOWN_REFERENCE");
    return found;
  }

  entity(id: string): string {
    const found = this.lead(id);
    if (found === null || this.tracks.get(found)!.kind !== "entity") throw new Refused("RESOURCE_NOT_FOUND");
    return found;
  }

  references(kind: string, data: Data): string[] {
    const fields = (REFERENCES[kind] ?? []).map((field) => data[field]).filter((id) => id != null);
    return kind === "source_artifact" ? [...fields, ...data.links.entity_ids] : fields;
  }

  keys(kind: string, data: Data): string[] {
    if (kind === "source_artifact") return data.external_id === null ? [] : [`artifact ${data.external_id}`];
    if (kind === "link") return [`link ${data.from_id} ${data.relation} ${data.to_id}`];
    if (kind !== "entity") return [];
    const own = Object.entries(data.canonical_keys).map(([name, value]) => `${name}=${value}`);
    if (data.primary_email !== null) own.push(`email=${data.primary_email.toLowerCase()}`);
    for (const [name, values] of Object.entries(data.merged_keys))
      for (const value of values as string[]) own.push(`${name}=${value}`);
    return [...new Set(own)].map((key) => `${data.type} ${key}`);
  }

  owners(keys: readonly string[]): string[] {
    const wanted = new Set(keys);
    return [...this.all()]
      .filter(([, kind, data]) => this.keys(kind, data).some((key) => wanted.has(key)))
      .map(([id]) => id);
  }

  /** Puts a record's data; refused when another has one of its keys. */
  putKeyed(action: string, id: string, kind: string, data: Data): void {
    const others = this.owners(this.keys(kind, data)).filter((other) => other !== id);
    if (others.length > 0) throw new Refused(kind === "entity" ? "ENTITY_AMBIGUOUS" : "ARTIFACT_AMBIGUOUS");
    this.put(action, id, kind, data);
  }

  /** Undoes what the action did to every record, or throws REVERT_BLOCKED. */
  revert(action: string, target: string): void {
    const after = new Map<string, Node>();
    for (const [id, track] of this.tracks) {
      const made = track.made.get(target);
      if (made === undefined) continue;
      const at = [...track.made.keys()].indexOf(target);
      const before = [...track.made.values()][at - 1] ?? NOTHING;
      if (track.now !== made) throw new Refused("REVERT_BLOCKED");
      after.set(id, before);
    }
    const world = new Map<string, [string, Data]>();
    for (const [id, { kind, now }] of this.tracks) {
      const { data } = after.get(id) ?? now;
      if (data !== null) world.set(id, [kind, data]);
    }
    const seen = new Set<string>();
    for (const [kind, data] of world.values()) {
      if (this.references(kind, data).some((id) => !world.has(id))) throw new Refused("REVERT_BLOCKED");
      for (const key of this.keys(kind, data)) {
        if (seen.has(key)) throw new Refused("REVERT_BLOCKED");
        seen.add(key);
      }
    }
    for (const [id, node] of after) {
      const track = this.tracks.get(id)!;
      track.now = node;
      track.made.set(action, node);
    }
  }
}

/** Whether two values are the same, whatever the order of names. */
export function same(a: unknown, b: unknown): boolean {
  return text(a) === text(b);
}

function text(value: unknown): string {
  return JSON.stringify(value, (_, each) =>
    each !== null && typeof each === "object" && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([x], [y]) => (x < y ? -1 : 1)))
      : each,
  );
}
