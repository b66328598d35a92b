import { items, strings, wrapped } from "../../../engines/postgres/sql-guard/ast.ts";
import type { AstFields } from "../../../engines/postgres/sql-guard/parser.ts";
import { type Claims, UNCLEAR, type Unclear } from "./claims.ts";
import type { ClaimValue, Scope } from "./formula.ts";
import { Refusal } from "./refusal.ts";
import type { SourceColumn, SourceTable } from "./source.ts";
import { castText, type Kind, keepsText, kindOf } from "./values.ts";

/** A value in a policy: known, of a column, or following from the claims. */
export type Operand = { readonly kind: Kind } & (
  | { readonly is: "constant"; readonly text: string | null }
  | { readonly is: "column"; readonly scope: Scope; readonly column: SourceColumn }
  | ({ readonly is: "claim" } & ClaimValue)
  /** The whole document of claims; `nullIf`: this text of it is NULL. */
  | { readonly is: "document"; readonly nullIf: string | null; readonly path: readonly string[] }
);

/** A table whose columns can be named, under the name it has in the expression. */
export interface NamedTable {
  readonly name: string;
  readonly scope: Scope;
  readonly table: SourceTable;
}

/** What an expression is read in. */
export interface Context {
  readonly appId: string;
  readonly functions: ReadonlySet<string>;
  /** Innermost first. */
  readonly tables: readonly NamedTable[];
  /** Told of every column that is read. */
  readonly onColumn: (scope: Scope, column: SourceColumn) => void;
  /** Told of what a check of the rule should try. */
  readonly onConstant: (text: string) => void;
  readonly onPath: (path: readonly string[]) => void;
  /** Told of every value that is taken from the claims, whether it decides anything in the end or not. */
  readonly onClaim: (claim: ClaimValue) => void;
}

const UNTYPED: Kind = "text";

/** A node of an expression as a value. Throws a Refusal for what is not followed. */
export function operandOf(node: unknown, context: Context): Operand {
  const operand = readOperand(node, context);
  if (operand.is === "claim") context.onClaim(operand);
  return operand;
}

function readOperand(node: unknown, context: Context): Operand {
  const [tag, fields] = wrapped(node);
  if (tag === "A_Const") return constantOf(fields, context);
  if (tag === "ColumnRef") return columnOf(strings(fields.fields), items(fields.fields).length, context);
  if (tag === "TypeCast") return castOf(fields, context);
  if (tag === "FuncCall") return callOf(fields, context);
  if (tag === "SubLink" && fields.subLinkType === "EXPR_SUBLINK") return selectedOf(fields, context);
  if (tag === "A_Expr") return operatorOf(fields, context);
  if (tag === "CoalesceExpr") return coalesced(fields, context);
  throw new Refusal(`${tag} is not followed`);
}

function constantOf(fields: AstFields, context: Context): Operand {
  if (fields.isnull === true) return { is: "constant", kind: UNTYPED, text: null };
  if (fields.boolval !== undefined) {
    return {
      is: "constant",
      kind: "bool",
      text: (fields.boolval as AstFields).boolval === true ? "t" : "f",
    };
  }
  if (fields.ival !== undefined) {
    const text = String((fields.ival as AstFields).ival ?? 0);
    context.onConstant(text);
    return { is: "constant", kind: "int4", text };
  }
  if (fields.fval !== undefined) {
    const text = castText(String((fields.fval as AstFields).fval), "int8");
    if (text === undefined) throw new Refusal("numbers with fractions are not followed");
    context.onConstant(text);
    return { is: "constant", kind: "int8", text };
  }
  if (fields.sval === undefined) throw new Refusal("a constant of this kind is not followed");
  const text = String((fields.sval as AstFields).sval ?? "");
  context.onConstant(text);
  return { is: "constant", kind: UNTYPED, text };
}

function columnOf(names: readonly string[], parts: number, context: Context): Operand {
  const [first = "", second] = names;
  if (names.length !== parts || parts > 2) throw new Refusal("a whole row is asked for");
  // In a subquery Postgres writes every name with its table in front.
  if (second === undefined && context.tables.length > 1) throw new Refusal(`${first} is of no named table`);
  const owner = context.tables.find(({ name }) => second === undefined || name === first);
  const column = owner?.table.columns.find(({ name }) => name === (second ?? first));
  if (owner === undefined || column === undefined) throw new Refusal(`there is no column ${names.join(".")}`);
  if (column.virtual) throw new Refusal(`the log does not carry ${column.name}`);
  context.onColumn(owner.scope, column);
  const kind: Kind | undefined = column.typeKind === "e" ? `enum ${column.type}` : kindOf(column.type);
  // Nullness can be asked of every plain type; its values can't be compared as `json`.
  if (kind === undefined && !["b", "r", "m"].includes(column.typeKind)) {
    throw new Refusal(`${column.name} is of type ${column.type}`);
  }
  return { is: "column", kind: kind ?? "json", scope: owner.scope, column };
}

/** The kind a cast names; refuses types with modifiers, which change values. */
function targetOf(typeName: unknown): Kind {
  const { names, typmods, arrayBounds } = (typeName ?? {}) as AstFields;
  const [first = "", second] = strings(names);
  if (typmods !== undefined || arrayBounds !== undefined) throw new Refusal("a cast changes values");
  if (second === undefined || first === "pg_catalog") {
    const kind = kindOf(second ?? first);
    if (kind !== undefined) return kind;
    throw new Refusal(`values of type ${second ?? first} are not followed`);
  }
  // Whether it is an enum shows where the value is compared: only columns of that very type are of its kind.
  return `enum ${first}.${second}`;
}

function castOf(fields: AstFields, context: Context): Operand {
  const operand = operandOf(fields.arg, context);
  const to = targetOf(fields.typeName);
  if (operand.is === "document") {
    if (to === operand.kind) return operand;
    if (to !== "json" || operand.kind !== "text") throw new Refusal("JSON is cast to another type");
    return { ...operand, kind: "json" };
  }
  if (operand.is === "constant") {
    if (operand.text === null) return { is: "constant", kind: to, text: null };
    const isEnum = to.startsWith("enum ") && operand.kind === "text";
    const text = isEnum || keepsText(operand.kind, to) ? operand.text : castText(operand.text, to);
    if (text === undefined) throw new Refusal(`the constant ${operand.text} is cast`);
    return { is: "constant", kind: to, text };
  }
  if (operand.is === "column") {
    if (operand.kind === "json" || !keepsText(operand.kind, to))
      throw new Refusal(`${operand.column.name} is cast to ${to}`);
    return { ...operand, kind: to };
  }
  return castClaim(operand, to);
}

function castClaim(claim: Extract<Operand, { is: "claim" }>, to: Kind): Operand {
  if (to === claim.kind) return claim;
  const { kind: from } = claim;
  if (to === "json" || to.startsWith("enum ")) throw new Refusal(`a claim is cast to ${to}`);
  const convert = (text: string): string | undefined => {
    if (from === "bool") return to === "text" ? (text === "t" ? "true" : "false") : undefined;
    return castText(text, to);
  };
  return mapped(claim, to, `${claim.id}::${to}`, (text) =>
    text === null ? null : (convert(text) ?? UNCLEAR),
  );
}

function mapped(
  claim: ClaimValue,
  kind: Kind,
  id: string,
  change: (text: string | null) => string | null | Unclear,
): Operand {
  const read = (claims: Claims) => {
    const text = claim.read(claims);
    return text === UNCLEAR ? UNCLEAR : change(text);
  };
  return { is: "claim", kind, id, read };
}

const asClaim = (id: string, read: ClaimValue["read"]): Operand => ({ is: "claim", kind: "text", id, read });

function callOf(fields: AstFields, context: Context): Operand {
  const name = strings(fields.funcname).join(".");
  const args = (Array.isArray(fields.args) ? fields.args : []) as unknown[];
  if (context.functions.has(name) && args.length === 0) {
    return asClaim("user id", ({ subject }) => (subject === "" ? null : subject));
  }
  if (name === "current_setting" || name === "pg_catalog.current_setting") {
    const [setting, missingOk] = args.map((arg) => operandOf(arg, context));
    const known = missingOk === undefined || (missingOk.is === "constant" && missingOk.text !== null);
    const which = setting?.is === "constant" && known ? setting.text : null;
    if (which === "request.jwt.claim.sub") return asClaim("subject", (claims) => claims.subject);
    if (which === "request.jwt.claims") {
      return { is: "document", kind: "text", nullIf: null, path: [] };
    }
  }
  throw new Refusal(`the function ${name} is not followed`);
}

/** `(select f())`: a select that only wraps a value. */
function selectedOf(fields: AstFields, context: Context): Operand {
  const [, select] = wrapped(fields.subselect);
  const wrapping = ["targetList", "limitOption", "op"];
  const [target, ...more] = items(select.targetList);
  if (
    Object.keys(select).some((key) => !wrapping.includes(key)) ||
    more.length > 0 ||
    select.op !== "SETOP_NONE"
  ) {
    throw new Refusal("a subquery gives a value");
  }
  // Names inside it are looked up as they are outside.
  return operandOf(target?.[1].val, context);
}

function operatorOf(fields: AstFields, context: Context): Operand {
  const names = strings(fields.name);
  const operator = names.length === 1 || names[0] === "pg_catalog" ? names.at(-1)! : names.join(".");
  if (fields.kind === "AEXPR_NULLIF" && operator === "=") return nullIf(fields, context);
  if (fields.kind === "AEXPR_OP" && operator === "-" && fields.lexpr === undefined) {
    const operand = operandOf(fields.rexpr, context);
    const text = operand.is === "constant" ? castText(`-${operand.text}`, operand.kind) : undefined;
    if (text === undefined || operand.kind === "text") throw new Refusal("arithmetic is not followed");
    context.onConstant(text);
    return { is: "constant", kind: operand.kind, text };
  }
  const steps = fields.kind === "AEXPR_OP" ? STEPS.get(operator) : undefined;
  if (steps === undefined) throw new Refusal(`the operator ${operator} is not followed`);
  const [document, key] = [operandOf(fields.lexpr, context), pathOf(fields.rexpr, steps.several)];
  if (document.is !== "document" || document.kind !== "json") throw new Refusal("JSON of a column is asked");
  const path = [...document.path, ...key];
  if (!steps.text) return { ...document, path };
  context.onPath(path);
  const { nullIf: none } = document;
  return asClaim(`claims ${JSON.stringify([none, ...path])}`, (claims) => {
    if (none !== null && claims.text === none) return null;
    return claims.at(path);
  });
}

const STEPS: ReadonlyMap<string, { several: boolean; text: boolean }> = new Map([
  ["->", { several: false, text: false }],
  ["->>", { several: false, text: true }],
  ["#>", { several: true, text: false }],
  ["#>>", { several: true, text: true }],
]);

/** The keys on the right of a JSON operator. */
function pathOf(node: unknown, several: boolean): string[] {
  const [tag, { arg, typeName, sval, elements }] = wrapped(node);
  if (tag === "TypeCast") {
    const { names, arrayBounds } = (typeName ?? {}) as AstFields;
    const isText = strings(names).at(-1) === "text" && (arrayBounds !== undefined) === several;
    if (isText) return pathOf(arg, several);
  }
  if (tag === "A_ArrayExpr" && several) return items(elements).flatMap(([t, f]) => pathOf({ [t]: f }, false));
  const text = tag === "A_Const" && sval !== undefined ? String((sval as AstFields).sval ?? "") : undefined;
  if (text !== undefined && !several) return [text];
  const listed = text === undefined ? undefined : elementsOf(text);
  if (listed !== undefined && !listed.includes(null)) return listed as string[];
  throw new Refusal("a place in JSON is not given by names");
}

/** The elements of an array literal that has no need of quotes; undefined for any other. */
export function elementsOf(text: string): (string | null)[] | undefined {
  if (text === "{}") return [];
  const inner = /^\{([^"\\{}\s,]+(?:,[^"\\{}\s,]+)*)\}$/.exec(text)?.[1];
  return inner?.split(",").map((element) => (/^null$/i.test(element) ? null : element));
}

function nullIf(fields: AstFields, context: Context): Operand {
  const operand = operandOf(fields.lexpr, context);
  const none = operandOf(fields.rexpr, context);
  if (none.is !== "constant" || none.kind !== operand.kind || none.text === null) {
    throw new Refusal("NULLIF of other than a constant");
  }
  const { text } = none;
  if (operand.is === "document" && operand.kind === "text" && operand.nullIf === null) {
    return { ...operand, nullIf: text };
  }
  if (operand.is !== "claim") throw new Refusal("NULLIF of other than a claim");
  return mapped(operand, operand.kind, `nullif(${operand.id}, ${JSON.stringify(text)})`, (value) =>
    value === text ? null : value,
  );
}

function coalesced(fields: AstFields, context: Context): Operand {
  const [claim, otherwise, ...more] = items(fields.args).map(([tag, arg]) =>
    operandOf({ [tag]: arg }, context),
  );
  if (claim?.is !== "claim" || otherwise === undefined || more.length > 0 || claim.kind !== otherwise.kind) {
    throw new Refusal("COALESCE of other than a claim");
  }
  if (otherwise.is === "constant") {
    const id = `coalesce(${claim.id}, ${JSON.stringify(otherwise.text)})`;
    return mapped(claim, claim.kind, id, (text) => text ?? otherwise.text);
  }
  if (otherwise.is !== "claim") throw new Refusal("COALESCE with other than a claim or a constant");
  const read = (claims: Claims) => {
    const text = claim.read(claims);
    // Both are read, so that what could fail goes to SQL.
    const second = otherwise.read(claims);
    return text === UNCLEAR || second === UNCLEAR ? UNCLEAR : (text ?? second);
  };
  return { is: "claim", kind: claim.kind, id: `coalesce(${claim.id}, ${otherwise.id})`, read };
}
