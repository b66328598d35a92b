import { quoteIdent } from "../../../engines/postgres/quote.ts";
import type { Canonical } from "../canonical.ts";
import { SERIAL_OF, typeSql } from "../column-type.ts";
import { alterTable, columnSql, columnTarget, commentSql, identitySql, setSequenceSql } from "../ddl.ts";
import type { DeclaredColumn, DeclaredTable } from "../document.ts";
import { nameOf } from "../identifiers.ts";
import { type ColumnModel, columnOf, type TableModel } from "../model.ts";
import { sameDefault, sameText } from "../same.ts";
import { keepsValues } from "../type-change.ts";
import { wantedPrimaryKey } from "./constraints.ts";
import type { StatementList } from "./statement.ts";

/** Plans the columns of a table that exists. */
export function planColumns(
  out: StatementList,
  declared: DeclaredTable,
  actual: TableModel,
  canonical: Canonical,
  isEnum: (base: string) => boolean,
): void {
  const table = declared.name;
  for (const name of declared.drop.columns) {
    if (columnOf(actual, name) === undefined) continue;
    out.add(
      "dropColumn",
      alterTable(table, `drop column ${quoteIdent(name)}`),
      `Drop column ${table}.${name} and its values`,
      { asked: true },
    );
  }
  const inKey = new Set(
    wantedPrimaryKey(declared, actual) ?? (declared.drop.primaryKey ? [] : actual.primaryKey?.columns),
  );
  for (const column of declared.columns) {
    const now = columnOf(actual, column.name);
    if (now === undefined) {
      out.add(
        "addColumn",
        alterTable(table, `add column ${columnSql(column)}`),
        `Add column ${table}.${column.name} (${column.type.text})`,
      );
      if (column.comment !== null) planComment(out, table, column);
      continue;
    }
    const change: ColumnChange = { out, table, actual, now, column, name: quoteIdent(column.name) };
    planType(change, isEnum);
    planValues(change, columnOf(canonical.get(table), column.name));
    planNull(change, inKey.has(column.name));
    if (now.comment !== column.comment) planComment(out, table, column);
  }
}

interface ColumnChange {
  readonly out: StatementList;
  readonly table: string;
  readonly actual: TableModel;
  readonly now: ColumnModel;
  readonly column: DeclaredColumn;
  /** Quoted. */
  readonly name: string;
}

const planComment = (out: StatementList, table: string, column: DeclaredColumn): void =>
  out.add(
    "comment",
    commentSql(columnTarget(table, column.name), column.comment),
    `Set the comment of ${table}.${column.name}`,
  );

function planType(
  { out, table, actual, now, column, name }: ColumnChange,
  isEnum: (base: string) => boolean,
): void {
  if (now.type.text === column.type.text) return;
  const loss = keepsValues(now.type, column.type, isEnum) ? null : { asked: column.allowTypeChange };
  // A default is cast by rules of its own, which may fail where the values' own cast works.
  if (now.default !== null)
    out.add(
      "alterColumn",
      alterTable(table, `alter column ${name} drop default`),
      `Drop the default of ${table}.${column.name} while its type changes`,
    );
  const type = typeSql(column.type);
  const using = now.generated === null ? ` using ${name}::${type}` : "";
  out.add(
    "alterColumn",
    alterTable(table, `alter column ${name} type ${type}${using}`),
    `Change the type of ${table}.${column.name} from ${now.type.text} to ${column.type.text}`,
    loss,
  );
  if (now.serial && column.serial) {
    const sequence = quoteIdent(actual.sequences.get(column.name)!);
    out.add(
      "alterColumn",
      `alter sequence ${sequence} as ${type}`,
      `Let the sequence of ${table}.${column.name} count as ${type}`,
    );
  }
}

/** Where the values of new rows come from: a default, a sequence, an identity, an expression. */
function planValues(change: ColumnChange, form: ColumnModel | undefined): void {
  const { out, table, actual, now, column, name } = change;
  const alter = (sql: string, description: string) =>
    out.add(
      "alterColumn",
      alterTable(table, `alter column ${name} ${sql}`),
      `${description} ${table}.${column.name}`,
    );
  if (now.identity !== null && column.identity === null) alter("drop identity", "Stop numbering");
  if (now.serial && !column.serial) {
    alter("drop default", "Stop numbering");
    out.add(
      "alterColumn",
      `drop sequence ${quoteIdent(actual.sequences.get(column.name)!)}`,
      `Drop the sequence of ${table}.${column.name}`,
    );
  }
  if (now.generated !== null && column.generated === null)
    alter("drop expression", "Keep the values, but compute no more, of");
  if (now.generated !== null && column.generated !== null) {
    const same = sameText(now.generated, column.generated) || now.generated === form?.generated;
    if (!same) alter(`set expression as (${column.generated})`, "Compute anew");
  }
  if (column.identity !== null && now.identity !== column.identity) {
    if (now.identity !== null)
      alter(`set ${identitySql(column.identity).replace(" as identity", "")}`, "Change the numbering of");
    else planNumbering(change);
  }
  if (column.serial && !now.serial) planNumbering(change);
  const typeChanged = now.type.text !== column.type.text;
  if (column.default !== null) {
    const same =
      sameDefault(now.default, column.default, column.type) ||
      (now.default !== null && now.default === form?.default);
    if (!same || typeChanged) alter(`set default (${column.default})`, "Set the default of");
  } else if (now.default !== null && !typeChanged) alter("drop default", "Drop the default of");
}

/** A column that had values before gets a source of numbers above them. */
function planNumbering({ out, table, now, column, name }: ColumnChange): void {
  const label = `${table}.${column.name}`;
  if (!now.notNull)
    out.add("alterColumn", alterTable(table, `alter column ${name} set not null`), `Make ${label} required`);
  if (now.default !== null)
    out.add(
      "alterColumn",
      alterTable(table, `alter column ${name} drop default`),
      `Drop the default of ${label}`,
    );
  if (column.identity !== null) {
    out.add(
      "alterColumn",
      alterTable(table, `alter column ${name} add ${identitySql(column.identity)}`),
      `Number ${label}`,
    );
  } else {
    const sequence = quoteIdent(nameOf.sequence(table, column.name));
    out.add(
      "alterColumn",
      `create sequence ${sequence} as ${column.type.text} owned by ${quoteIdent(table)}.${name}`,
      `Create the sequence of ${label}`,
    );
    out.add(
      "alterColumn",
      alterTable(table, `alter column ${name} set default nextval('${sequence}')`),
      `Number ${label} (${SERIAL_OF[column.type.text]})`,
    );
  }
  out.add(
    "alterColumn",
    setSequenceSql(table, column.name),
    `Start the numbers of ${label} above those that are there`,
  );
}

function planNull({ out, table, now, column, name }: ColumnChange, inKey: boolean): void {
  if (now.notNull === column.notNull || inKey || column.serial || column.identity !== null) return;
  const [sql, description] = column.notNull
    ? ["set not null", `Make ${table}.${column.name} required`]
    : ["drop not null", `Let ${table}.${column.name} be null`];
  out.add("alterColumn", alterTable(table, `alter column ${name} ${sql}`), description);
}
