import type { ClientBase } from "pg";

/** What a type made by a user is, as far as its JSON form depends on it. */
export type UserType =
  | { kind: "array"; element: number; delimiter: string }
  | { kind: "domain"; base: number }
  | { kind: "scalar" };

/** User-made types by oid. */
export type UserTypes = ReadonlyMap<number, UserType>;

const firstUserOid = 16_384;

/**
 * Reads the user-made arrays, domains, enums and other scalar types of the database; composite types are left out.
 * A reader of the change stream loads them again when a relation names a type it has not got.
 */
export async function loadUserTypes(client: ClientBase): Promise<UserTypes> {
  const { rows } = await client.query<{
    oid: string;
    base: string;
    element: string | null;
    delimiter: string | null;
  }>(
    `SELECT t.oid, t.typbasetype AS base, e.oid AS element, e.typdelim AS delimiter
       FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_type e ON e.typarray = t.oid
      WHERE t.oid >= $1 AND t.typtype <> 'c' AND e.typtype IS DISTINCT FROM 'c'`,
    [firstUserOid],
  );
  return new Map(
    rows.map(({ oid, base, element, delimiter }): [number, UserType] => {
      if (element !== null)
        return [Number(oid), { kind: "array", element: Number(element), delimiter: delimiter! }];
      if (Number(base) !== 0) return [Number(oid), { kind: "domain", base: Number(base) }];
      return [Number(oid), { kind: "scalar" }];
    }),
  );
}
