import type { Queryable } from "../../../engines/postgres/database.ts";
import type { MemoryRecord } from "../types.ts";
import { type Identity, identityKey, tiesOf } from "../write/shape.ts";
import { selectOwners } from "../write/store.ts";
import {
  type MadeVersion,
  selectLast,
  selectPresent,
  selectReferrersOf,
  selectVersions,
  type VersionRow,
} from "./store.ts";
import type { History, Holder, Needs, World } from "./undo.ts";

/** The world around some actions, and the states that undoing one of them may bring back. */
export interface LoadedWorld {
  readonly world: World;
  /** By record and version; null: the record is gone in it. */
  state(recordId: string, version: number): MemoryRecord | null;
  /** When a record's last version began, in ms since the epoch. */
  knownFromMs(recordId: string): number;
}

/** Reads what undoing these versions looks at. */
export async function loadWorld(
  db: Queryable,
  organizationId: string,
  made: readonly MadeVersion[],
): Promise<LoadedWorld> {
  const ids = [...new Set(made.map(({ record_id }) => record_id))].sort();
  const wanted = made.flatMap(({ record_id, version }) => [
    { record_id, version },
    { record_id, version: version - 1 },
  ]);
  const rows = await selectVersions(db, organizationId, ids, wanted);
  const byRecord = Map.groupBy(rows, ({ record_id }) => record_id);
  const histories = new Map(ids.map((id) => [id, historyOf(byRecord.get(id) ?? [])]));
  const vanishing = made.filter(
    ({ record_id, version }) => !histories.get(record_id)!.needs.get(version - 1),
  );
  const inside = new Set(ids);
  const needs = [...histories.values()].flatMap((history) => [...history.needs.values()]);
  const world: World = {
    histories,
    referrers: await loadReferrers(
      db,
      organizationId,
      [...new Set(vanishing.map((each) => each.record_id))],
      ids,
    ),
    gone: await loadGone(db, organizationId, outside(needs, inside)),
    owners: await loadOwners(db, organizationId, needs, inside),
  };
  const find = (recordId: string, version: number) =>
    byRecord.get(recordId)?.find((row) => row.version === version)?.state ?? null;
  return {
    world,
    state: find,
    knownFromMs: (recordId) => byRecord.get(recordId)!.at(-1)!.known_from.getTime(),
  };
}

function historyOf(rows: readonly VersionRow[]): History {
  const stated = rows.filter((row) => row.with_state);
  return {
    kind: rows[0]?.kind ?? "record",
    versions: rows.map(({ version, action_id, restores }) => ({ version, actionId: action_id, restores })),
    needs: new Map(stated.map(({ version, state }) => [version, state === null ? null : needsOf(state)])),
  };
}

/** What a record needs to be there. Pure. */
export function needsOf({ kind, data }: Pick<MemoryRecord, "kind" | "data">): Needs {
  const { references, identities } = tiesOf(kind, data);
  return { references: references.map(({ to }) => to), identities: identities.map(identityKey) };
}

const outside = (needs: readonly (Needs | null)[], inside: ReadonlySet<string>): string[] => [
  ...new Set(needs.flatMap((each) => each?.references ?? []).filter((id) => !inside.has(id))),
];

async function loadReferrers(
  db: Queryable,
  organizationId: string,
  vanishing: readonly string[],
  except: readonly string[],
): Promise<ReadonlyMap<string, readonly Holder[]>> {
  if (vanishing.length === 0) return new Map();
  const rows = await selectReferrersOf(db, organizationId, vanishing, except);
  const byTarget = Map.groupBy(rows, ({ to_id }) => to_id);
  return new Map([...byTarget].map(([id, found]) => [id, found.map(holderOf)]));
}

const holderOf = (row: { id: string; kind: string; action_id: string }): Holder => ({
  id: row.id,
  kind: row.kind,
  actionId: row.action_id,
});

async function loadGone(
  db: Queryable,
  organizationId: string,
  referenced: readonly string[],
): Promise<ReadonlyMap<string, Holder>> {
  if (referenced.length === 0) return new Map();
  const there = new Set(await selectPresent(db, organizationId, referenced));
  const gone = referenced.filter((id) => !there.has(id));
  if (gone.length === 0) return new Map();
  const last = await selectLast(db, organizationId, gone);
  return new Map(last.map((row) => [row.id, holderOf(row)]));
}

async function loadOwners(
  db: Queryable,
  organizationId: string,
  needs: readonly (Needs | null)[],
  inside: ReadonlySet<string>,
): Promise<ReadonlyMap<string, Holder>> {
  const keys = new Set(needs.flatMap((each) => each?.identities ?? []));
  if (keys.size === 0) return new Map();
  const owners = await selectOwners(db, organizationId, [...keys].map(identityOf));
  return new Map(
    owners
      .filter(({ id }) => !inside.has(id))
      .map((row) => [identityKey(row), holderOf({ ...row, kind: kindOf(row) })]),
  );
}

function identityOf(key: string): Identity {
  const [type, name, value] = JSON.parse(key) as [string, string, string];
  return { type, name, value };
}

const kindOf = ({ type }: Identity): string => (type.startsWith("#") ? type.slice(1) : "entity");
