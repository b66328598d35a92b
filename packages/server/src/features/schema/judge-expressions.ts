import { checkExpression, type ExpressionUse } from "../../engines/postgres/sql-guard/index.ts";
import { isTypeName } from "./column-type.ts";
import { columnsAfter, existingOf } from "./dangling-names.ts";
import type { Declared, DeclaredTable } from "./document.ts";
import type { SchemaModel, TableModel } from "./model.ts";
import type { Problems } from "./problems.ts";

/** Judges one expression and returns what may be put into parentheses in a statement. */
type Judge = (use: ExpressionUse, text: string, path: readonly PropertyKey[]) => Promise<string>;

/**
 * Every default, check, generated column and index expression of a document, through the SQL guard. Returns the
 * document with the texts to send; what is refused is noted in `problems`.
 */
export async function judgeExpressions(
  declared: Declared,
  actual: SchemaModel,
  problems: Problems,
): Promise<Declared> {
  const enums = new Set(
    [...actual.enums.keys(), ...declared.enums.keys()].filter((name) => !isTypeName(name)),
  );
  const columns = columnsAfter(declared, actual);
  const tables: DeclaredTable[] = [];
  for (const table of declared.tables) {
    const judge: Judge = async (use, text, path) => {
      const verdict = await judgeText(text, use, actual.appId, enums);
      for (const message of verdict.problems) problems.add(path, message);
      const missing = verdict.columns.filter((column) => !columns.get(table.name)?.has(column));
      if (verdict.problems.length === 0 && missing.length > 0) {
        problems.add(path, `the table has no column "${missing.join('", "')}"; text is quoted as 'text'.`);
      }
      return verdict.text;
    };
    tables.push(await judgeTable(table, knownTexts(existingOf(table, actual)), judge));
  }
  return { ...declared, tables };
}

async function judgeTable(
  table: DeclaredTable,
  known: ReadonlySet<string>,
  judge: Judge,
): Promise<DeclaredTable> {
  // What the table has already was judged when it came, and leads to no statement.
  const text = async (use: ExpressionUse, value: string | null, ...path: PropertyKey[]) =>
    value === null || known.has(value) ? value : judge(use, value, ["tables", table.name, ...path]);
  const columns = [];
  for (const column of table.columns) {
    columns.push({
      ...column,
      default: await text("default", column.default, "columns", column.name, "default"),
      generated: await text("generated", column.generated, "columns", column.name, "generated"),
    });
  }
  const checks = [];
  for (const check of table.checks) {
    checks.push({ ...check, expression: (await text("check", check.expression, "checks", check.name))! });
  }
  const indexes = [];
  for (const index of table.indexes) {
    const keys = [];
    for (const [i, key] of index.keys.entries()) {
      keys.push({
        ...key,
        expression: await text("index", key.expression, "indexes", index.name, "columns", i),
      });
    }
    indexes.push({ ...index, keys, where: await text("index", index.where, "indexes", index.name, "where") });
  }
  return { ...table, columns, checks, indexes };
}

function knownTexts(table: TableModel | undefined): ReadonlySet<string> {
  const texts = [
    ...(table?.columns ?? []).flatMap((column) => [column.default, column.generated]),
    ...(table?.checks ?? []).map((check) => check.expression),
    ...(table?.indexes ?? []).flatMap((index) => [index.where, ...index.keys.map((key) => key.expression)]),
  ];
  return new Set(texts.filter((text) => text !== null));
}

/** The guard's verdict; the app's own enums may be cast to, as Postgres prints it. */
async function judgeText(text: string, use: ExpressionUse, appId: string, enums: ReadonlySet<string>) {
  const verdict = await checkExpression(text, use, { appSchema: appId, appTypes: enums });
  return {
    problems: verdict.problems.map(({ message }) => message),
    columns: verdict.columns,
    text: verdict.normalized ?? text,
  };
}
