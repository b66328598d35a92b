import { AmbitError } from "../../../kernel/errors.ts";
import { inputProblem } from "../../../kernel/plain-input.ts";
import { conditionSql, parseCondition, parseQueryString, type RowCondition } from "../../data/service.ts";
import { limits } from "../limits.ts";
import type { RowReader } from "../policies/types.ts";
import { type Compiled, compileConditions, joined } from "./compile.ts";
import { equality } from "./legacy.ts";
import { filterLimits } from "./limits.ts";
import { type Operation, operationsOf, operationText } from "./operations.ts";
import type { FilterColumn, FilterProblem, FilterTable, RowFilter } from "./types.ts";

/**
 * Reads a client's filter: an object (column → value it must equal, or column → `{op, value, not?}` or a list of
 * those), or a text in the query syntax of the data API. Everything in it has to hold. Pure; a column that may not be
 * read is refused with the same words as one that does not exist.
 */
export function parseFilter(input: unknown, table: FilterTable): RowFilter | FilterProblem {
  try {
    if (typeof input === "string") return fromText(input, table);
    if (typeof input === "object" && input !== null && !Array.isArray(input)) {
      return fromObject(input as Record<string, unknown>, table);
    }
    return problem("A filter is an object of columns and values, or a text such as age=gte.18&name=eq.Ada.");
  } catch (error) {
    if (error instanceof Problem) return error.why;
    if (error instanceof AmbitError) return { problem: error.message };
    throw error;
  }
}

/** SQL that selects the rows of the table itself which the filter lets through; the table stands under its own name. */
export const conditionFor = (filter: RowFilter): string => `(${filter.condition})`;

/** Leaves the reading of a filter with what is wrong with it. */
class Problem extends Error {
  readonly why: FilterProblem;

  constructor(why: FilterProblem) {
    super(why.problem);
    this.why = why;
  }
}

const problem = (text: string): FilterProblem => ({ problem: text });

const tooMuch = (limit: string, text: string): Problem => new Problem({ problem: text, limit });

/** What is wrong with a column's name: it is not there, or may not be read; nobody is told which. */
export const unknownColumn = (table: FilterTable, column: string, where: string): string =>
  `The ${where} names ${column.slice(0, 63)}: ${table.name} has no such column that this connection may read.`;

function columnIn(table: FilterTable, name: string): FilterColumn {
  const column = table.columns.find((one) => one.name === name);
  if (column !== undefined && table.readable(name)) return column;
  throw new Problem(problem(unknownColumn(table, name, "filter")));
}

function fromText(text: string, table: FilterTable): RowFilter {
  if (text.length > limits.filterChars) {
    throw tooMuch("filterChars", `A filter has at most ${limits.filterChars} characters.`);
  }
  const query = parseQueryString(text);
  const meaningless = Object.entries({
    select: query.select !== null,
    order: query.order.length > 0,
    limit: query.limit !== null,
    offset: query.offset !== 0,
    after: query.after !== null,
    on_conflict: query.onConflict !== null,
  }).find(([, given]) => given);
  if (meaningless !== undefined) {
    throw new Problem(
      problem(
        `A filter decides over one row at a time: ${meaningless[0]} has no meaning in it. Give columns with "columns"; a column of that name is written in quotes: "${meaningless[0]}"=eq.1.`,
      ),
    );
  }
  return filterOf(fromConditions(query.filters, table));
}

/** One part of a filter; all parts have to hold. */
interface Part {
  readonly columns: readonly string[];
  readonly compiled: Compiled;
  readonly condition: string;
}

function fromConditions(conditions: readonly RowCondition[], table: FilterTable): Part {
  const names = [...new Set(conditions.flatMap(columnsOf))];
  const columns = new Map(names.map((name) => [name, columnIn(table, name)]));
  refuseBadText(conditions);
  const condition = conditionSql(conditions, table);
  return {
    columns: names,
    compiled: compileConditions(conditions, (name) => columns.get(name)!),
    condition,
  };
}

function refuseBadText(value: unknown): void {
  const bad = inputProblem(value, 100);
  if (bad !== null) throw new Problem(problem(`The filter can't be read: ${bad}.`));
}

const columnsOf = (condition: RowCondition): string[] =>
  condition.kind === "group" ? condition.terms.flatMap(columnsOf) : [condition.path.column];

function fromObject(given: Record<string, unknown>, table: FilterTable): RowFilter {
  const entries = Object.entries(given);
  if (entries.length > limits.filterColumns) {
    throw tooMuch("filterColumns", `A filter names at most ${limits.filterColumns} columns.`);
  }
  if (JSON.stringify(given).length > filterLimits.objectChars) {
    throw tooMuch("objectChars", `A filter has at most ${filterLimits.objectChars} characters of JSON.`);
  }
  const parts = entries.map(([key, value]): Part => {
    const operations = operationsOf(value);
    return operations === null ? equal(key, value, table) : operated(key, operations, table);
  });
  const columns = [...new Set(parts.flatMap((part) => part.columns))];
  const compiled = joined(
    "and",
    parts.map((part) => part.compiled),
  );
  const condition = parts.map((part) => `(${part.condition})`).join(" and ") || "true";
  return filterOf({ columns, compiled, condition });
}

function equal(name: string, value: unknown, table: FilterTable): Part {
  if ((JSON.stringify(value) ?? "").length > limits.filterValueChars) {
    const text = `The value of ${name.slice(0, 63)} is longer than ${limits.filterValueChars} characters of JSON.`;
    throw tooMuch("filterValueChars", text);
  }
  return { columns: [name], ...equality(table.name, columnIn(table, name), value, table.types) };
}

function operated(key: string, operations: readonly Operation[], table: FilterTable): Part {
  if (operations.length > filterLimits.conditionsPerColumn) {
    const text = `A column takes at most ${filterLimits.conditionsPerColumn} conditions.`;
    throw tooMuch("conditionsPerColumn", text);
  }
  return fromConditions(
    operations.map((operation) => {
      const text = operationText(operation);
      if (typeof text === "object") throw new Problem(text);
      return parseCondition(key, text);
    }),
    table,
  );
}

/** What SQL leaves unknown is not let through; only here, at the end, for NOT of unknown is unknown. */
function filterOf({ columns, compiled, condition }: Part): RowFilter {
  const { test, mayFail } = compiled;
  return {
    key: condition,
    columns,
    needsSql: mayFail || !compiled.total,
    test: (row: RowReader) => (mayFail ? "sql" : (test(row) ?? false)),
    condition,
  };
}
