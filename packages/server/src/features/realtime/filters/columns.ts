import { limits } from "../limits.ts";
import { unknownColumn } from "./parse.ts";
import type { FilterProblem, FilterTable } from "./types.ts";

/**
 * The columns a subscription asked for, in the table's order, with those of the key that may be read; null for all
 * (nothing was asked for). Pure.
 */
export function columnList(
  input: unknown,
  table: FilterTable & { readonly key: readonly string[] },
): { readonly names: readonly string[] | null } | FilterProblem {
  if (input === undefined || input === null) return { names: null };
  if (!Array.isArray(input) || !input.every((name) => typeof name === "string")) {
    return { problem: 'columns is a list of names, such as ["id", "title"].' };
  }
  if (input.length > limits.subscriptionColumns) {
    const problem = `A subscription names at most ${limits.subscriptionColumns} columns.`;
    return { problem, limit: "subscriptionColumns" };
  }
  const readable = (name: string) =>
    table.columns.some((column) => column.name === name) && table.readable(name);
  const unknown = input.find((name) => !readable(name));
  if (unknown !== undefined) return { problem: unknownColumn(table, unknown, "list of columns") };
  const wanted = new Set([...input, ...table.key.filter(readable)]);
  return { names: table.columns.map(({ name }) => name).filter((name) => wanted.has(name)) };
}
