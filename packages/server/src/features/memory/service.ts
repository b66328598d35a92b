import type { Queryable, Transaction } from "../../engines/postgres/database.ts";
import type { JsonObject } from "../ledger/service.ts";
import type {
  MemoryOutcome,
  MemoryReader,
  MemoryRecord,
  MemoryWork,
  Principle,
  RecordKind,
} from "./types.ts";

export type * from "./types.ts";

/** A way to write the memory; what `propose_action` calls a capability. */
export interface MemoryCapability {
  readonly name: string;
  /** Checks a payload; throws VALIDATION_INVALID_SCHEMA with every problem and gives back the payload as it is stored. */
  parse(payload: JsonObject): JsonObject;
}

/** Which later actions stand in the way of undoing one. */
export interface RevertBlocker {
  readonly action_id: string;
  readonly record_id: string;
  /** For people, e.g. "com_… (commitment) refers to ent_…". */
  readonly reason: string;
}

export interface MemoryService {
  /** Every capability that writes the memory, by name. */
  readonly capabilities: ReadonlyMap<string, MemoryCapability>;
  /** Does what the capability says; throws AmbitError for what can't be done (unknown ids, stale lock, ambiguous keys). */
  execute(tx: Transaction, work: MemoryWork, capability: string, payload: JsonObject): Promise<MemoryOutcome>;
  /**
   * Puts back what an action changed: deleted records come back under their ids, references and aliases included.
   * Throws REVERT_BLOCKED with `details.blockers` when later actions built on it.
   */
  revert(tx: Transaction, work: MemoryWork, targetActionId: string): Promise<MemoryOutcome>;
  /** The order in which these actions can be undone, and what stands in the way of the others. Changes nothing. */
  planRevert(
    db: Queryable,
    organizationId: string,
    actionIds: readonly string[],
  ): Promise<{ order: string[]; blocked: { action_id: string; blockers: RevertBlocker[] }[] }>;
  /** Principles in force. */
  principles(db: Queryable, organizationId: string): Promise<Principle[]>;
  /** Records of one kind as lists show them, newest change first; `before` is the last row's cursor. */
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
  /** Numbers a daily snapshot keeps: `entity_count`, `decision_count`, `decision_count_24h`, … per kind. */
  counts(db: Queryable, organizationId: string, nowMs: number): Promise<JsonObject>;
  /** One record, aliases resolved; null when there is none the reader may see. `asOf`: as it was known then. */
  get(reader: MemoryReader, id: string, asOf?: Date | null): Promise<MemoryRecord | null>;
  /** Erases values of a record everywhere they are kept, history included; `fields` null erases all of them. */
  erase(
    tx: Transaction,
    organizationId: string,
    recordId: string,
    fields: readonly string[] | null,
  ): Promise<number>;
}
