import type { Queryable } from "../../../engines/postgres/database.ts";
import type { JsonObject } from "../../ledger/service.ts";
import type { MemoryReader, MemoryRecord, RecordKind } from "../types.ts";
import { RECORD_COLUMNS } from "../write/store.ts";
import { Parameters } from "./parameters.ts";
import { type RecordRow, recordOf } from "./rows.ts";
import { bindReader, visibleNow, visibleThen } from "./scope.ts";

/**
 * One record with everything in it, or null when there is none the reader may see. The id of an entity that was merged
 * away leads to the one it was merged into; as of an instant before that it leads to itself.
 */
export async function getRecord(
  db: Queryable,
  reader: MemoryReader,
  id: string,
  asOf: Date | null,
): Promise<MemoryRecord | null> {
  // As of an instant a chain of merges is followed step by step: only its end says where the id leads now.
  for (let next: string | null = id; next !== null; ) {
    const record = await recordAt(db, reader, next, asOf);
    if (record !== null) return record;
    next = asOf === null ? await winnerNow(db, reader, next) : await winnerThen(db, reader, next, asOf);
  }
  return null;
}

async function winnerNow(db: Queryable, reader: MemoryReader, id: string): Promise<string | null> {
  const [alias] = await db.query<{ entity_id: string }>(
    "select entity_id from ambit.memory_aliases where organization_id = $1 and alias_id = $2",
    [reader.organizationId, id],
  );
  return alias?.entity_id ?? null;
}

/** Into which entity the id had been merged by then: the one that the action which took it away let take it in. */
async function winnerThen(
  db: Queryable,
  reader: MemoryReader,
  id: string,
  asOf: Date,
): Promise<string | null> {
  const [winner] = await db.query<{ record_id: string }>(
    `select w.record_id from ambit.memory_versions l
     join ambit.memory_versions w on w.organization_id = l.organization_id and w.action_id = l.action_id
       and w.kind = 'entity' and w.state -> 'data' -> 'merged_ids' ? l.record_id
     where l.organization_id = $1 and l.record_id = $2 and l.state is null
       and l.known_from <= $3 and (l.known_until is null or l.known_until > $3)`,
    [reader.organizationId, id, asOf.toISOString()],
  );
  return winner?.record_id ?? null;
}

async function recordAt(
  db: Queryable,
  reader: MemoryReader,
  id: string,
  asOf: Date | null,
): Promise<MemoryRecord | null> {
  const bind = new Parameters();
  const who = bindReader(bind, reader);
  const wanted = bind.add(id, "text");
  if (asOf === null) {
    const [row] = await db.query<RecordRow>(
      `select ${RECORD_COLUMNS} from ambit.memory_records r
       where r.organization_id = ${who.organization} and r.id = ${wanted} and ${visibleNow(who, "r")}`,
      bind.values,
    );
    return row === undefined ? null : recordOf(row);
  }
  const instant = bind.add(asOf.toISOString(), "timestamptz");
  const [row] = await db.query<{ state: MemoryRecord }>(
    `select v.state from ambit.memory_versions v
     where v.organization_id = ${who.organization} and v.record_id = ${wanted} and v.state is not null
       and v.known_from <= ${instant} and (v.known_until is null or v.known_until > ${instant})
       and ${visibleThen(who, "v", instant)}`,
    bind.values,
  );
  return row?.state ?? null;
}

const DAY_MS = 86_400_000;

/** See `MemoryReads.counts`. */
export async function countRecords(
  db: Queryable,
  organizationId: string,
  nowMs: number,
): Promise<JsonObject> {
  const now = new Date(nowMs).toISOString();
  const [row] = await db.query<Record<string, number>>(COUNTS, [
    organizationId,
    now,
    new Date(nowMs - DAY_MS).toISOString(),
    now,
  ]);
  return row!;
}

const kindCount = (name: string, condition: string) =>
  `count(*) filter (where ${condition})::int as ${name}_count,
   count(*) filter (where ${condition} and created_at > $3::timestamptz and created_at <= $2::timestamptz)::int as ${name}_count_24h`;

const OPEN = "kind = 'commitment' and status in ('proposed', 'tentative', 'confirmed')";

const COUNTS = `select ${(
  ["entity", "decision", "commitment", "learning", "source_artifact", "link"] satisfies RecordKind[]
)
  .map((kind) => kindCount(kind, `kind = '${kind}'`))
  .join(", ")},
  ${kindCount("principle", "kind = 'decision' and subtype = 'principle'")},
  count(*) filter (where kind = 'decision' and subtype = 'principle' and status = 'active')::int as active_principle_count,
  count(*) filter (where ${OPEN})::int as open_commitment_count,
  -- Due times are kept as UTC texts of one form, which sort as the times do.
  count(*) filter (where ${OPEN} and data ->> 'due_at' collate "C" < $4)::int as overdue_commitment_count,
  count(*) filter (where kind = 'commitment' and status = 'fulfilled')::int as fulfilled_commitment_count,
  count(*) filter (where kind = 'commitment' and status = 'broken')::int as broken_commitment_count
  from ambit.memory_records where organization_id = $1`;
