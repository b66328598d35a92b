import type { Canonical } from "../canonical.ts";
import type { Declared } from "../document.ts";
import type { SchemaModel } from "../model.ts";
import { planColumns } from "./columns.ts";
import { planConstraints } from "./constraints.ts";
import { planEnums } from "./enums.ts";
import { planGrants } from "./grants.ts";
import { planRenames } from "./renames.ts";
import { type Statement, StatementList } from "./statement.ts";
import { planDrops, planIndexes, planNewTable, planTableComment } from "./tables.ts";

export type { Statement } from "./statement.ts";
export { StatementList } from "./statement.ts";

/** The first step of a plan: `renamed` is the schema that the second step starts from. */
export function startPlan(
  declared: Declared,
  actual: SchemaModel,
): { out: StatementList; renamed: SchemaModel } {
  const out = new StatementList();
  return { out, renamed: planRenames(out, declared, actual) };
}

/**
 * Everything that leads from the schema as it is (after the renames) to what the document declares, in an order that
 * works. Empty when they are the same. Pure; `canonical` says what Postgres makes of the declared expressions.
 */
export function finishPlan(
  out: StatementList,
  declared: Declared,
  renamed: SchemaModel,
  canonical: Canonical,
): Statement[] {
  const isEnum = (base: string) => renamed.enums.has(base);
  for (const table of declared.tables) {
    const actual = renamed.tables.get(table.name);
    if (actual === undefined) planNewTable(out, table);
    else {
      planColumns(out, table, actual, canonical, isEnum);
      planConstraints(out, table, actual, canonical);
      planIndexes(out, table, actual, canonical);
    }
    planGrants(out, renamed.appId, table, actual);
    planTableComment(out, table, actual);
  }
  planDrops(out, declared.drop, renamed);
  planEnums(out, declared, renamed);
  return out.inOrder();
}
