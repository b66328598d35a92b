import type { Metrics } from "../../kernel/metrics.ts";
import { parseFilter } from "./filters/parse.ts";
import type { FilterTable, RowFilter } from "./filters/types.ts";
import type { Subscription, Viewer } from "./subscriptions.ts";
import type { TableView } from "./table-view.ts";

/** A table as this viewer's filters and column lists may speak of it. */
export function readableBy(
  view: TableView,
  viewer: Viewer,
): FilterTable & { readonly key: readonly string[] } {
  const mask = viewer.role === "service" ? null : view.roles[viewer.role].mask;
  return {
    name: view.table,
    columns: view.columnTypes,
    key: view.key,
    readable: (column) => mask === null || mask.has(column),
  };
}

/** The filter that was asked for, or what is wrong with it. */
export function readFilter(
  input: unknown,
  table: FilterTable,
  limitsHit: Metrics["limitsHit"],
): RowFilter | string {
  const parsed = parseFilter(input, table);
  if (!("problem" in parsed)) return parsed;
  if (parsed.limit !== undefined) limitsHit.inc({ limit: parsed.limit });
  return parsed.problem;
}

/** Stands for a filter that can't be read: lets nothing through. */
export const nothingOf = (asked: unknown): RowFilter => ({
  ...{ key: `nothing ${JSON.stringify(asked)}`, columns: [], needsSql: false, condition: "false" },
  test: () => false,
});

/**
 * A subscription's filters for a table whose columns have become others: what they compare with was read by the types
 * of before. One that makes no sense any more lets nothing through, and the problem is told.
 */
export function readAgain(
  { asked, peer }: Subscription,
  view: TableView,
  limitsHit: Metrics["limitsHit"],
): { readonly filters: readonly RowFilter[] | null; readonly problem: string | null } {
  if (asked === null) return { filters: null, problem: null };
  if (!view.exists) return { filters: asked.map(nothingOf), problem: null };
  const read = asked.map((input) => readFilter(input, readableBy(view, peer.viewer), limitsHit));
  return {
    filters: read.map((filter, at) => (typeof filter === "string" ? nothingOf(asked[at]) : filter)),
    problem: read.find((filter) => typeof filter === "string") ?? null,
  };
}
