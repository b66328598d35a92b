import type { JsonObject } from "../../ledger/service.ts";
import { memoryErrors } from "../errors.ts";
import { limits } from "../limits.ts";
import type { MemoryOutcome, MemoryRecord } from "../types.ts";
import { isRepeatable } from "../write/retry.ts";
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
    const tried = await attemptOnce(context, upsert, existing);
    if (!("taken" in tried)) return tried;
    if (existing !== null && upsert.conflict !== undefined && tried.taken.length > 0)
      throw await upsert.conflict(existing, tried.taken);
  }
  throw memoryErrors.MEMORY_BUSY();
}

type Taken = { readonly taken: readonly Identity[] };

async function attemptOnce(
  context: Context,
  upsert: Upsert,
  existing: MemoryRecord | null,
): Promise<MemoryOutcome | Taken> {
  const unit = context.begin();
  const record = upsert.write(unit, existing);
  const write = async () => {
    const taken = await unit.write();
    if (taken.length > 0) throw new TakenSince(taken);
  };
  try {
    // What was taken in part, or waited for in a circle, has to be let go before it is tried again.
    await (unit.contested() ? context.tx.nested(write) : write());
    return unit.outcome(upsert.result(record, existing));
  } catch (error) {
    if (error instanceof TakenSince) return error;
    if (unit.contested() && isRepeatable(error)) return { taken: [] };
    throw error;
  }
}

class TakenSince extends Error {
  readonly taken: readonly Identity[];
  constructor(taken: readonly Identity[]) {
    super("somebody else has the key");
    this.taken = taken;
  }
}
