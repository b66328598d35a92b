import { type Claims, UNCLEAR, type Unclear } from "./claims.ts";
import {
  allOf,
  anyOf,
  type Condition,
  constant,
  type Dnf,
  decided,
  type Literal,
  one,
  type Scope,
} from "./formula.ts";
import type { Membership } from "./membership.ts";
import type { Operand } from "./operands.ts";
import { Refusal } from "./refusal.ts";
import type { RowReader } from "./types.ts";
import { familyOf } from "./values.ts";

/** Operators between two values that are not null. */
const OPERATORS: ReadonlyMap<string, (a: string, b: string) => boolean> = new Map([
  ["=", (a, b) => a === b],
  ["<>", (a, b) => a !== b],
  ["<", (a, b) => BigInt(a) < BigInt(b)],
  ["<=", (a, b) => BigInt(a) <= BigInt(b)],
  [">", (a, b) => BigInt(a) > BigInt(b)],
  [">=", (a, b) => BigInt(a) >= BigInt(b)],
]);

type Column = Extract<Operand, { is: "column" }>;
type Claim = Extract<Operand, { is: "claim" }>;
type Value = Exclude<Operand, { is: "document" }>;

export const isOperator = (name: string): boolean => OPERATORS.has(name);

/** `a operator b`, as SQL decides it. */
export function compare(operator: string, a: Operand, b: Operand): Condition {
  const [left, right] = [comparable(a), comparable(b)];
  const family = familyOf(left.kind);
  if (family !== familyOf(right.kind)) throw new Refusal("values of different types are compared");
  if (operator !== "=" && operator !== "<>" && family !== "int") {
    throw new Refusal(`${operator} is followed for integers only`);
  }
  const holds = OPERATORS.get(operator)!;
  const columns = [left, right].filter((side) => side.is === "column");
  const claims = [left, right].filter((side) => side.is === "claim");
  const id = JSON.stringify([operator, idOf(left), idOf(right)]);
  if (columns.length === 2 && columns[0]!.scope !== columns[1]!.scope) return linked(operator, columns);
  if (columns.length === 1 && claims.length === 1) return ofClaim(operator, columns[0]!, claims[0]!);
  if (columns.length > 0) {
    const judge = (wanted: boolean | null) => (row: RowReader) => {
      const [x, y] = [textIn(left, row), textIn(right, row)];
      if (x === undefined || y === undefined) return undefined;
      return (x === null || y === null ? null : holds(x, y)) === wanted;
    };
    return ofColumns(id, columns, judge);
  }
  const judge = (wanted: boolean | null) => (known: Claims) => {
    const x = textFor(left, known);
    const y = textFor(right, known);
    if (x === UNCLEAR || y === UNCLEAR) return UNCLEAR;
    return (x === null || y === null ? null : holds(x, y)) === wanted;
  };
  if (claims.length > 0) return ofClaims(id, judge);
  const [x, y] = [left, right].map((side) => (side.is === "constant" ? side.text : null)) as [string, string];
  return constant(x === null || y === null ? null : holds(x, y));
}

/** `operand is null` */
export function isNull(operand: Operand): Condition {
  if (operand.is === "constant") return constant(operand.text === null);
  const id = JSON.stringify(["null", idOf(operand)]);
  if (operand.is === "column") {
    const { name } = operand.column;
    return ofColumns(id, [operand], (wanted) => (row) => {
      const text = row(name);
      return text === undefined ? undefined : (text === null) === wanted;
    });
  }
  if (operand.is === "document") throw new Refusal("JSON is asked whether it is null");
  return ofClaims(id, (wanted) => (claims) => {
    const text = operand.read(claims);
    return text === UNCLEAR ? UNCLEAR : (text === null) === wanted;
  });
}

/** A boolean value as a condition. */
export function truth(operand: Operand): Condition {
  if (operand.kind !== "bool") throw new Refusal("a condition is no boolean");
  return compare("=", operand, { is: "constant", kind: "bool", text: "t" });
}

/** `a is distinct from b` */
export function distinct(a: Operand, b: Operand): Condition {
  const [equal, nullA, nullB] = [compare("=", a, b), isNull(a), isNull(b)];
  return decided(
    () =>
      anyOf(equal.isFalse(), allOf(nullA.isTrue(), nullB.isFalse()), allOf(nullA.isFalse(), nullB.isTrue())),
    () => anyOf(equal.isTrue(), allOf(nullA.isTrue(), nullB.isTrue())),
  );
}

function comparable(operand: Operand): Value {
  if (operand.is === "document" || operand.kind === "json") throw new Refusal("such values are not compared");
  if (operand.is === "column" && !operand.column.deterministic) {
    throw new Refusal(`equal texts of ${operand.column.name} may differ in their letters`);
  }
  return operand;
}

function idOf(operand: Operand): unknown {
  if (operand.is === "constant") return ["constant", operand.text];
  if (operand.is === "column") return ["column", operand.scope, operand.column.name];
  return ["claim", operand.is === "claim" ? operand.id : null];
}

const textIn = (side: Value, row: RowReader) =>
  side.is === "column" ? row(side.column.name) : (side as { text: string | null }).text;

const textFor = (side: Value, claims: Claims): string | null | Unclear =>
  side.is === "claim" ? side.read(claims) : (side as { text: string | null }).text;

function ofColumns(
  id: string,
  columns: readonly Column[],
  judge: (wanted: boolean | null) => (row: RowReader) => boolean | undefined,
): Condition {
  const { scope } = columns[0]!;
  const names = columns.map(({ column }) => column.name);
  const literal = (wanted: boolean | null): Dnf =>
    one({ is: "columns", id: `${id} ${wanted}`, scope, columns: names, test: judge(wanted) });
  return { isTrue: () => literal(true), isFalse: () => literal(false), isUnknown: () => literal(null) };
}

function ofClaims(
  id: string,
  judge: (wanted: boolean | null) => (claims: Claims) => boolean | Unclear,
): Condition {
  const literal = (wanted: boolean | null): Dnf =>
    one({ is: "claims", id: `${id} ${wanted}`, test: judge(wanted) });
  return { isTrue: () => literal(true), isFalse: () => literal(false), isUnknown: () => literal(null) };
}

function ofClaim(operator: string, column: Column, claim: Claim): Condition {
  if (operator !== "=" && operator !== "<>") throw new Refusal(`${operator} is asked of a claim`);
  const equal = one(pairLiteral("equal", column.scope, column.column.name, claim));
  const differs = one(pairLiteral("differs", column.scope, column.column.name, claim));
  const unknown = () => anyOf(isNull(column).isTrue(), isNull(claim).isTrue());
  return {
    isTrue: () => (operator === "=" ? equal : differs),
    isFalse: () => (operator === "=" ? differs : equal),
    isUnknown: unknown,
  };
}

function pairLiteral(
  is: "equal" | "differs",
  scope: Scope,
  column: string,
  { id, read }: { id: string; read: Claim["read"] },
): Literal {
  return { is, id: JSON.stringify([is, scope, column, id]), scope, column, claim: { id, read } };
}

function linked(operator: string, columns: readonly Column[]): Condition {
  if (operator !== "=") throw new Refusal("rows of two tables are compared by other than =");
  const name = (scope: Scope) => columns.find((column) => column.scope === scope)!.column.name;
  const [member, row] = [name("member"), name("row")];
  const refuse = () => {
    throw new Refusal("rows of two tables are compared within NOT");
  };
  return {
    isTrue: () => one({ is: "link", id: JSON.stringify(["link", member, row]), member, row }),
    isFalse: refuse,
    isUnknown: refuse,
  };
}

/** What is true exactly if the literal is not. */
export function opposite(literal: Literal): Dnf {
  const id = `not ${literal.id}`;
  if (literal.is === "claims") {
    const test = (claims: Claims) => {
      const answer = literal.test(claims);
      return answer === UNCLEAR ? UNCLEAR : !answer;
    };
    return one({ is: "claims", id, test });
  }
  if (literal.is === "columns") {
    const test = (row: RowReader) => {
      const answer = literal.test(row);
      return answer === undefined ? undefined : !answer;
    };
    return one({ ...literal, id, test });
  }
  if (literal.is === "link") throw new Refusal("rows of two tables are compared within NOT");
  if ("membership" in literal) {
    return one(memberLiteral(literal.is === "exists" ? "missing" : "exists", literal.membership));
  }
  const { scope, column, claim } = literal;
  const other = pairLiteral(literal.is === "equal" ? "differs" : "equal", scope, column, claim);
  const noValue = one({
    is: "columns",
    id: JSON.stringify(["no value", scope, column]),
    scope,
    columns: [column],
    test: (row) => {
      const text = row(column);
      return text === undefined ? undefined : text === null;
    },
  });
  const noClaim = isNull({ is: "claim", kind: "text", ...claim }).isTrue();
  return anyOf(one(other), noValue, noClaim);
}

/** "There is such a member row", or that there is none. */
export function memberLiteral(is: "exists" | "missing", membership: Membership): Literal {
  return { is, id: `${is} ${membership.id}`, membership };
}
