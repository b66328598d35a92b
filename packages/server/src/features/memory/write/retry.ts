import type { Transaction } from "../../../engines/postgres/database.ts";
import { memoryErrors } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Identity } from "./shape.ts";

/** Told when a limit turned something away, by the limit's name. */
export type LimitHit = (limit: string) => void;

/** "deadlock detected" and "could not serialize access": the same again may well succeed. */
const REPEATABLE = new Set(["40P01", "40001"]);

/** Another transaction has changed what this one went by. Never leaves the feature. */
export class Overtaken extends Error {}

/** Other records have these identities, perhaps since a moment ago. */
export class IdentitiesTaken extends Overtaken {
  readonly identities: readonly Identity[];
  constructor(identities: readonly Identity[]) {
    super("other records have the identities");
    this.identities = identities;
  }
}

/** Whether what another transaction did meanwhile, not the work itself, made it fail. */
export const isRepeatable = (error: unknown): boolean =>
  error instanceof Overtaken ||
  (error instanceof Error && REPEATABLE.has((error as { code?: string }).code ?? ""));

/**
 * Runs `work` so that it can be undone and repeated when another transaction holds what it needs in another order, or
 * has changed what it went by.
 * Throws MEMORY_BUSY once it has been tried `limits.attempts` times.
 */
export async function repeated<T>(
  tx: Transaction,
  hit: LimitHit,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await tx.nested(work);
    } catch (error) {
      if (!isRepeatable(error)) throw error;
      if (attempt < limits.attempts) continue;
      hit("memory_attempts");
      throw memoryErrors.MEMORY_BUSY({ cause: error });
    }
  }
}
