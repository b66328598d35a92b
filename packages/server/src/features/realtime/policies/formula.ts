import type { Claims, Unclear } from "./claims.ts";
import { limits } from "./limits.ts";
import type { Membership } from "./membership.ts";
import { Refusal } from "./refusal.ts";
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
export type Literal = ClaimsLiteral | ColumnsLiteral | PairLiteral | LinkLiteral | MemberLiteral;

export interface ClaimsLiteral {
  readonly is: "claims";
  readonly id: string;
  test(claims: Claims): boolean | Unclear;
}

export interface ColumnsLiteral {
  readonly is: "columns";
  readonly id: string;
  readonly scope: Scope;
  readonly columns: readonly string[];
  /** Undefined: a column is not there. */
  test(row: RowReader): boolean | undefined;
}

/** The column has the claim's value, or (`differs`) another one; neither is null. */
export interface PairLiteral {
  readonly is: "equal" | "differs";
  readonly id: string;
  readonly scope: Scope;
  readonly column: string;
  readonly claim: ClaimValue;
}

/** The member row's column has the value of the judged row's. */
export interface LinkLiteral {
  readonly is: "link";
  readonly id: string;
  readonly member: string;
  readonly row: string;
}

/** There is such a member row, or there is none. */
export interface MemberLiteral {
  readonly is: "exists" | "missing";
  readonly id: string;
  readonly membership: Membership;
}

/** The literals of one kind. */
export interface ByKind {
  readonly claims: readonly ClaimsLiteral[];
  readonly columns: readonly ColumnsLiteral[];
  readonly equal: readonly PairLiteral[];
  readonly differs: readonly PairLiteral[];
  readonly link: readonly LinkLiteral[];
  readonly members: readonly MemberLiteral[];
}

export function byKind(literals: readonly Literal[]): ByKind {
  const only = <T extends Literal>(...kinds: T["is"][]) =>
    literals.filter((literal): literal is T => (kinds as string[]).includes(literal.is));
  return {
    claims: only<ClaimsLiteral>("claims"),
    columns: only<ColumnsLiteral>("columns"),
    equal: only<PairLiteral>("equal"),
    differs: only<PairLiteral>("differs"),
    link: only<LinkLiteral>("link"),
    members: only<MemberLiteral>("exists", "missing"),
  };
}

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
