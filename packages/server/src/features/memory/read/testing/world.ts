import type { JsonObject } from "../../../ledger/service.ts";
import type { MemoryRecord, ReadScope, RecordKind } from "../../types.ts";
import { RECORD_COLUMNS, type RecordRow, recordOf } from "../../write/store.ts";
import { isVisible } from "../scope.ts";
import type { Stage } from "./stage.ts";

/** Everything that was known at some instant, by id. */
export type Known = ReadonlyMap<string, MemoryRecord>;

/** A memory that many things have happened to, and what was known after each. */
export interface World {
  readonly apps: readonly string[];
  /** In the order of time; the last is how things are. */
  readonly moments: readonly { readonly atMs: number; readonly known: Known }[];
  /** Every id there ever was. */
  readonly ids: readonly string[];
}

const WORDS = ["alpha", "beta", "gamma", "delta", "Épsilon"];
const TYPES = ["person", "company", "project"];

/** Lets `writes` random writes happen, each a while after the one before, by different apps. */
export async function happen(stage: Stage, random: () => number, writes: number): Promise<World> {
  const apps = ["app_aaaaaaaaaaaa", "app_bbbbbbbbbbbb"];
  const moments: { atMs: number; known: Known }[] = [];
  const ids = new Set<string>();
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const some = (prefix: string) => pick([...ids].filter((id) => id.startsWith(prefix)).concat("ent_none"));
  const text = () => Array.from({ length: 1 + Math.floor(random() * 4) }, () => pick(WORDS)).join(" ");
  const link = (): readonly [string, JsonObject] => [
    "link_records",
    { from_id: some(pick(PREFIXES)), to_id: some(pick(PREFIXES)), relation: pick(["knows", "owns"]) },
  ];
  const moves: (() => readonly [string, JsonObject])[] = [
    ...[link, link, link],
    () => ["upsert_entity", { type: pick(TYPES), display_name: text(), attrs: { note: text() } }],
    () => ["upsert_entity", { type: "person", display_name: text(), primary_email: `${pick(WORDS)}@x.io` }],
    () => ["patch_entity", { id: some("ent_"), display_name: text() }],
    () => ["merge_entities", { loser_id: some("ent_"), winner_id: some("ent_"), reason: "same" }],
    () => ["delete_entity", { id: some("ent_"), reason: "gone" }],
    () => ["record_decision", { title: text(), kind: pick(["strategic", "principle"]), rationale: text() }],
    () => ["supersede_decision", { old_decision_id: some("dec_"), new_title: text(), kind: "strategic" }],
    () => [
      "record_commitment",
      { description: text(), status: "confirmed", to_entity: some("ent_"), due_at: "2026-01-01" },
    ],
    () => ["record_learning", { title: text(), description: text(), source_artifact_id: some("art_") }],
    () => ["upsert_source_artifact", { kind: pick(["mail", "call"]), title: text(), content: text() }],
    () => [
      "record_principle",
      { title: text(), applies_to: {}, constraint_spec: { type: "max_per_week", params: { n: 1 } } },
    ],
  ];
  const look = async () => {
    const rows = await stage.platform.database.query<RecordRow>(
      `select ${RECORD_COLUMNS} from ambit.memory_records r where organization_id = $1`,
      [stage.organizationId],
    );
    for (const { id } of rows) ids.add(id);
    moments.push({ atMs: stage.now(), known: new Map(rows.map((row) => [row.id, recordOf(row)])) });
  };
  for (let n = 0; n < writes; n++) {
    const [capability, payload] = pick(moves)();
    const at = stage.now() + 1_000 + Math.floor(random() * 5_000);
    try {
      await stage.write(capability, payload, { at, app: pick([null, ...apps]) });
      await look();
      if (random() < 0.1) {
        await stage.undo();
        await look();
      }
    } catch {
      // What is not allowed leaves everything as it was.
    }
  }
  return { apps, moments, ids: [...ids] };
}

const PREFIXES = ["ent_", "dec_", "com_", "lrn_", "art_"];

/** What a reader may see of what was known. */
export function visibleOf(known: Known, scope: ReadScope | null): MemoryRecord[] {
  return [...known.values()].filter((record) => isVisible(scope, record, (id) => known.get(id)));
}

export const newestChangeFirst = (records: readonly MemoryRecord[]): string[] =>
  [...records].sort((a, b) => compare(b.updated_at, a.updated_at) || compare(b.id, a.id)).map(({ id }) => id);

export const newestMadeFirst = (records: readonly MemoryRecord[], kind: RecordKind): string[] =>
  records
    .filter((record) => record.kind === kind)
    .map(({ id }) => id)
    .sort((a, b) => compare(b, a));

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Numbers between 0 and 1, the same for the same seed. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
