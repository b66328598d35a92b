import type { Query } from "./ast.ts";
import { limits } from "./limits.ts";
import { parseQueryString } from "./query-params.ts";
import type { SqlContext } from "./sql-scope.ts";
import { buildList, type ListOptions, type ListPlan } from "./sql-select.ts";
import { type Tables, tableOf } from "./tables.ts";

/** Compiled lists by what was asked. */
export interface Plans {
  list(context: SqlContext, table: string, query: Query | string, options: ListOptions): ListPlan;
}

/**
 * Keeps the plans of query strings that repeat for as long as the app's tables stay the same object: a new version of
 * the tables starts with none.
 */
export function createPlans(): Plans {
  const byTables = new WeakMap<Tables, Map<string, ListPlan>>();
  return {
    list(context, name, query, options) {
      const build = (parsed: Query) => buildList(context, tableOf(context.tables, name), parsed, options);
      if (typeof query !== "string") return build(query);
      if (query.length > limits.cachedQueryChars) return build(parseQueryString(query));
      const key = `${context.role} ${options.count ? "c" : ""}${options.cursor ? "k" : ""} ${name}?${query}`;
      let plans = byTables.get(context.tables);
      if (plans === undefined) {
        plans = new Map();
        byTables.set(context.tables, plans);
      }
      let plan = plans.get(key);
      if (plan === undefined) {
        plan = build(parseQueryString(query));
        if (plans.size >= limits.cachedPlans) plans.clear();
        plans.set(key, plan);
      }
      return plan;
    },
  };
}
