/**
 * Values in Postgres text format as JSON text, byte for byte what `to_jsonb(value)::text` prints. It relies on the
 * output settings of the change stream: DateStyle ISO, TimeZone UTC, the shortest exact floating-point digits.
 *
 * Different from `to_jsonb`, and equal in meaning only: `json` keeps its own spacing and key order. Composite types,
 * and types with a cast of their own to json (hstore), come as a string of their text form.
 */
import { arrayToJson } from "./array-text.ts";
import { arrayTypes } from "./array-types.ts";
import type { UserTypes } from "./user-types.ts";

/** Turns one value's text into JSON text. */
export type JsonRenderer = (text: string) => string;

/** JSON text of one value; `types` knows what user-made types are, and without it they come as strings. */
export function renderJson(value: string | null, typeOid: number, types?: UserTypes): string {
  return value === null ? "null" : jsonRenderer(typeOid, types)(value);
}

/** The renderer for a type: to be looked up once per column where many values follow. */
export function jsonRenderer(typeOid: number, types?: UserTypes): JsonRenderer {
  const known = builtin.get(typeOid);
  if (known) return known;
  const type = types?.get(typeOid);
  if (type?.kind === "domain") return jsonRenderer(type.base, types);
  if (type?.kind === "array") return arrayRenderer(jsonRenderer(type.element, types), type.delimiter);
  return string;
}

function arrayRenderer(element: JsonRenderer, delimiter: string): JsonRenderer {
  return (text) => arrayToJson(text, element, delimiter);
}

const verbatim: JsonRenderer = (text) => text;

const string: JsonRenderer = (text) => JSON.stringify(text);

const boolean: JsonRenderer = (text) => (text === "t" ? "true" : "false");

/** JSON has no NaN and no infinity: they are strings. jsonb prints every digit, so exponents are written out. */
const number: JsonRenderer = (text) => {
  if (text.endsWith("N") || text.endsWith("y")) return `"${text}"`;
  if (text === "-0") return "0";
  const exponentAt = text.indexOf("e");
  return exponentAt < 0
    ? text
    : withoutExponent(text.slice(0, exponentAt), Number(text.slice(exponentAt + 1)));
};

function withoutExponent(mantissa: string, exponent: number): string {
  const sign = mantissa.startsWith("-") ? "-" : "";
  const [whole = "", fraction = ""] = mantissa.slice(sign.length).split(".");
  const digits = whole + fraction;
  const point = whole.length + exponent;
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  if (point >= digits.length) return sign + digits.padEnd(point, "0");
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

const timestamp: JsonRenderer = (text) => `"${text.replace(" ", "T")}"`;

/** Postgres prints the offset as `+00`, in JSON always with minutes: `+00:00`; ` BC` follows it. */
const timestamptz: JsonRenderer = (text) => timestamp(text.replace(/([+-]\d\d)( BC)?$/, "$1:00$2"));

/** int2vector and oidvector are arrays with a text format of their own: elements with spaces between. */
function vectorRenderer(element: JsonRenderer): JsonRenderer {
  return (text) => (text === "" ? "[]" : `[${text.split(" ").map(element).join(", ")}]`);
}

const builtin = new Map<number, JsonRenderer>([
  [16, boolean],
  [20, verbatim], // int8
  [21, verbatim], // int2
  [23, verbatim], // int4
  [700, number], // float4
  [701, number], // float8
  [1700, number], // numeric
  [114, verbatim], // json
  [3802, verbatim], // jsonb
  [1114, timestamp],
  [1184, timestamptz],
  [22, vectorRenderer(verbatim)], // int2vector
  [30, vectorRenderer(string)], // oidvector
]);

const box = 603; // the one type of Postgres' own whose arrays are not delimited by commas

for (const [array, element] of arrayTypes) {
  builtin.set(array, arrayRenderer(builtin.get(element) ?? string, element === box ? ";" : ","));
}
