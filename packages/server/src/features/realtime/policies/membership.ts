import { byKind, type ClaimValue, type ColumnsLiteral, type Literal } from "./formula.ts";
import { Refusal } from "./refusal.ts";
import type { RowReader, SetSource } from "./types.ts";

/** How a member row becomes part of a set: nobody's claims and no judged row are needed for that. */
export interface MemberSource extends SetSource {
  /** Columns that the judged row's values are compared with. */
  readonly links: readonly string[];
  /** Columns that the claims' values are compared with. */
  readonly holders: readonly string[];
  /** Whether a row counts; undefined if a column is not there. */
  counts(row: RowReader): boolean | undefined;
}

/** "There is a member row that …", with what the judged row and the claims give for the source's columns. */
export interface Membership {
  readonly id: string;
  readonly source: MemberSource;
  /** Columns of the judged row, in the order of `source.links`. */
  readonly columns: readonly string[];
  /** In the order of `source.holders`. */
  readonly claims: readonly ClaimValue[];
}

/** "There is a row of this table that fulfils these", and what of them does not depend on that row. */
export function membershipOf(
  table: string,
  literals: readonly Literal[],
): { membership: Membership; outside: readonly Literal[] } {
  const scoped = (literal: Literal) => "scope" in literal && literal.scope === "member";
  if (literals.some((literal) => literal.is === "differs" && scoped(literal))) {
    throw new Refusal(`in the subquery on ${table}, <> is asked of a claim`);
  }
  const kinds = byKind(literals);
  const { link: links } = kinds;
  const held = kinds.equal.filter(scoped);
  const tests = kinds.columns.filter(scoped);
  const inside = new Set<Literal>([...links, ...held, ...tests]);
  const source = sourceOf(
    table,
    links.map((link) => link.member),
    held.map((equal) => equal.column),
    tests,
  );
  const columns = links.map((link) => link.row);
  const claims = held.map((equal) => equal.claim);
  const id = JSON.stringify(["member", source.key, columns, claims.map((claim) => claim.id)]);
  return {
    membership: { id, source, columns, claims },
    outside: literals.filter((literal) => !inside.has(literal)),
  };
}

function sourceOf(
  table: string,
  links: readonly string[],
  holders: readonly string[],
  tests: readonly ColumnsLiteral[],
): MemberSource {
  const columns = [...new Set([...links, ...holders, ...tests.flatMap((test) => test.columns)])].sort();
  return {
    key: JSON.stringify([table, links, holders, tests.map((test) => test.id)]),
    table,
    columns,
    links,
    holders,
    counts(row) {
      let result: boolean | undefined = true;
      for (const { test } of tests) {
        const answer = test(row);
        if (answer === false) return false;
        if (answer === undefined) result = undefined;
      }
      return result;
    },
  };
}
