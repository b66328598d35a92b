import { expect, test } from "vitest";
import { isTypeName, readType, typeSql } from "./column-type.ts";
import { keepsValues } from "./type-change.ts";

const enums = new Set(["mood", "order"]);
const all = new Set(["vector", "citext"]);
const read = (text: string) => readType(text, enums, all);
const canonical = (text: string) => read(text)?.type.text ?? null;

test("every spelling of a type leads to one", () => {
  const spellings: Record<string, string[]> = {
    integer: ["int", "int4", "INTEGER", " integer "],
    bigint: ["int8", "bigint"],
    smallint: ["int2"],
    boolean: ["bool", "Boolean"],
    "double precision": ["float8", "float", "double  precision"],
    real: ["float4"],
    numeric: ["decimal"],
    "numeric(10,2)": ["decimal(10,2)", "numeric( 10 , 2 )"],
    "numeric(10,0)": ["numeric(10)", "decimal(10,0)"],
    "varchar(20)": ["character varying(20)", "VARCHAR (20)"],
    "char(1)": ["char", "character", "character(1)"],
    timestamptz: ["timestamp with time zone", "TIMESTAMPTZ"],
    "timestamptz(3)": ["timestamp(3) with time zone", "timestamptz(3)"],
    timestamp: ["timestamp without time zone"],
    timetz: ["time with time zone"],
    "text[]": ["text []", "text[3]", "text[][]", "text array"],
    "varchar(9)[]": ["character varying(9)[]"],
    "vector(3)": ["VECTOR(3)"],
    mood: ["mood", '"mood"'],
    "mood[]": ["mood[]"],
  };
  for (const [wanted, written] of Object.entries(spellings)) {
    for (const text of [wanted, ...written]) expect(canonical(text), text).toBe(wanted);
  }
});

test("a serial type is its integer with a sequence", () => {
  for (const [text, wanted] of [
    ["serial", "integer"],
    ["serial8", "bigint"],
    ["SMALLSERIAL", "smallint"],
  ]) {
    expect(read(text!)).toMatchObject({ serial: true, type: { text: wanted } });
  }
  expect(read("integer")).toMatchObject({ serial: false });
});

test("what is no type is none", () => {
  const wrong = [
    "strin",
    "",
    "int(4)",
    "varchar(0)",
    "text(5)",
    "serial[]",
    "numeric(1,2,3)",
    "mood(3)",
    "text; drop table x",
    "text--",
    "int'",
    "__proto__",
    "constructor",
    "timestamp(9)",
  ];
  for (const text of wrong) expect(read(text), text).toBeNull();
  expect(readType("vector(3)", enums, new Set())).toBeNull();
  expect(readType("mood", new Set(), all)).toBeNull();
});

test("names of enums are quoted, names of types are not", () => {
  expect(typeSql(read("order[]")!.type)).toBe('"order"[]');
  expect(typeSql(read("timestamptz(3)")!.type)).toBe("timestamptz(3)");
});

test("only changes that keep every value are safe", () => {
  const keeps = (from: string, to: string) =>
    keepsValues(read(from)!.type, read(to)!.type, (base) => enums.has(base));
  const safe = [
    ["smallint", "int"],
    ["int", "bigint"],
    ["int", "numeric"],
    ["int", "float8"],
    ["varchar(5)", "varchar(6)"],
    ["varchar(5)", "text"],
    ["varchar", "text"],
    ["numeric(8,2)", "numeric(10,3)"],
    ["numeric(8,2)", "numeric"],
    ["int[]", "bigint[]"],
    ["mood", "text"],
    ["date", "timestamp"],
    ["timestamp(3)", "timestamp"],
  ];
  const lossy = [
    ["bigint", "int"],
    ["text", "varchar(5)"],
    ["varchar(6)", "varchar(5)"],
    ["text", "int"],
    ["numeric(8,2)", "numeric(8,3)"],
    ["numeric", "numeric(9,2)"],
    ["int", "numeric(3,0)"],
    ["int", "real"],
    ["int", "text[]"],
    ["text", "mood"],
    ["float8", "int"],
    ["timestamptz", "timestamp"],
    ["jsonb", "text"],
    ["mood", "order"],
    ["int", "bigint[]"],
  ];
  for (const [from, to] of safe) expect(keeps(from!, to!), `${from} → ${to}`).toBe(true);
  for (const [from, to] of lossy) expect(keeps(from!, to!), `${from} → ${to}`).toBe(false);
});

test("a type that Postgres has itself can't be shadowed, and ordinary words stay free", () => {
  for (const name of ["regclass", "oid", "record", "pg_authid", "xml", "text", "int8"])
    expect([name, isTypeName(name)]).toEqual([name, true]);
  for (const name of ["region", "registration", "pgroup", "status"])
    expect([name, isTypeName(name)]).toEqual([name, false]);
});
