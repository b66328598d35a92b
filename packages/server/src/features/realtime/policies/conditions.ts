import { items, strings, wrapped } from "../../../engines/postgres/sql-guard/ast.ts";
import type { AstFields } from "../../../engines/postgres/sql-guard/parser.ts";
import { compare, distinct, isNull, isOperator, truth } from "./comparisons.ts";
import { allOf, and, anyOf, type Condition, constant, decided, not, or } from "./formula.ts";
import { type Context, elementsOf, operandOf } from "./operands.ts";
import { Refusal } from "./refusal.ts";

/** Reads a subquery that asks for rows: `test` are the values that have to be among what it selects. */
export type SubqueryReader = (select: AstFields, test: readonly unknown[], context: Context) => Condition;

/** A node of an expression as a condition. Throws a Refusal for what is not followed. */
export function conditionOf(node: unknown, context: Context, subquery: SubqueryReader): Condition {
  const [tag, fields] = wrapped(node);
  const inner = (part: unknown) => conditionOf(part, context, subquery);
  switch (tag) {
    case "BoolExpr": {
      const args = items(fields.args).map(([t, f]) => inner({ [t]: f }));
      if (fields.boolop === "NOT_EXPR") return not(args[0]!);
      return args.reduce(fields.boolop === "AND_EXPR" ? and : or);
    }
    case "NullTest": {
      const test = isNull(operandOf(fields.arg, context));
      return fields.nulltesttype === "IS_NULL" ? test : not(test);
    }
    case "BooleanTest":
      return booleanTest(String(fields.booltesttype), inner(fields.arg));
    case "A_Expr":
      return operator(fields, context);
    case "SubLink":
      return sublink(fields, context, subquery);
    case "CoalesceExpr": {
      const [first, last, ...more] = items(fields.args).map(([t, f]) => inner({ [t]: f }));
      if (first === undefined || last === undefined || more.length > 0) throw new Refusal("COALESCE of many");
      return {
        isTrue: () => anyOf(first.isTrue(), allOf(first.isUnknown(), last.isTrue())),
        isFalse: () => anyOf(first.isFalse(), allOf(first.isUnknown(), last.isFalse())),
        isUnknown: () => allOf(first.isUnknown(), last.isUnknown()),
      };
    }
    default:
      return truth(operandOf(node, context));
  }
}

function booleanTest(kind: string, of: Condition): Condition {
  const isTrue = decided(
    () => of.isTrue(),
    () => anyOf(of.isFalse(), of.isUnknown()),
  );
  const isFalse = decided(
    () => of.isFalse(),
    () => anyOf(of.isTrue(), of.isUnknown()),
  );
  const isUnknown = decided(
    () => of.isUnknown(),
    () => anyOf(of.isTrue(), of.isFalse()),
  );
  const [of3, negated] = {
    IS_TRUE: [isTrue, false] as const,
    IS_NOT_TRUE: [isTrue, true] as const,
    IS_FALSE: [isFalse, false] as const,
    IS_NOT_FALSE: [isFalse, true] as const,
    IS_UNKNOWN: [isUnknown, false] as const,
    IS_NOT_UNKNOWN: [isUnknown, true] as const,
  }[kind] ?? [isTrue, null];
  if (negated === null) throw new Refusal(`${kind} is not followed`);
  return negated ? not(of3) : of3;
}

function operator(fields: AstFields, context: Context): Condition {
  const names = strings(fields.name);
  const name = names.length === 1 || names[0] === "pg_catalog" ? names.at(-1)! : names.join(".");
  const side = (node: unknown) => operandOf(node, context);
  switch (fields.kind) {
    case "AEXPR_OP":
      if (isOperator(name)) return compare(name, side(fields.lexpr), side(fields.rexpr));
      return truth(operandOf({ A_Expr: fields }, context));
    case "AEXPR_DISTINCT":
    case "AEXPR_NOT_DISTINCT": {
      if (name !== "=" && name !== "<>") break;
      const differ = distinct(side(fields.lexpr), side(fields.rexpr));
      return fields.kind === "AEXPR_DISTINCT" ? differ : not(differ);
    }
    case "AEXPR_OP_ANY":
    case "AEXPR_OP_ALL": {
      if (!isOperator(name)) break;
      const left = side(fields.lexpr);
      const each = listOf(fields.rexpr).map((element) => compare(name, left, side(element)));
      const any = fields.kind === "AEXPR_OP_ANY";
      return each.length === 0 ? constant(!any) : each.reduce(any ? or : and);
    }
    case "AEXPR_NULLIF":
      return truth(operandOf({ A_Expr: fields }, context));
  }
  throw new Refusal(`the operator ${name} is not followed`);
}

/** The elements of an array that is written out. */
function listOf(node: unknown): unknown[] {
  const [tag, fields] = wrapped(node);
  if (tag === "A_ArrayExpr") return (fields.elements as unknown[] | undefined) ?? [];
  if (tag !== "TypeCast") throw new Refusal("an array is not written out");
  const { names, typmods, arrayBounds } = (fields.typeName ?? {}) as AstFields;
  if (arrayBounds === undefined || typmods !== undefined) throw new Refusal("an array is not written out");
  const [tagged, inner] = wrapped(fields.arg);
  const typeName = { names };
  if (tagged !== "A_Const") return listOf(fields.arg).map((arg) => ({ TypeCast: { arg, typeName } }));
  const text = (inner.sval as AstFields | undefined)?.sval;
  const elements = typeof text === "string" ? elementsOf(text) : undefined;
  if (elements === undefined) throw new Refusal("an array is not written out plainly");
  return elements.map((element) => {
    const arg = { A_Const: element === null ? { isnull: true } : { sval: { sval: element } } };
    return { TypeCast: { arg, typeName } };
  });
}

function sublink(fields: AstFields, context: Context, subquery: SubqueryReader): Condition {
  const [, select] = wrapped(fields.subselect);
  if (fields.subLinkType === "EXISTS_SUBLINK") return subquery(select, [], context);
  if (fields.subLinkType === "EXPR_SUBLINK") return truth(operandOf({ SubLink: fields }, context));
  const names = strings(fields.operName);
  if (fields.subLinkType !== "ANY_SUBLINK" || (names.length > 0 && names.join() !== "=")) {
    throw new Refusal("a subquery is compared by other than =");
  }
  const [tag, row] = wrapped(fields.testexpr);
  const found = subquery(select, tag === "RowExpr" ? (row.args as unknown[]) : [fields.testexpr], context);
  const refuse = () => {
    throw new Refusal("NOT is asked of a subquery's list");
  };
  return { isTrue: () => found.isTrue(), isFalse: refuse, isUnknown: refuse };
}
