import type { Transaction } from "../../../engines/postgres/database.ts";
import { newSortableId } from "../../../kernel/ids.ts";
import type { JsonObject } from "../../ledger/service.ts";
import { memoryErrors } from "../errors.ts";
import { limits } from "../limits.ts";
import type { MemoryChange, MemoryOutcome, MemoryRecord, MemoryWork, RecordKind } from "../types.ts";
import { type DataOf, PREFIX_OF } from "./data.ts";
import { type Change, type Difference, differenceOf } from "./difference.ts";
import { withoutOldMarks } from "./erasure.ts";
import { flushAddition, flushRemoval } from "./flush.ts";
import { equalJson } from "./json.ts";
import { IdentitiesTaken, type LimitHit } from "./retry.ts";
import { identityKey, shapeOf } from "./shape.ts";

/**
 * What one action changes, gathered and then written at once: records, a version of each, and the identities,
 * references and aliases that follow from their data.
 */
export interface Unit {
  /** A new record; nobody else knows its id before `write`. */
  create<K extends RecordKind>(kind: K, data: DataOf[K]): MemoryRecord;
  /** The record with other data. Equal data is no change: the record stays as it is and gets no version. */
  change<K extends RecordKind>(before: MemoryRecord & { kind: K }, data: DataOf[K]): MemoryRecord;
  remove(before: MemoryRecord): void;
  /** Puts a record back as an earlier version had it, or makes it gone; `last` is its version until now. */
  restore(restoration: Restoration): void;
  /** Whether `write` may take some identities and then wait for, or lack, others: it is then to be in a savepoint. */
  contested(): boolean;
  /**
   * Writes everything gathered. Throws IdentitiesTaken when other records have some of the identities; unless it is
   * `contested` nothing new has been written then.
   */
  write(): Promise<void>;
  outcome(result: JsonObject): MemoryOutcome;
}

export interface Restoration {
  readonly id: string;
  readonly kind: RecordKind;
  /** The record as it is now; null: it is gone. */
  readonly before: MemoryRecord | null;
  /** What it is to be again; null: gone. */
  readonly state: MemoryRecord | null;
  readonly last: { readonly version: number; readonly knownFromMs: number };
  /** See `memory_versions.restores`. */
  readonly restores: number;
}

export function createUnit(tx: Transaction, work: MemoryWork, hit: LimitHit): Unit {
  const changes = new Map<string, Change>();
  const put = (id: string, change: Change) => void changes.set(id, change);
  const difference = () => differenceOf([...changes.values()]);
  return {
    create(kind, data) {
      const at = new Date(work.nowMs).toISOString();
      const record: MemoryRecord = {
        id: newSortableId(PREFIX_OF[kind], work.nowMs),
        kind,
        ...shapeOf(kind, data),
        data,
        source_app_id: work.sourceAppId,
        action_id: work.actionId,
        created_by_action: work.actionId,
        version: 1,
        created_at: at,
        updated_at: at,
      };
      put(record.id, { before: null, after: record, removal: null, restores: null });
      return record;
    },
    change(before, given) {
      if (equalJson(before.data, given)) return before;
      const data = withoutOldMarks(before.data, given);
      const record: MemoryRecord = {
        ...before,
        ...shapeOf(before.kind, data),
        data,
        action_id: work.actionId,
        version: before.version + 1,
        updated_at: laterThan(Date.parse(before.updated_at), work.nowMs),
      };
      put(record.id, { before, after: record, removal: null, restores: null });
      return record;
    },
    remove(before) {
      const { id, kind } = before;
      const at = laterThan(Date.parse(before.updated_at), work.nowMs);
      const removal = { id, kind, version: before.version + 1, at, restores: null };
      put(id, { before, after: null, removal, restores: null });
    },
    restore({ id, kind, before, state, last, restores }) {
      const version = last.version + 1;
      const at = laterThan(last.knownFromMs, work.nowMs);
      const after = state === null ? null : { ...state, action_id: work.actionId, version, updated_at: at };
      put(id, { before, after, removal: after ? null : { id, kind, version, at, restores }, restores });
    },
    contested() {
      const { removal, addition } = difference();
      const added = addition?.identities.length ?? 0;
      return added > 1 || (added > 0 && removal !== null);
    },
    async write() {
      refuseTooLarge([...changes.values()], hit);
      await writeAll(tx, work, difference());
    },
    outcome: (result) => ({ result, changes: [...changes.values()].map(changeOf) }),
  };
}

const changeOf = ({ before, after }: Change): MemoryChange => {
  const { id, kind } = (after ?? before)!;
  return { id, kind, before, after };
};

/** Now, but always after what was there before: `updated_at` orders the versions of a record. Pure. */
function laterThan(beforeMs: number, nowMs: number): string {
  return new Date(Math.max(nowMs, beforeMs + 1)).toISOString();
}

function refuseTooLarge(all: readonly Change[], hit: LimitHit): void {
  if (all.length > limits.recordsPerAction) {
    hit("memory_records_per_action");
    throw memoryErrors.MEMORY_CHANGE_TOO_LARGE({ details: { records: all.length } });
  }
  for (const { after } of all) {
    const chars = after === null ? 0 : JSON.stringify(after.data).length;
    if (chars <= limits.recordChars) continue;
    hit("memory_record_chars");
    throw memoryErrors.MEMORY_RECORD_TOO_LARGE({ details: { id: after?.id, chars } });
  }
}

async function writeAll(tx: Transaction, work: MemoryWork, { removal, addition }: Difference): Promise<void> {
  if (removal !== null) await flushRemoval(tx, work, removal);
  if (addition === null) return;
  const { records, identities } = addition;
  const size = limits.recordsPerStatement;
  const first = { ...addition, records: records.slice(0, size) };
  const free = await flushAddition(tx, work.organizationId, first);
  if (free.length < identities.length) {
    const ours = new Set(free.map(identityKey));
    throw new IdentitiesTaken(identities.filter((identity) => !ours.has(identityKey(identity))));
  }
  for (let at = size; at < records.length; at += size) {
    const rest = { records: records.slice(at, at + size), references: [], identities: [], aliases: [] };
    await flushAddition(tx, work.organizationId, rest);
  }
}
