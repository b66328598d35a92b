import { createHash } from "node:crypto";
import { limits } from "./limits.ts";

/** Names of tables, columns, indexes and constraints. Lower case only, so quoting never changes what a name means. */
export const IDENTIFIER = /^[a-z_][a-z0-9_]*$/;

/** Columns every table of Postgres has already. */
const SYSTEM_COLUMNS = new Set(["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"]);

/** Why the text can't be a name; null when it can. */
export function identifierProblem(name: string): string | null {
  if (!IDENTIFIER.test(name)) {
    return `"${name.slice(0, 80)}" is not a usable name: use lower-case letters, digits and _, and begin with a letter or _.`;
  }
  if (name.length > limits.nameBytes) return `"${name}" is longer than ${limits.nameBytes} characters.`;
  return null;
}

/** Like `identifierProblem`, for a column. */
export function columnNameProblem(name: string): string | null {
  if (SYSTEM_COLUMNS.has(name)) return `"${name}" is a system column of every table; choose another name.`;
  return identifierProblem(name);
}

/**
 * The parts joined with _, as Postgres would hold it. Where that is too long, the end is replaced by a hash of the
 * whole, so that two long names stay two and the same parts always give the same name.
 */
export function derivedName(...parts: readonly string[]): string {
  const name = parts.join("_");
  if (name.length <= limits.nameBytes) return name;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, 8);
  return `${name.slice(0, limits.nameBytes - hash.length - 1)}_${hash}`;
}

/** The name a constraint or sequence has when it comes from a column's own flag. */
export const nameOf = {
  primaryKey: (table: string) => derivedName(table, "pkey"),
  unique: (table: string, column: string) => derivedName(table, column, "key"),
  check: (table: string, column: string) => derivedName(table, column, "check"),
  foreignKey: (table: string, column: string) => derivedName("fk", table, column),
  sequence: (table: string, column: string) => derivedName(table, column, "seq"),
} as const;
