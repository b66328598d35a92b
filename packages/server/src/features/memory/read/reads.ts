import type { Queryable } from "../../../engines/postgres/database.ts";
import type { JsonObject } from "../../ledger/service.ts";
import type { MemoryReader, MemoryRecord, RecordKind } from "../types.ts";
import type { ReadInput, ReadName } from "./inputs.ts";

/** What each way of reading answers, as the wire has it; null when there is nothing the reader may see. */
export interface Answers extends Record<ReadName, JsonObject | null> {
  /** `{entities, total?, next_cursor?}`, newest made first. */
  readonly findEntities: JsonObject;
  /** The entity, with `requested_id` and `alias_of` when the id led to another. */
  readonly getEntity: JsonObject | null;
  /** `{source_artifacts, artifacts, total?, next_cursor?}`, newest made first, without their content. */
  readonly listArtifacts: JsonObject;
  readonly getArtifact: JsonObject | null;
  /** `{results, next_cursor?, corrections?}`, best first. */
  readonly searchMemory: JsonObject;
  /** `{results, next_before}`, newest change first. */
  readonly listMemory: JsonObject;
  /** A record of any kind, its own fields under `data`. */
  readonly getRecord: JsonObject | null;
  /** `{id, versions, next_before}`, newest first. */
  readonly history: JsonObject | null;
  /** `{id, links, next_cursor?}`: links, fields that name the record, and those by which it names others. */
  readonly connections: JsonObject | null;
  /** `{principles, next_cursor?}`, newest change first. */
  readonly listPrinciples: JsonObject;
  readonly getPrinciple: JsonObject | null;
}

/** Every way of reading the wire has; what the reader may not see is in no list and in no number. */
export type WireReads = {
  readonly [K in ReadName]: (reader: MemoryReader, input: ReadInput<K>) => Promise<Answers[K]>;
};

/** Reading for other features. */
export interface MemoryReads {
  /**
   * Records as lists show them (source artifacts without their content), newest change first; `before` is the
   * `nextBefore` of the page before.
   */
  list(
    reader: MemoryReader,
    filter: {
      readonly kinds: readonly RecordKind[];
      readonly subtype?: string | undefined;
      readonly status?: string | undefined;
      readonly entityId?: string | undefined;
      readonly limit: number;
      readonly before?: string | undefined;
      readonly asOf?: Date | null;
    },
  ): Promise<{ records: MemoryRecord[]; nextBefore: string | null }>;
  /**
   * Numbers a daily snapshot keeps, of the whole organisation. Per kind, and for principles, `<kind>_count` and
   * `<kind>_count_24h` (made in the 24 hours before `nowMs`); `active_principle_count`, `open_`, `overdue_`,
   * `fulfilled_` and `broken_commitment_count`.
   */
  counts(db: Queryable, organizationId: string, nowMs: number): Promise<JsonObject>;
  /** One record, aliases resolved; null when there is none the reader may see. `asOf`: as it was known then. */
  get(reader: MemoryReader, id: string, asOf?: Date | null): Promise<MemoryRecord | null>;
}
