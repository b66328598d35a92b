import type { JsonObject } from "../../ledger/service.ts";
import { memoryErrors } from "../errors.ts";
import { limits } from "../limits.ts";
import type { MemoryOutcome, MemoryRecord } from "../types.ts";
import { IdentitiesTaken, isRepeatable } from "../write/retry.ts";
import type { Identity } from "../write/shape.ts";
import type { Unit } from "../write/unit.ts";
import type { Context } from "./capability.ts";

/** What is made, or changed when it is there already. */
export interface Upsert {
  /** The record that has the keys, held for a change; throws when there are several. */
  find(): Promise<MemoryRecord | null>;
  /** Gathers the change into the unit and returns the record as it will be. */
  write(unit: Unit, existing: MemoryRecord | null): MemoryRecord;
  /** What to say when a record that is there can't have these keys, because others have them. */
  conflict?(existing: MemoryRecord, taken: readonly Identity[]): Promise<Error>;
  result(record: MemoryRecord, before: MemoryRecord | null): JsonObject;
}

/**
 * Finds or makes a record so that any number of callers at once make exactly one: a key that somebody else has taken
 * since it was looked for leads back to looking. Throws MEMORY_BUSY when that never ends.
 */
export async function upserted(context: Context, upsert: Upsert): Promise<MemoryOutcome> {
  for (let attempt = 1; attempt <= limits.attempts; attempt++) {
    const existing = await upsert.find();
    const unit = context.begin();
    const record = upsert.write(unit, existing);
    const contested = unit.contested();
    try {
      // What was taken in part, or waited for in a circle, has to be let go before it is tried again.
      await (contested ? context.tx.nested(() => unit.write()) : unit.write());
      return unit.outcome(upsert.result(record, existing));
    } catch (error) {
      const taken = error instanceof IdentitiesTaken ? error.identities : [];
      if (existing !== null && taken.length > 0) throw (await upsert.conflict?.(existing, taken)) ?? error;
      if (taken.length === 0 && !(contested && isRepeatable(error))) throw error;
    }
  }
  context.hit("memory_attempts");
  throw memoryErrors.MEMORY_BUSY();
}
