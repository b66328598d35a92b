import { expect, it } from "vitest";
import { describePgError } from "./pg-errors.ts";

const pgError = (fields: object, message = "m") =>
  Object.assign(new Error(message), { severity: "ERROR", ...fields });

it("takes an error of Postgres apart", () => {
  const duplicate = pgError({
    code: "23505",
    detail: 'Key (tenant, "odd name")=(1, (2)=(3)) already exists.',
    table: "t",
    constraint: "t_key",
  });
  expect(describePgError(duplicate)).toMatchObject({
    kind: "unique",
    keyColumns: ["tenant", "odd name"],
    table: "t",
    constraint: "t_key",
    position: null,
  });
  const referenced = pgError(
    { code: "23503" },
    'update or delete on table "a" violates foreign key constraint "k" on table "b"',
  );
  expect(describePgError(referenced)).toMatchObject({
    kind: "foreign_key",
    stillReferenced: true,
    keyColumns: [],
  });
  expect(describePgError(pgError({ code: "42703", position: "8" }))).toMatchObject({
    kind: "unknown_column",
    position: 8,
  });
});

it.each([
  ["22P02", "invalid_value"],
  ["22012", "invalid_value"],
  ["54001", "invalid_value"],
  ["42501", "permission"],
  ["57014", "timeout"],
  ["25006", "read_only"],
  ["P0001", "raised"],
  ["XX000", "other"],
])("%s is %s", (code, kind) => {
  expect(describePgError(pgError({ code }))?.kind).toBe(kind);
});

it.each([
  null,
  "x",
  new Error("x"),
  pgError({ code: "ECONNRESET" }),
  Object.assign(new Error("x"), { code: "23505" }),
])("is silent about what is no answer of Postgres: %s", (error) => {
  expect(describePgError(error)).toBeNull();
});
