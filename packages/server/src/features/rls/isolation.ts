import type { Queryable } from "../../engines/postgres/database.ts";
import { quoteIdent } from "../../engines/postgres/quote.ts";
import { rlsErrors } from "./errors.ts";
import { installFillTrigger } from "./fill-trigger.ts";
import { publicReadNames, userIsolationName } from "./names.ts";
import { createPolicySql, dropPolicySql, type Policy } from "./policy.ts";
import type { SecuredColumn, SecuredTable } from "./store.ts";

/** "Each end user reaches only their own rows", as one request. */
export interface Isolation {
  readonly table: string;
  /** Holds the id of the end user a row belongs to: uuid or text. */
  readonly userColumn: string;
  /** A boolean; rows where it is true may be read by everyone. */
  readonly publicReadColumn: string | undefined;
}

/** Type of the owner's column → what its value is compared with. */
const CALLER: ReadonlyMap<string, string> = new Map([
  ["uuid", "current_user_id()::uuid"],
  ["text", "current_user_id()"],
  ["varchar", "current_user_id()"],
]);

/**
 * The column that holds the id of a row's owner.
 * @throws VALIDATION_COLUMN_NOT_FOUND, RLS_TYPE_MISMATCH where it can't hold one
 */
export function ownerColumn(table: SecuredTable, name: string): SecuredColumn {
  const column = requireColumn(table, name);
  if (CALLER.has(column.type)) return column;
  throw rlsErrors.RLS_TYPE_MISMATCH({
    message: `${table.name}.${name} is ${column.type}; the column that holds the user's id has to be uuid or text.`,
    remediation: "Choose the column that holds the end user's id, or add one of type uuid or text.",
  });
}

/**
 * The condition under which a row is the caller's own: plain, without a subquery around the function. The function
 * is stable and inlined, so an index on the column is used; and readers of the write-ahead log, who evaluate the
 * condition for many callers in one statement, can change the claims between rows.
 */
const ownRow = (column: SecuredColumn): string => `${quoteIdent(column.name)} = ${CALLER.get(column.type)}`;

/** Puts the policies and the fill trigger on a table that has row-level security. Repeating it changes nothing. */
export async function isolate(
  tx: Queryable,
  table: SecuredTable,
  isolation: Isolation,
): Promise<{ policy: string; publicReads: string[] }> {
  const { publicReadColumn } = isolation;
  const owner = ownerColumn(table, isolation.userColumn);
  const condition = ownRow(owner);
  const wanted: Policy[] = [
    {
      table: table.name,
      name: userIsolationName(table.name),
      command: "ALL",
      roles: ["user"],
      restrictive: false,
      using: condition,
      check: condition,
    },
    ...(publicReadColumn === undefined ? [] : publicReads(table, publicReadColumn)),
  ];
  // Public reading goes when it is not asked for again: the request says what is to be.
  const names = publicReadNames(table.name);
  for (const name of [userIsolationName(table.name), names.user, names.anon]) {
    await tx.query(dropPolicySql(table.name, name));
  }
  for (const policy of wanted) await tx.query(createPolicySql(policy));
  await installFillTrigger(tx, table.name, owner);
  const [own, ...open] = wanted.map(({ name }) => name);
  return { policy: own!, publicReads: open };
}

function publicReads(table: SecuredTable, column: string): Policy[] {
  const { type } = requireColumn(table, column);
  if (type !== "bool") {
    throw rlsErrors.RLS_TYPE_MISMATCH({
      message: `${table.name}.${column} is ${type}; public_read_column has to be boolean.`,
      remediation: "Choose a boolean column, or leave public_read_column out.",
    });
  }
  return (["user", "anon"] as const).map((role) => ({
    table: table.name,
    name: publicReadNames(table.name)[role],
    command: "SELECT",
    roles: [role],
    restrictive: false,
    using: quoteIdent(column),
    check: null,
  }));
}

function requireColumn(table: SecuredTable, name: string): SecuredColumn {
  const column = table.columns.get(name);
  if (column !== undefined) return column;
  throw rlsErrors.VALIDATION_COLUMN_NOT_FOUND({
    message: `${table.name} has no column ${name.slice(0, 80)}.`,
  });
}
