import type { Claims, Unclear } from "./claims.ts";
import { limits } from "./limits.ts";
import { Refusal } from "./refusal.ts";
import type { Membership } from "./membership.ts";
import type { RowReader } from "./types.ts";

/** Whose columns: of the row that is judged, or of the row of members inside a subquery. */
export type Scope = "row" | "member";

/** A value that follows from the claims alone. */
export interface ClaimValue {
  readonly id: string;
  /** Null for NULL. */
  read(claims: Claims): string | null | Unclear;
}

/** A condition that is true or false, never unknown. Two of equal `id` are the same condition. */
export type Literal = { readonly id: string } & (
  | { readonly is: "claims"; test(claims: Claims): boolean | Unclear }
  /** Undefined: a column is not there. */
  | {
      readonly is: "columns";
      readonly scope: Scope;
      readonly columns: readonly string[];
      test(row: RowReader): boolean | undefined;
    }
  /** The column has the claim's value, or (`differs`) another one; neither is null. */
  | {
      readonly is: "equal" | "differs";
      readonly scope: Scope;
      readonly column: string;
      readonly claim: ClaimValue;
    }
  /** The member row's column has the value of the judged row's. */
  | { readonly is: "link"; readonly member: string; readonly row: string }
  /** There is such a member row, or there is none. */
  | { readonly is: "exists" | "missing"; readonly membership: Membership }
);

/** Any of these, each all of its literals. */
export type Dnf = readonly (readonly Literal[])[];

export const ALWAYS: Dnf = [[]];
export const NEVER: Dnf = [];

/** An SQL condition: exactly one of the three is true. Worked out when asked for, as not every one can be. */
export interface Condition {
  isTrue(): Dnf;
  isFalse(): Dnf;
  isUnknown(): Dnf;
}

export const one = (literal: Literal): Dnf => [[literal]];

export function anyOf(...parts: readonly Dnf[]): Dnf {
  return absorbed(parts.flat());
}

export function allOf(...parts: readonly Dnf[]): Dnf {
  let product: Dnf = ALWAYS;
  for (const part of parts) {
    if (product.length * part.length > limits.disjuncts * 8) throw tooMany();
    product = absorbed(product.flatMap((left) => part.map((right) => merged(left, right))));
  }
  return product;
}

/** Both of one disjunct, each literal once, in an order of their own so that equal ones compare equal. */
function merged(left: readonly Literal[], right: readonly Literal[]): readonly Literal[] {
  const byId = new Map([...left, ...right].map((literal) => [literal.id, literal]));
  if (byId.size > limits.conditionsPerDisjunct) throw tooMany();
  return [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Without disjuncts that a shorter one already covers. */
function absorbed(disjuncts: readonly (readonly Literal[])[]): Dnf {
  const kept: { ids: Set<string>; literals: readonly Literal[] }[] = [];
  for (const literals of [...disjuncts].sort((a, b) => a.length - b.length)) {
    const ids = new Set(literals.map(({ id }) => id));
    if (!kept.some((shorter) => [...shorter.ids].every((id) => ids.has(id)))) kept.push({ ids, literals });
  }
  if (kept.length > limits.disjuncts) throw tooMany();
  return kept.map(({ literals }) => literals);
}

const tooMany = () => new Refusal("it has too many alternatives");

export const not = (of: Condition): Condition => ({
  isTrue: () => of.isFalse(),
  isFalse: () => of.isTrue(),
  isUnknown: () => of.isUnknown(),
});

export const and = (a: Condition, b: Condition): Condition => ({
  isTrue: () => allOf(a.isTrue(), b.isTrue()),
  isFalse: () => anyOf(a.isFalse(), b.isFalse()),
  isUnknown: () =>
    anyOf(
      allOf(a.isUnknown(), b.isUnknown()),
      allOf(a.isUnknown(), b.isTrue()),
      allOf(a.isTrue(), b.isUnknown()),
    ),
});

export const or = (a: Condition, b: Condition): Condition => not(and(not(a), not(b)));

/** A condition that is never unknown. */
export const decided = (isTrue: () => Dnf, isFalse: () => Dnf): Condition => ({
  isTrue,
  isFalse,
  isUnknown: () => NEVER,
});

export function constant(value: boolean | null): Condition {
  return {
    isTrue: () => (value === true ? ALWAYS : NEVER),
    isFalse: () => (value === false ? ALWAYS : NEVER),
    isUnknown: () => (value === null ? ALWAYS : NEVER),
  };
}
