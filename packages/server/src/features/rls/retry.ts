import { rlsErrors } from "./errors.ts";
import { limits } from "./limits.ts";

/** "deadlock detected", "could not serialize access", "lock not available", "query canceled". */
const IN_THE_WAY = new Set(["40P01", "40001", "55P03", "57014"]);
const REPEATABLE = new Set(["40P01", "40001"]);

const codeOf = (error: unknown): string =>
  error instanceof Error ? String((error as { code?: unknown }).code ?? "") : "";

/** Whether others who use the same tables made it fail, rather than what was asked. */
export const isInTheWay = (error: unknown): boolean => IN_THE_WAY.has(codeOf(error));

/**
 * Runs a whole transaction, again if it and another one waited for each other.
 * @throws RLS_TABLE_BUSY when others stay in the way
 */
export async function pastOthers<T>(transaction: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await transaction();
    } catch (error) {
      if (!isInTheWay(error)) throw error;
      if (attempt < limits.attempts && REPEATABLE.has(codeOf(error))) continue;
      throw rlsErrors.RLS_TABLE_BUSY({ cause: error, headers: { "Retry-After": "2" } });
    }
  }
}
