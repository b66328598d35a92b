import type { Database, Queryable, Transaction } from "../../../../engines/postgres/database.ts";
import type { AmbitError } from "../../../../kernel/errors.ts";
import { newUuid } from "../../../../kernel/ids.ts";
import { type TestPlatform, testPlatform } from "../../../../testing/platform.ts";
import type { JsonObject } from "../../../ledger/service.ts";
import type { CheckConstraint } from "../../capabilities/capability.ts";
import type { MemoryOutcome, MemoryRecord, MemoryWork } from "../../types.ts";
import { createMemoryWriter, type MemoryWriter } from "../index.ts";
import { identityKey, tiesOf } from "../shape.ts";
import { RECORD_COLUMNS, type RecordRow, recordOf } from "../store.ts";

/** What one try came to. */
export interface Tried {
  readonly actionId: string;
  /** Null when it was refused. */
  readonly outcome: MemoryOutcome | null;
  readonly error: AmbitError | null;
}

/** One organisation's memory, with actions that are nothing but ids. */
export interface Memory {
  readonly organizationId: string;
  readonly writer: MemoryWriter;
  /** Does it as an action of its own; throws what it throws. */
  run(capability: string, payload: JsonObject): Promise<MemoryOutcome & { actionId: string }>;
  /** The same, with the error in the answer; nothing is left of a try that was refused. */
  attempt(capability: string, payload: JsonObject): Promise<Tried>;
  revert(actionId: string): Promise<Tried>;
  record(id: string): Promise<MemoryRecord | null>;
}

/** A memory on a database of its own. */
export interface TestMemory extends TestPlatform, Memory {
  /** The memory of another, new organisation. */
  another(): Promise<Memory>;
  /** An organisation's memory as another node has it, with connections of its own. */
  on(database: Database, organizationId: string): Memory;
}

export async function testMemory(checkConstraint: CheckConstraint = () => null): Promise<TestMemory> {
  const test = await testPlatform();
  const { database } = test.platform;
  const writer = createMemoryWriter(test.platform, checkConstraint);
  return {
    ...test,
    ...memoryOf(database, writer, test.organizationId),
    async another() {
      const organizationId = newUuid();
      await database.query("insert into ambit.organizations (id, name) values ($1, 'Another')", [
        organizationId,
      ]);
      return memoryOf(database, writer, organizationId);
    },
    on: (other, organizationId) => memoryOf(other, writer, organizationId),
  };
}

let actions = 0;

function memoryOf(database: Database, writer: MemoryWriter, organizationId: string): Memory {
  const attempt = async (
    work: (tx: Transaction, of: MemoryWork) => Promise<MemoryOutcome>,
  ): Promise<Tried> => {
    const actionId = `act_${String(++actions).padStart(6, "0")}`;
    const of = { organizationId, actionId, sourceAppId: null, nowMs: Date.now() };
    for (let attempt = 1; ; attempt++) {
      try {
        return { actionId, outcome: await database.transaction((tx) => work(tx, of)), error: null };
      } catch (error) {
        // Whoever uses the memory repeats a transaction that another was in the way of; so is this.
        if (["40P01", "40001"].includes((error as AmbitError).code) && attempt < 5) continue;
        return { actionId, outcome: null, error: error as AmbitError };
      }
    }
  };
  const execute = (capability: string, payload: JsonObject) =>
    attempt((tx, of) => writer.execute(tx, of, capability, payload));
  return {
    organizationId,
    writer,
    attempt: execute,
    async run(capability, payload) {
      const { outcome, error, actionId } = await execute(capability, payload);
      if (outcome === null) throw error;
      return { ...outcome, actionId };
    },
    revert: (actionId) => attempt((tx, of) => writer.revert(tx, of, actionId)),
    async record(id) {
      const [row] = await database.query<RecordRow>(
        `select ${RECORD_COLUMNS} from ambit.memory_records r where organization_id = $1 and id = $2`,
        [organizationId, id],
      );
      return row === undefined ? null : recordOf(row);
    },
  };
}

/** Everything the memory holds of an organisation, in a form two moments can be compared in. */
export interface Stored {
  readonly records: ReadonlyMap<string, MemoryRecord>;
  /** `[from, field, to]`, `[type, name, value, id]` and `[alias, id]`, as texts, sorted. */
  readonly references: readonly string[];
  readonly identities: readonly string[];
  readonly aliases: readonly string[];
}

export async function stored(db: Queryable, organizationId: string): Promise<Stored> {
  const rows = await db.query<RecordRow>(
    `select ${RECORD_COLUMNS} from ambit.memory_records r where organization_id = $1 order by id`,
    [organizationId],
  );
  const texts = async (columns: string, table: string) => {
    const found = await db.query<{ row: unknown }>(
      `select jsonb_build_array(${columns}) as row from ambit.${table} where organization_id = $1`,
      [organizationId],
    );
    return found.map(({ row }) => JSON.stringify(row)).sort();
  };
  return {
    records: new Map(rows.map((row) => [row.id, recordOf(row)])),
    references: await texts("from_id, field, to_id", "memory_references"),
    identities: await texts("type, name, value, entity_id", "memory_identities"),
    aliases: await texts("alias_id, entity_id", "memory_aliases"),
  };
}

/**
 * What must hold whatever has been done: everything beside the records follows from them, nothing named is missing,
 * no two records share an identity, and the versions of each record tell how it came to be as it is. Returns what is
 * wrong.
 */
export async function wrongs(db: Queryable, organizationId: string): Promise<string[]> {
  const now = await stored(db, organizationId);
  const expected = { references: [] as string[], identities: [] as string[], aliases: [] as string[] };
  const found: string[] = [];
  const keys = new Set<string>();
  for (const [id, { kind, data }] of now.records) {
    const ties = tiesOf(kind, data);
    for (const { field, to } of ties.references) {
      expected.references.push(JSON.stringify([id, field, to]));
      if (!now.records.has(to)) found.push(`${id}.${field} names ${to}, which is not there`);
    }
    for (const identity of ties.identities) {
      expected.identities.push(JSON.stringify([identity.type, identity.name, identity.value, id]));
      if (keys.has(identityKey(identity))) found.push(`two records have ${identityKey(identity)}`);
      keys.add(identityKey(identity));
    }
    for (const alias of ties.aliases) {
      expected.aliases.push(JSON.stringify([alias, id]));
      if (now.records.has(alias)) found.push(`${alias} is a record and an alias`);
    }
  }
  for (const part of ["references", "identities", "aliases"] as const) {
    const right = expected[part].sort();
    if (JSON.stringify(right) !== JSON.stringify(now[part]))
      found.push(`${part} are ${now[part]} and should be ${right}`);
  }
  return [...found, ...(await wrongVersions(db, organizationId, now))];
}

interface VersionRow {
  readonly record_id: string;
  readonly version: number;
  readonly action_id: string;
  readonly state: MemoryRecord | null;
  readonly known_from: Date;
  readonly known_until: Date | null;
}

async function wrongVersions(db: Queryable, organizationId: string, now: Stored): Promise<string[]> {
  const rows = await db.query<VersionRow>(
    `select record_id, version, action_id, state, known_from, known_until from ambit.memory_versions
     where organization_id = $1 order by record_id, version`,
    [organizationId],
  );
  const found: string[] = [];
  const histories = Map.groupBy(rows, ({ record_id }) => record_id);
  for (const id of now.records.keys()) if (!histories.has(id)) found.push(`${id} has no version`);
  for (const [id, versions] of histories) {
    for (const [at, each] of versions.entries()) {
      const next = versions[at + 1];
      if (each.version !== at + 1) found.push(`${id} has version ${each.version} in place ${at + 1}`);
      if (next !== undefined && next.known_from <= each.known_from)
        found.push(`${id}: version ${next.version} is not later than the one before`);
      if (each.known_until?.getTime() !== next?.known_from.getTime())
        found.push(`${id}: version ${each.version} does not end when the next begins`);
      if (each.state !== null && each.state.updated_at !== each.known_from.toISOString())
        found.push(`${id}: version ${each.version} was not made when it says`);
      if (each.state !== null && each.state.action_id !== each.action_id)
        found.push(`${id}: version ${each.version} names another action`);
    }
    const record = now.records.get(id) ?? null;
    const last = versions.at(-1)!.state;
    if (JSON.stringify(sorted(record)) !== JSON.stringify(sorted(last)))
      found.push(`${id} is not what its last version says`);
  }
  return found;
}

/** A value with the names of its objects in order. */
export function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  const entries = Object.entries(value).map(([name, each]) => [name, sorted(each)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
