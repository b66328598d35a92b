import pg from "pg";
import { exactJson } from "./exact-json.ts";

type Convert = (text: string) => unknown;

const same: Convert = (text) => text;

/** NaN and the infinities have no form in JSON and stay text, as `row_to_json` has them. */
const number: Convert = (text) => (/^-?\d/.test(text) ? exactJson(text) : text);

/** `2026-01-02 03:04:05+00` → `2026-01-02T03:04:05+00:00`. */
const timestamp: Convert = (text) => text.replace(" ", "T").replace(/([+-]\d\d)$/, "$1:00");

/** Object ids Postgres fixes for its own types (pg_type.dat): the type, the type of its arrays, its JSON form. */
const TYPES: readonly (readonly [oid: number, arrayOid: number, convert: Convert])[] = [
  [16, 1000, (text) => text === "t"],
  [21, 1005, number],
  [23, 1007, number],
  [20, 1016, number],
  [26, 1028, number],
  [700, 1021, number],
  [701, 1022, number],
  [1700, 1231, number],
  [114, 199, exactJson],
  [3802, 3807, exactJson],
  [1114, 1115, timestamp],
  [1184, 1185, timestamp],
  [25, 1009, same],
  [1043, 1015, same],
  [1042, 1014, same],
  [2950, 2951, same],
  [1082, 1182, same],
  [1083, 1183, same],
];

const array =
  (element: Convert): Convert =>
  (text) => {
    const { arrayParser } = pg.types as unknown as {
      arrayParser: { create(text: string, transform: Convert): { parse(): unknown[] } };
    };
    return arrayParser.create(text, element).parse();
  };

const CONVERT: ReadonlyMap<number, Convert> = new Map(
  TYPES.flatMap(([oid, arrayOid, convert]): [number, Convert][] => [
    [oid, convert],
    [arrayOid, array(convert)],
  ]),
);

/** A value as Postgres writes it, in the form `row_to_json` would give it; types without one of their own stay text. */
export function toJsonValue(text: string | null, oid: number): unknown {
  return text === null ? null : (CONVERT.get(oid) ?? same)(text);
}
