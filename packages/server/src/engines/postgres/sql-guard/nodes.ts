import type { AstFields } from "./parser.ts";

/**
 * The parse-tree nodes the guard knows. A node outside these tables is refused, so a construct that a later parser
 * brings along stays closed until somebody has thought about it.
 *
 * The parser wraps most children as `{Tag: {…}}`; a few fields hold a bare node whose tag only the field's name
 * tells. Those are listed here: field → tag.
 */
type Shape = Readonly<Record<string, string>>;
const LEAF: Shape = {};

/** Nodes an expression is made of. */
const EXPRESSION: Readonly<Record<string, Shape>> = {
  A_ArrayExpr: LEAF,
  A_Const: { ival: "Integer", fval: "Float", boolval: "Boolean", sval: "String", bsval: "BitString" },
  A_Expr: LEAF,
  A_Indices: LEAF,
  A_Indirection: LEAF,
  A_Star: LEAF,
  BitString: LEAF,
  BoolExpr: LEAF,
  Boolean: LEAF,
  BooleanTest: LEAF,
  CaseExpr: LEAF,
  CaseWhen: LEAF,
  CoalesceExpr: LEAF,
  CollateClause: LEAF,
  ColumnRef: LEAF,
  Float: LEAF,
  FuncCall: { over: "WindowDef" },
  Integer: LEAF,
  JsonArgument: { val: "JsonValueExpr" },
  JsonArrayConstructor: { output: "JsonOutput" },
  JsonArrayQueryConstructor: { output: "JsonOutput", format: "JsonFormat" },
  JsonBehavior: LEAF,
  JsonFormat: LEAF,
  JsonFuncExpr: {
    context_item: "JsonValueExpr",
    output: "JsonOutput",
    on_empty: "JsonBehavior",
    on_error: "JsonBehavior",
  },
  JsonIsPredicate: { format: "JsonFormat" },
  JsonKeyValue: { value: "JsonValueExpr" },
  JsonObjectConstructor: { output: "JsonOutput" },
  JsonOutput: { typeName: "TypeName", returning: "JsonReturning" },
  JsonParseExpr: { expr: "JsonValueExpr", output: "JsonOutput" },
  JsonReturning: { format: "JsonFormat" },
  JsonScalarExpr: { output: "JsonOutput" },
  JsonSerializeExpr: { expr: "JsonValueExpr", output: "JsonOutput" },
  JsonValueExpr: { format: "JsonFormat" },
  List: LEAF,
  MinMaxExpr: LEAF,
  NamedArgExpr: LEAF,
  NullTest: LEAF,
  ParamRef: LEAF,
  RowExpr: LEAF,
  SQLValueFunction: LEAF,
  String: LEAF,
  SubLink: LEAF,
  TypeCast: { typeName: "TypeName" },
  TypeName: LEAF,
};

/** Nodes a query adds: what may stand inside a subquery. */
const QUERY: Readonly<Record<string, Shape>> = {
  Alias: LEAF,
  ColumnDef: { typeName: "TypeName", collClause: "CollateClause" },
  CommonTableExpr: { search_clause: "CTESearchClause", cycle_clause: "CTECycleClause" },
  CTECycleClause: LEAF,
  CTESearchClause: LEAF,
  GroupingFunc: LEAF,
  GroupingSet: LEAF,
  JoinExpr: { alias: "Alias", join_using_alias: "Alias" },
  JsonAggConstructor: { output: "JsonOutput", over: "WindowDef" },
  JsonArrayAgg: { constructor: "JsonAggConstructor", arg: "JsonValueExpr" },
  JsonObjectAgg: { constructor: "JsonAggConstructor", arg: "JsonKeyValue" },
  JsonTable: {
    context_item: "JsonValueExpr",
    pathspec: "JsonTablePathSpec",
    on_error: "JsonBehavior",
    alias: "Alias",
  },
  JsonTableColumn: {
    typeName: "TypeName",
    pathspec: "JsonTablePathSpec",
    format: "JsonFormat",
    on_empty: "JsonBehavior",
    on_error: "JsonBehavior",
  },
  JsonTablePathSpec: LEAF,
  LockingClause: LEAF,
  RangeFunction: { alias: "Alias" },
  RangeSubselect: { alias: "Alias" },
  RangeTableSample: LEAF,
  RangeVar: { alias: "Alias" },
  ResTarget: LEAF,
  SelectStmt: { withClause: "WithClause", larg: "SelectStmt", rarg: "SelectStmt" },
  SortBy: LEAF,
  WindowDef: LEAF,
  WithClause: LEAF,
};

/** Nodes of the statements that change rows. */
const WRITE: Readonly<Record<string, Shape>> = {
  DeleteStmt: { relation: "RangeVar", returningClause: "ReturningClause", withClause: "WithClause" },
  IndexElem: LEAF,
  InferClause: LEAF,
  InsertStmt: {
    relation: "RangeVar",
    onConflictClause: "OnConflictClause",
    returningClause: "ReturningClause",
    withClause: "WithClause",
  },
  MergeStmt: { relation: "RangeVar", returningClause: "ReturningClause", withClause: "WithClause" },
  MergeSupportFunc: LEAF,
  MergeWhenClause: LEAF,
  MultiAssignRef: LEAF,
  OnConflictClause: { infer: "InferClause" },
  ReturningClause: LEAF,
  ReturningOption: LEAF,
  SetToDefault: LEAF,
  UpdateStmt: { relation: "RangeVar", returningClause: "ReturningClause", withClause: "WithClause" },
};

/** Which family of nodes a tag belongs to. */
export type NodeFamily = "expression" | "query" | "write";

const FAMILIES: readonly [NodeFamily, Readonly<Record<string, Shape>>][] = [
  ["expression", EXPRESSION],
  ["query", QUERY],
  ["write", WRITE],
];

const SHAPES = new Map(
  FAMILIES.flatMap(([family, shapes]) =>
    Object.entries(shapes).map(([tag, shape]) => [tag, { family, shape }]),
  ),
);

/** The family of a tag; undefined for a node the guard does not know. */
export const familyOf = (tag: string): NodeFamily | undefined => SHAPES.get(tag)?.family;

/** A child of a node: the field it stands in, its tag and its own fields. */
export interface Child {
  field: string;
  tag: string;
  fields: AstFields;
}

/**
 * The child nodes of a known node, in the order the parser gives them. A field that holds something the tables do
 * not account for comes back with the tag `?`, which no table knows.
 */
export function childrenOf(tag: string, fields: AstFields): Child[] {
  const shape = SHAPES.get(tag)?.shape ?? LEAF;
  const children: Child[] = [];
  for (const [field, value] of Object.entries(fields)) {
    if (Array.isArray(value)) {
      for (const item of value) pushWrapped(children, field, item);
    } else if (isFields(value)) {
      const bare = Object.hasOwn(shape, field) ? shape[field] : undefined;
      if (bare) children.push({ field, tag: bare, fields: value });
      else pushWrapped(children, field, value);
    }
  }
  return children;
}

const isFields = (value: unknown): value is AstFields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function pushWrapped(children: Child[], field: string, value: unknown): void {
  if (!isFields(value)) {
    children.push({ field, tag: "?", fields: {} });
    return;
  }
  const entries = Object.entries(value);
  // The parser writes a missing list item as {}.
  if (entries.length === 0) return;
  const [tag, fields] = entries[0]!;
  if (entries.length === 1 && isFields(fields)) children.push({ field, tag, fields });
  else children.push({ field, tag: "?", fields: {} });
}
