import { type AmbitError, errors } from "../../kernel/errors.ts";
import { exactJson } from "./exact-json.ts";
import { limits } from "./limits.ts";

/** Rows to insert that have the same columns. */
export interface RowGroup {
  readonly columns: readonly string[];
  /** JSON text: an array of `count` objects, or one object when `single`. */
  readonly json: string;
  readonly count: number;
  readonly single: boolean;
}

/** A body for an insert, read. */
export interface InsertBody {
  /** The body was one object, so the answer is one too. */
  readonly single: boolean;
  readonly count: number;
  readonly groups: readonly RowGroup[];
  /** For each row of the groups, in their order, its place in the body. */
  readonly places: readonly number[];
}

/**
 * Reads the body of an insert. Rows with different columns become groups of their own, so that a column a row does not
 * name takes its default in that row, whatever the other rows name. Pure.
 * @throws VALIDATION_INVALID_JSON, VALIDATION_INVALID_SCHEMA.
 */
export function readInsert(body: string): InsertBody {
  const value = parse(body);
  if (isRow(value)) {
    const columns = Object.keys(value);
    return { single: true, count: 1, groups: [{ columns, json: body, count: 1, single: true }], places: [0] };
  }
  if (!Array.isArray(value) || !value.every(isRow)) throw notRows();
  if (value.length > limits.insertRows) {
    throw errors.VALIDATION_INVALID_SCHEMA({
      message: `The body has ${value.length} rows; one request inserts at most ${limits.insertRows}.`,
      remediation: "Send the rows in several requests.",
    });
  }
  const byShape = new Map<string, number[]>();
  value.forEach((row, index) => {
    const shape = JSON.stringify(Object.keys(row).sort());
    const group = byShape.get(shape);
    if (group === undefined) byShape.set(shape, [index]);
    else group.push(index);
  });
  if (byShape.size > limits.insertShapes) {
    throw errors.VALIDATION_INVALID_SCHEMA({
      message: `The rows name ${byShape.size} different sets of columns; one request takes ${limits.insertShapes}.`,
      remediation: "Give the rows the same columns, with null where there is no value.",
    });
  }
  return { single: false, count: value.length, ...grouped(body, value, [...byShape.values()]) };
}

function grouped(body: string, rows: readonly object[], groups: readonly number[][]) {
  const [only, ...more] = groups;
  if (only === undefined) return { groups: [], places: [] };
  const columnsOf = (group: readonly number[]) => Object.keys(rows[group[0]!]!);
  if (more.length === 0) {
    const group = { columns: columnsOf(only), json: body, count: rows.length, single: false };
    return { groups: [group], places: only };
  }
  const exact = exactJson(body) as object[];
  return {
    groups: groups.map((group) => ({
      columns: columnsOf(group),
      json: JSON.stringify(group.map((index) => exact[index])),
      count: group.length,
      single: false,
    })),
    places: groups.flat(),
  };
}

/** Reads the body of an update: one object. */
export function readChange(body: string): { columns: string[]; json: string } {
  const value = parse(body);
  if (!isRow(value)) throw notRows();
  return { columns: Object.keys(value), json: body };
}

const isRow = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function parse(body: string): unknown {
  if (body.trim() === "") {
    throw errors.VALIDATION_INVALID_JSON({
      message: "The body is empty.",
      remediation: "Send a JSON object.",
    });
  }
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw errors.VALIDATION_INVALID_JSON({ cause });
  }
}

const notRows = (): AmbitError =>
  errors.VALIDATION_INVALID_SCHEMA({
    message: "The body is neither a row nor a list of rows.",
    remediation: "Send a JSON object whose keys are columns; for an insert also an array of such objects.",
  });
