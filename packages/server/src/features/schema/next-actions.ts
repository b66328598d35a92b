import type { NextAction } from "../../kernel/operation.ts";
import type { SchemaModel } from "./model.ts";

/** What to do next, from what there is. Pure. */

const CREATE: NextAction = {
  action: "apply",
  description: "Declare tables and columns; a dry run shows the statements first.",
  tool: "manage_schema",
  when: "The app has no tables yet",
};

const REALTIME: NextAction = {
  action: "configure",
  description: "Broadcast changes of rows over WebSocket.",
  tool: "manage_realtime",
  when: "Clients should see changes as they happen",
};

const INSERT: NextAction = {
  action: "insert_row",
  description: "Write the first rows.",
  tool: "insert_row",
  when: "The tables are there",
};

const protect = (tables: readonly string[]): NextAction[] => [
  {
    action: "create_user_isolation",
    description: `Let each end user reach only their own rows of: ${tables.join(", ")}.`,
    tool: "manage_rls",
    when: "Rows belong to the end user who makes them",
  },
  {
    action: "enable",
    description: `Switch row-level security on for: ${tables.join(", ")}. Until then every caller the app lets in reads and writes all rows.`,
    tool: "manage_rls",
    when: "Access follows other rules",
  },
];

export function afterGet(schema: SchemaModel): NextAction[] {
  if (schema.tables.size === 0) return [CREATE];
  const open = [...schema.tables.values()].filter((table) => !table.rlsEnabled).map(({ name }) => name);
  return [...(open.length > 0 ? protect(open) : []), REALTIME];
}

export const afterApply = (openTables: readonly string[]): NextAction[] => [
  ...(openTables.length > 0 ? protect(openTables) : []),
  INSERT,
  REALTIME,
];

export const afterDryRun = (blocked: boolean): NextAction[] => [
  blocked
    ? {
        action: "apply",
        description: "Add what authorises each blocked statement (_drop…, allowTypeChange) before applying.",
        tool: "manage_schema",
        when: "The losses are meant",
      }
    : {
        action: "apply",
        description: "Apply the same document.",
        tool: "manage_schema",
        when: "The statements are what is meant",
      },
];

/** One warning for each table that everyone may use. */
export const openTableWarnings = (tables: readonly string[]): string[] =>
  tables.map(
    (name) =>
      `Table ${name} has no row-level security: every caller the app lets in can read and write all of its rows.`,
  );
