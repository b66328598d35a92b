import { calledName, items, strings, wrapped } from "./ast.ts";
import { childrenOf } from "./nodes.ts";
import type { AstFields } from "./parser.ts";

/**
 * Postgres reads `f.name` as the call `name(f)` when `f` has no such column. Where `f` is a function in FROM that
 * returns single values, as in `FROM unnest(ARRAY[5.0]) AS f`, that reaches every function of one argument:
 * `SELECT f.pg_sleep`. So behind such an alias only names known to be columns are accepted.
 */

/** Alias of a function in FROM → the column names it certainly has. */
export type FunctionAliases = ReadonlyMap<string, ReadonlySet<string>>;

/** Output columns of the allowed functions; no function has one of these names. */
export const OUTPUT_COLUMNS: ReadonlySet<string> = new Set([
  "key",
  "value",
  "ordinality",
  "lexeme",
  "positions",
  "weights",
]);

/**
 * The aliases of all functions in FROM anywhere in the tree. An alias used twice keeps only the columns that both
 * have, because here a name is not followed into its scope.
 */
export function collectFunctionAliases(tag: string, fields: AstFields): FunctionAliases {
  const found = new Map<string, ReadonlySet<string>>();
  const walk = (currentTag: string, current: AstFields): void => {
    if (currentTag === "RangeFunction") {
      const { alias, columns } = aliasOf(current);
      const before = found.get(alias);
      found.set(alias, before ? new Set([...columns].filter((column) => before.has(column))) : columns);
    }
    for (const child of childrenOf(currentTag, current)) walk(child.tag, child.fields);
  };
  walk(tag, fields);
  return found;
}

function aliasOf(fields: AstFields): { alias: string; columns: Set<string> } {
  const given = (fields.alias ?? {}) as AstFields;
  const declared = [
    ...strings(given.colnames),
    ...items(fields.coldeflist).map(([, column]) => String(column.colname)),
  ];
  const [, firstFunction] = items(fields.functions)[0] ?? ["", {}];
  const [, call] = wrapped((firstFunction.items as unknown[] | undefined)?.[0]);
  const alias = String(given.aliasname ?? calledName(call).at(-1) ?? "");
  // Without a column list the one column is named like the alias.
  return { alias, columns: new Set(declared.length > 0 ? declared : [alias]) };
}
