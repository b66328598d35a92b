import { AmbitError } from "../../kernel/errors.ts";
import { EMPTY_QUERY } from "./ast.ts";
import { exactJson } from "./exact-json.ts";
import type { DataService, RowsTarget } from "./service.ts";

type Row = Record<string, unknown>;

/** What became of each row of a seed. */
export interface Seeded {
  inserted: number;
  failed: number;
  errors: { row_index: number; error: string; code: string; details?: unknown }[];
  rows: Row[];
}

const OPTIONS = { minimal: false, resolution: null } as const;

/** Errors that are about the whole call, not about one row of it. */
const FATAL = new Set([
  "VALIDATION_TABLE_NOT_FOUND",
  "VALIDATION_RESERVED_TABLE",
  "DATABASE_UNAVAILABLE",
  "REQUEST_TIMEOUT",
]);

/** Inserts all rows at once; if any of them can't be, one by one, so that the others are. */
export async function seedRows(
  service: DataService,
  target: RowsTarget,
  rows: readonly Row[],
): Promise<Seeded> {
  try {
    const { body } = await service.insert(target, JSON.stringify(rows), EMPTY_QUERY, OPTIONS);
    const inserted = exactJson(body) as Row[];
    return { inserted: inserted.length, failed: 0, errors: [], rows: inserted };
  } catch (error) {
    if (!(error instanceof AmbitError) || FATAL.has(error.code)) throw error;
  }
  const seeded: Seeded = { inserted: 0, failed: 0, errors: [], rows: [] };
  for (const [index, row] of rows.entries()) {
    try {
      const { body } = await service.insert(target, JSON.stringify(row), EMPTY_QUERY, OPTIONS);
      seeded.rows.push(exactJson(body) as Row);
      seeded.inserted += 1;
    } catch (error) {
      if (!(error instanceof AmbitError) || FATAL.has(error.code)) throw error;
      const { code, message, details } = error;
      seeded.failed += 1;
      seeded.errors.push({
        row_index: index,
        error: message,
        code,
        ...(details === undefined ? {} : { details }),
      });
    }
  }
  return seeded;
}
