import type { Queryable, Transaction } from "../../engines/postgres/database.ts";
import type { JsonObject } from "../ledger/service.ts";
import type { MemoryReads } from "./read/reads.ts";
import type { MemoryOutcome, MemoryWork, Principle } from "./types.ts";

export type { MemoryReads } from "./read/reads.ts";
export type * from "./types.ts";

/** A way to write the memory; what `propose_action` calls a capability. */
export interface MemoryCapability {
  readonly name: string;
  /** One sentence for whoever chooses between capabilities. */
  readonly summary: string;
  /** JSON Schema of what a payload may hold. */
  readonly payloadSchema: JsonObject;
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

export interface MemoryService extends MemoryReads {
  /** Every capability that writes the memory, by name. */
  readonly capabilities: ReadonlyMap<string, MemoryCapability>;
  /**
   * Does what the capability says; throws AmbitError for what can't be done (unknown ids, stale lock, ambiguous keys).
   * What it throws leaves work half done in `tx`: roll back, at least to a savepoint. When another transaction was at
   * the same records that may be Postgres' own 40P01 or 40001; the whole transaction then works when it is repeated.
   */
  execute(tx: Transaction, work: MemoryWork, capability: string, payload: JsonObject): Promise<MemoryOutcome>;
  /**
   * Puts back what an action changed: deleted records come back under their ids, references and aliases included.
   * Throws REVERT_BLOCKED with `details.blockers` when later actions built on it. An action that changed nothing is
   * undone by changing nothing.
   */
  revert(tx: Transaction, work: MemoryWork, targetActionId: string): Promise<MemoryOutcome>;
  /**
   * The order in which these actions can be undone, and what stands in the way of the others. Changes nothing. Actions
   * the memory has nothing of count as done nothing and can always be undone.
   */
  planRevert(
    db: Queryable,
    organizationId: string,
    actionIds: readonly string[],
  ): Promise<{ order: string[]; blocked: { action_id: string; blockers: RevertBlocker[] }[] }>;
  /** Principles in force. */
  principles(db: Queryable, organizationId: string): Promise<Principle[]>;
  /** The actions that wrote a record, or an entity merged into it; in the order of their ids. */
  actionsOf(db: Queryable, organizationId: string, recordId: string): Promise<string[]>;
  /**
   * Erases values of a record everywhere the memory keeps them, history included, and those of entities merged into it;
   * `fields` null erases all of them. What was erased is marked in `data.erased` as `{<field>: true}`. Returns the
   * number of rows that lost something.
   */
  erase(
    tx: Transaction,
    organizationId: string,
    recordId: string,
    fields: readonly string[] | null,
  ): Promise<number>;
}
