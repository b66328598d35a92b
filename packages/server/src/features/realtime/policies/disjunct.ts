import { type Claims, UNCLEAR, type Unclear } from "./claims.ts";
import {
  byKind,
  type ClaimsLiteral,
  type ClaimValue,
  type ColumnsLiteral,
  type Literal,
  type PairLiteral,
} from "./formula.ts";
import type { MemberSet } from "./member-set.ts";
import type { Membership } from "./membership.ts";
import type { Member, RowReader } from "./types.ts";
import { joinTexts } from "./values.ts";

/** What an identity's claims come to in one disjunct. */
export interface Standing {
  /** The values of `equal` columns as one key. */
  readonly key: string;
  /** Values which the `differs` columns may not have. */
  readonly others: readonly string[];
  /** Per membership the member the identity is; null for none. */
  readonly members: readonly (Member | null)[];
}

interface Belonging {
  readonly membership: Membership;
  readonly set: MemberSet;
  readonly exists: boolean;
}

/** One way to fulfil the policies, asked of a row and an identity. Undefined: a column is not there. */
export class Disjunct {
  readonly #claims: readonly ClaimsLiteral[];
  readonly #tests: readonly ColumnsLiteral[];
  readonly #equal: readonly PairLiteral[];
  readonly #differs: readonly PairLiteral[];
  readonly belongings: readonly Belonging[];

  constructor(literals: readonly Literal[], setOf: (membership: Membership) => MemberSet) {
    const { claims, columns, equal, differs, members } = byKind(literals);
    this.#claims = claims;
    this.#tests = columns;
    this.#equal = equal;
    this.#differs = differs;
    this.belongings = members.map(({ is, membership }) => ({
      membership,
      set: setOf(membership),
      exists: is === "exists",
    }));
  }

  /** Rows are found by values of their own columns. */
  get keyed(): boolean {
    return this.#equal.length > 0;
  }

  /** Once the key fits, there is more to be asked of a row and an identity together. */
  get asksMore(): boolean {
    return this.#differs.length > 0 || this.belongings.length > 0;
  }

  /** Null: whatever the row, not in this way. */
  standing(claims: Claims): Standing | null | Unclear {
    const keys = valuesOf(this.#equal, claims);
    const others = valuesOf(this.#differs, claims);
    const members: (Member | null)[] = [];
    let fits = keys !== null && others !== null;
    // All of them are read, so that an identity for which one is unclear is never kept.
    for (const { test } of this.#claims) {
      const answer = test(claims);
      if (answer === UNCLEAR) return UNCLEAR;
      fits &&= answer;
    }
    for (const { membership, exists } of this.belongings) {
      const held = valuesOf(
        membership.claims.map((claim) => ({ claim })),
        claims,
      );
      if (held === UNCLEAR) return UNCLEAR;
      if (held === null && exists) fits = false;
      members.push(held === null ? null : joinTexts(held));
    }
    if (keys === UNCLEAR || others === UNCLEAR) return UNCLEAR;
    return fits ? { key: joinTexts(keys!), others: others!, members } : null;
  }

  /** Whether the row fits as far as no identity is needed. */
  fits(row: RowReader): boolean | undefined {
    let result: boolean | undefined = true;
    for (const { test } of this.#tests) {
      const answer = test(row);
      if (answer === false) return false;
      if (answer === undefined) result = undefined;
    }
    return result;
  }

  /** The key a standing has to have; null for none. */
  key(row: RowReader): string | null | undefined {
    if (this.#equal.length === 1) return row(this.#equal[0]!.column);
    return textsOf(
      this.#equal.map(({ column }) => column),
      row,
    );
  }

  /** The link of a membership; null: no member row can fit. */
  link(at: number, row: RowReader): string | null | undefined {
    return textsOf(this.belongings[at]!.membership.columns, row);
  }

  /** What is asked beyond the key; for rows that fit. */
  more(row: RowReader): ((standing: Standing) => boolean) | undefined {
    const texts: (string | null)[] = [];
    for (const { column } of this.#differs) {
      const text = row(column);
      if (text === undefined) return undefined;
      texts.push(text);
    }
    const links: (string | null)[] = [];
    for (const at of this.belongings.keys()) {
      const link = this.link(at, row);
      if (link === undefined) return undefined;
      links.push(link);
    }
    return ({ others, members }) =>
      texts.every((text, at) => text !== null && text !== others[at]) &&
      this.belongings.every(({ set, exists }, at) => {
        const [link, member] = [links[at]!, members[at]!];
        return (link !== null && member !== null && set.has(link, member)) === exists;
      });
  }

  /** Whether an identity of this standing sees the row in this way. */
  sees(standing: Standing, row: RowReader): boolean | undefined {
    const fits = this.fits(row);
    if (fits === false) return false;
    const key = this.keyed ? this.key(row) : standing.key;
    if (key !== undefined && key !== standing.key) return false;
    const more = this.more(row);
    if (more?.(standing) === false) return false;
    return fits === undefined || key === undefined || more === undefined ? undefined : true;
  }
}

/** The claims' values; null if one of them is NULL. */
function valuesOf(
  literals: readonly { readonly claim: ClaimValue }[],
  claims: Claims,
): string[] | null | Unclear {
  const values: string[] = [];
  let missing = false;
  for (const { claim } of literals) {
    const text = claim.read(claims);
    if (text === UNCLEAR) return UNCLEAR;
    if (text === null) missing = true;
    else values.push(text);
  }
  return missing ? null : values;
}

/** The columns' values as one key; null if one of them is NULL. */
function textsOf(columns: readonly string[], row: RowReader): string | null | undefined {
  const texts: string[] = [];
  for (const column of columns) {
    const text = row(column);
    if (text === undefined) return undefined;
    if (text === null) return null;
    texts.push(text);
  }
  return joinTexts(texts);
}
