import type { Document } from "./schema-app.ts";

/** Every spelling a document may use, and the one it comes back in. */
export const TYPES: readonly (readonly [string, string])[] = [
  ["text", "text"],
  ["TEXT", "text"],
  ["uuid", "uuid"],
  ["boolean", "boolean"],
  ["bool", "boolean"],
  ["smallint", "smallint"],
  ["int2", "smallint"],
  ["integer", "integer"],
  ["int", "integer"],
  ["int4", "integer"],
  ["bigint", "bigint"],
  ["int8", "bigint"],
  ["real", "real"],
  ["float4", "real"],
  ["double precision", "double precision"],
  ["float8", "double precision"],
  ["numeric", "numeric"],
  ["decimal", "numeric"],
  ["numeric(8)", "numeric(8,0)"],
  ["decimal(10, 2)", "numeric(10,2)"],
  ["varchar", "varchar"],
  ["varchar(20)", "varchar(20)"],
  ["character varying(20)", "varchar(20)"],
  ["char", "char(1)"],
  ["char(3)", "char(3)"],
  ["timestamptz", "timestamptz"],
  ["timestamptz(3)", "timestamptz(3)"],
  ["timestamp with time zone", "timestamptz"],
  ["timestamp", "timestamp"],
  ["timestamp without time zone", "timestamp"],
  ["date", "date"],
  ["time", "time"],
  ["timetz", "timetz"],
  ["interval", "interval"],
  ["json", "json"],
  ["jsonb", "jsonb"],
  ["bytea", "bytea"],
  ["inet", "inet"],
  ["tsvector", "tsvector"],
  ["text[]", "text[]"],
  ["int[]", "integer[]"],
  ["uuid[]", "uuid[]"],
  ["numeric(6,2)[]", "numeric(6,2)[]"],
  ["timestamptz[]", "timestamptz[]"],
  ["jsonb[]", "jsonb[]"],
];

/** The usual key. */
export const id = { type: "uuid", primaryKey: true, default: "gen_random_uuid()" };

/** One document for each thing the language can say beyond a plain column. */
export const FEATURES: Readonly<Record<string, Document>> = {
  "serial columns of every width": {
    tables: {
      small: { columns: { n: { type: "smallserial", primaryKey: true } } },
      usual: { columns: { n: { type: "serial", primaryKey: true } } },
      large: { columns: { n: { type: "bigserial", primaryKey: true }, second: { type: "serial8" } } },
    },
  },
  "identity columns": {
    tables: {
      t: {
        columns: {
          n: { type: "bigint", identity: "always", primaryKey: true },
          m: { type: "int", identity: "by_default" },
        },
      },
    },
  },
  "a composite key in an order of its own": {
    tables: {
      seats: {
        columns: { hall: { type: "text" }, number: { type: "int" }, row: { type: "int" } },
        primaryKey: ["row", "hall", "number"],
      },
    },
  },
  "uniques of one column and of several": {
    tables: {
      t: {
        columns: { id, email: { type: "text", unique: true }, a: { type: "int" }, b: { type: "int" } },
        uniques: { a_with_b: { columns: ["b", "a"] } },
      },
    },
  },
  "checks on a column and on a table": {
    tables: {
      t: {
        columns: {
          id,
          price: { type: "numeric(10,2)", nullable: false, check: "price>=0" },
          since: { type: "date" },
          until: { type: "date" },
        },
        checks: {
          in_order: "since<until",
          one_of: "price in (1,2,3) or price > 10",
          text_like: "length(price::text) < 9 and not (since is null and until is not null)",
        },
      },
    },
  },
  "enums, alone and in arrays, with a default": {
    enums: { mood: ["sad", "o'k", "very happy"], size: ["S", "L"] },
    tables: {
      people: {
        columns: {
          id,
          mood: { type: "mood", nullable: false, default: "'o''k'" },
          sizes: { type: "size[]", default: "'{S}'" },
        },
        checks: { never_sad: "mood <> 'sad'" },
        indexes: { happy_people: { columns: ["id"], where: "mood = 'very happy'" } },
      },
    },
  },
  "foreign keys of every action, to a key of several columns and to itself": {
    tables: {
      parent: {
        columns: { a: { type: "int" }, b: { type: "int" }, code: { type: "text", unique: true } },
        primaryKey: ["a", "b"],
      },
      child: {
        columns: {
          id,
          code: { type: "text", references: "parent.code" },
          gone: { type: "text", references: { table: "parent", column: "code", onDelete: "CASCADE" } },
          lost: {
            type: "text",
            references: { table: "parent", column: "code", onDelete: "set null", onUpdate: "cascade" },
          },
          kept: { type: "text", references: { table: "parent", column: "code", onDelete: "restrict" } },
          boss: { type: "uuid", references: "child.id" },
          x: { type: "int" },
          y: { type: "int" },
        },
        foreignKeys: {
          to_both: { columns: ["x", "y"], table: "parent", refColumns: ["a", "b"], onDelete: "SET DEFAULT" },
        },
      },
    },
  },
  "two tables that refer to each other": {
    tables: {
      team: { columns: { id, lead: { type: "uuid", references: "member.id" } } },
      member: { columns: { id, team: { type: "uuid", references: "team.id" } } },
    },
  },
  "indexes: order, expression, part, method and operator class": {
    tables: {
      docs: {
        columns: {
          id,
          title: { type: "text" },
          body: { type: "jsonb" },
          words: { type: "tsvector" },
          at: { type: "timestamptz" },
        },
        indexes: {
          newest: {
            columns: [
              { column: "at", order: "desc" },
              { column: "title", nulls: "first" },
            ],
          },
          lower_title: { columns: [{ expression: "LOWER(title)" }, "at"], unique: true },
          titled: { columns: ["title"], where: "title is not null and at>'2020-01-01'" },
          prefix: { columns: ["title"], opclass: "text_pattern_ops" },
          in_body: { columns: ["body"], method: "gin", opclass: "jsonb_path_ops" },
          in_words: { columns: ["words"], method: "gist" },
          hashed: { columns: ["title"], method: "hash" },
        },
      },
    },
  },
  "generated columns": {
    tables: {
      t: {
        columns: {
          id,
          first: { type: "text" },
          last: { type: "text" },
          full: { type: "text", generated: "first||' '||coalesce(last,'')" },
          initials: { type: "varchar(2)", generated: "left(first,1)||left(last,1)", nullable: true },
        },
      },
    },
  },
  "defaults of many spellings": {
    tables: {
      t: {
        columns: {
          id,
          now: { type: "timestamptz", default: "NOW()" },
          later: { type: "timestamptz", default: "now() + interval '1 day'" },
          negative: { type: "int", default: "-1" },
          given: { type: "int", default: 7 },
          fraction: { type: "numeric(10,2)", default: -0.5 },
          flag: { type: "boolean", default: false },
          quoted: { type: "text", default: "'it''s \\ \"here\"'" },
          empty: { type: "text", default: "''" },
          list: { type: "text[]", default: "array['a','b']" },
          numbers: { type: "int[]", default: "'{1,2}'" },
          json: { type: "jsonb", default: "'{\"a\": [1, null]}'" },
          fixed: { type: "char(3)", default: "'x'" },
          nothing: { type: "text", default: "NULL" },
          day: { type: "date", default: "current_date" },
          bytes: { type: "bytea", default: "'\\x00ff'" },
        },
      },
    },
  },
  "columns that only some may read": {
    tables: {
      t: {
        columns: {
          id,
          shown: { type: "text" },
          users_only: { type: "text", readableBy: ["user", "service"] },
          hidden: { type: "text", readableBy: ["service"] },
        },
      },
    },
  },
  comments: {
    tables: {
      t: { comment: "It's a \\ table", columns: { id, a: { type: "text", comment: "Straße, 'x'" } } },
    },
  },
  "names that are words of SQL": {
    enums: { order: ["select", "from"] },
    tables: {
      user: {
        columns: { select: { type: "int", primaryKey: true }, table: { type: "order", default: "'from'" } },
        indexes: { where: { columns: ["table"], where: "\"table\" = 'from'" } },
        checks: { check: '"select" > 0' },
      },
      group: { columns: { primary: { type: "int", references: "user.select", unique: true } } },
    },
  },
  "names as long as Postgres keeps them": {
    tables: {
      [`t${"x".repeat(62)}`]: {
        columns: {
          [`c${"y".repeat(62)}`]: { type: "serial", primaryKey: true },
          [`d${"y".repeat(62)}`]: { type: "text", unique: true, check: `length(d${"y".repeat(62)}) > 1` },
          [`e${"y".repeat(62)}`]: { type: "int", references: `t${"x".repeat(62)}.c${"y".repeat(62)}` },
        },
      },
    },
  },
  "a table without a key": { tables: { log: { columns: { line: { type: "text", nullable: false } } } } },
};
