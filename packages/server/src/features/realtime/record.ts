import { type JsonRenderer, jsonRenderer } from "../../engines/postgres/replication/json-text.ts";
import { type Relation, type Row, UNCHANGED } from "../../engines/postgres/replication/pgoutput.ts";
import type { UserTypes } from "../../engines/postgres/replication/user-types.ts";

/** Columns a role may read; null for all. */
export type Mask = ReadonlySet<string> | null;

/** How rows of one relation become JSON; made once per relation and kept with it. */
export interface Shape {
  /** A column's place in the row, or undefined. */
  at(column: string): number | undefined;
  /** One value as JSON text. */
  value(row: Row, at: number): string;
  /** The row as a JSON object holding the columns of the mask, in the table's order. */
  record(row: Row, mask: Mask): string;
}

export function shapeOf(relation: Relation, types: UserTypes): Shape {
  const { columns } = relation;
  const places = new Map(columns.map((column, at) => [column.name, at]));
  const renderers: JsonRenderer[] = columns.map((column) => jsonRenderer(column.typeOid, types));
  const keys = columns.map((column) => `${JSON.stringify(column.name)}:`);
  const value = (row: Row, at: number): string => {
    const text = row[at];
    return text === null || text === undefined || text === UNCHANGED ? "null" : renderers[at]!(text);
  };
  return {
    at: (column) => places.get(column),
    value,
    record(row, mask) {
      let json = "";
      for (let at = 0; at < columns.length; at++) {
        if (mask !== null && !mask.has(columns[at]!.name)) continue;
        json += `${json === "" ? "" : ","}${keys[at]}${value(row, at)}`;
      }
      return `{${json}}`;
    },
  };
}
