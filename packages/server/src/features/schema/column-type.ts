import { quoteIdent } from "../../engines/postgres/quote.ts";
import { isCatalogType } from "../../engines/postgres/sql-guard/index.ts";
import { IDENTIFIER } from "./identifiers.ts";

/** A column's type in its one canonical form; every alias of Postgres leads to the same. */
export interface ColumnType {
  /** For example `integer`, `varchar(20)`, `numeric(10,2)`, `text[]`, `mood`. */
  readonly text: string;
  /** The text without length and brackets. */
  readonly base: string;
  readonly args: readonly number[];
  readonly array: boolean;
}

/** A type as written in a document: `serial` is `integer` with a sequence. */
export interface WrittenType {
  readonly type: ColumnType;
  readonly serial: boolean;
}

const ALIASES = new Map<string, string>(
  Object.entries({
    int: "integer",
    int4: "integer",
    int2: "smallint",
    int8: "bigint",
    bool: "boolean",
    float4: "real",
    float8: "double precision",
    float: "double precision",
    double: "double precision",
    decimal: "numeric",
    "character varying": "varchar",
    character: "char",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "time with time zone": "timetz",
    "time without time zone": "time",
  }),
);

const SERIALS = new Map<string, string>(
  Object.entries({
    serial: "integer",
    serial4: "integer",
    bigserial: "bigint",
    serial8: "bigint",
    smallserial: "smallint",
    serial2: "smallint",
  }),
);

/** Numbered types by the type of their column, to show them. */
export const SERIAL_OF: Readonly<Record<string, string>> = {
  integer: "serial",
  bigint: "bigserial",
  smallint: "smallserial",
};

/** Types that only exist where an extension is installed. */
const EXTENSION_TYPES = new Set(["citext", "vector"]);

type Args = readonly number[];
const within = (value: number | undefined, least: number, most: number): boolean =>
  value !== undefined && value >= least && value <= most;
const none = (args: Args) => (args.length === 0 ? args : null);
const fraction = (args: Args) =>
  args.length === 0 || (args.length === 1 && within(args[0], 0, 6)) ? args : null;
const length = (args: Args) =>
  args.length === 0 || (args.length === 1 && within(args[0], 1, 10_485_760)) ? args : null;

/** What may stand in a type's parentheses, and what that comes to; null when it may not. */
const ARGUMENTS = new Map<string, (args: Args) => Args | null>(
  Object.entries({
    text: none,
    uuid: none,
    boolean: none,
    smallint: none,
    integer: none,
    bigint: none,
    real: none,
    "double precision": none,
    date: none,
    json: none,
    jsonb: none,
    bytea: none,
    citext: none,
    tsvector: none,
    inet: none,
    timestamptz: fraction,
    timestamp: fraction,
    time: fraction,
    timetz: fraction,
    interval: fraction,
    varchar: length,
    char: (args: Args) => length(args.length === 0 ? [1] : args),
    numeric(args: Args) {
      if (args.length === 0) return args;
      const [precision, scale = 0] = args;
      return args.length <= 2 && within(precision, 1, 1_000) && within(scale, -1_000, 1_000)
        ? [precision!, scale]
        : null;
    },
    vector: (args) => (args.length === 0 || (args.length === 1 && within(args[0], 1, 16_000)) ? args : null),
  }),
);

/** Every type a document may name besides the app's enums, for messages and docs. */
export const TYPE_NAMES: readonly string[] = [...ARGUMENTS.keys(), ...SERIALS.keys()];

/** Whether the name already means a type, that of the rows of a catalogue among them, and so can't name an enum. */
export const isTypeName = (name: string): boolean =>
  ARGUMENTS.has(name) || ALIASES.has(name) || SERIALS.has(name) || isCatalogType(name);

const WRITTEN =
  /^([a-z_][a-z0-9_ ]*?)\s*(?:\(\s*(\d+(?:\s*,\s*-?\d+)?)\s*\))?(\s+with(?:out)? time zone)?((?:\s*\[\s*\d*\s*\])+|\s+array)?$/;

const compose = (base: string, args: Args, array: boolean): ColumnType => ({
  text: `${base}${args.length > 0 ? `(${args.join(",")})` : ""}${array ? "[]" : ""}`,
  base,
  args,
  array,
});

/**
 * Reads a type as people, agents and Postgres itself write it; null when there is no such type.
 * `enums` are the names of the app's own types, `extensions` the types of installed extensions.
 */
export function readType(
  text: string,
  enums: ReadonlySet<string>,
  extensions: ReadonlySet<string>,
): WrittenType | null {
  const match = WRITTEN.exec(text.trim().toLowerCase().replaceAll('"', "").replace(/\s+/g, " "));
  if (match === null) return null;
  const name = `${match[1]}${match[3] ?? ""}`;
  const args = match[2] === undefined ? [] : match[2].split(",").map(Number);
  const array = match[4] !== undefined;
  const numbered = SERIALS.get(name);
  if (numbered !== undefined) {
    return args.length > 0 || array ? null : { type: compose(numbered, [], false), serial: true };
  }
  const base = ALIASES.get(name) ?? name;
  const allowed = ARGUMENTS.get(base);
  if (allowed === undefined) {
    return enums.has(base) && args.length === 0 ? { type: compose(base, [], array), serial: false } : null;
  }
  if (EXTENSION_TYPES.has(base) && !extensions.has(base)) return null;
  const normalized = allowed(args);
  return normalized === null ? null : { type: compose(base, normalized, array), serial: false };
}

/** The type in SQL. Enum names are quoted; all others are words of Postgres or of an extension. */
export function typeSql(type: ColumnType): string {
  if (!ARGUMENTS.has(type.base) && IDENTIFIER.test(type.base)) {
    return `${quoteIdent(type.base)}${type.array ? "[]" : ""}`;
  }
  return type.text;
}
