import { collectFunctionAliases, type FunctionAliases } from "./function-aliases.ts";
import { limits } from "./limits.ts";
import { type Child, childrenOf, familyOf } from "./nodes.ts";
import type { AstFields } from "./parser.ts";
import type { Problem, ProblemCode } from "./problems.ts";
import { RULES } from "./rules.ts";

/** What the text is for; decides what it may contain. */
export interface Setting {
  mode: "expression" | "statement";
  appSchema: string;
  /** Types of the app's own schema: its enums. */
  appTypes: ReadonlySet<string>;
  /** Expressions: are subqueries allowed? */
  subqueries: boolean;
  /** Expressions: are column references allowed? */
  columns: boolean;
  /** May sequences be advanced? */
  sequences: boolean;
  /** Statements: may rows be changed and locked? */
  writes: boolean;
}

/** A relation that a text names. */
export interface TableUse {
  schema?: string;
  name: string;
  write: boolean;
}

/** What the walk over a tree gathered. */
export interface Findings {
  problems: Problem[];
  columns: Set<string>;
  functions: Set<string>;
  tables: Map<string, TableUse>;
  hasSubquery: boolean;
  /** The statement changes or locks rows, or advances a sequence. */
  writes: boolean;
  /** Type names that a rule has accepted in their place, e.g. `regclass` around the argument of nextval. */
  acceptedTypes: WeakSet<object>;
}

/** What holds at one place of the tree. */
export interface Scope {
  inSubquery: boolean;
  /** Names that WITH defines here. */
  ctes: ReadonlySet<string>;
  /** The relation named here is the one that is written to. */
  writeTarget: boolean;
  /** Byte offset of the nearest node that has one. */
  at: number;
}

/** What a rule is given: the node, where it stands, and where to put what it finds. */
export interface Visit {
  fields: AstFields;
  scope: Scope;
  setting: Setting;
  findings: Findings;
  functionAliases: FunctionAliases;
  refuse(code: ProblemCode, message: string, subject?: string): void;
}

const WRITE_STATEMENTS = new Set(["InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"]);

/**
 * Walks a parse tree and judges every node of it. Fails closed: a node no table knows is a problem, and so is a
 * known one outside its place. `positionOf` turns a byte offset of the parsed text into the caller's position.
 */
export function judge(
  root: { tag: string; fields: AstFields },
  setting: Setting,
  positionOf: (offset: number) => number | undefined,
): Findings {
  const findings: Findings = {
    problems: [],
    columns: new Set(),
    functions: new Set(),
    tables: new Map(),
    hasSubquery: false,
    writes: false,
    acceptedTypes: new WeakSet(),
  };
  const functionAliases = collectFunctionAliases(root.tag, root.fields);
  const start: Scope = { inSubquery: false, ctes: new Set(), writeTarget: false, at: -1 };

  const visit = (tag: string, fields: AstFields, outer: Scope): void => {
    const scope = placed(fields, outer);
    const refuse = (code: ProblemCode, message: string, subject?: string): void => {
      if (findings.problems.length >= limits.problems) return;
      const position = positionOf(scope.at);
      findings.problems.push({ code, message, ...(position && { position }), ...(subject && { subject }) });
    };
    const misplaced = misplacement(tag, setting, scope);
    if (misplaced) {
      refuse(...misplaced);
      return;
    }
    if (setting.mode === "expression" && tag === "SelectStmt") findings.hasSubquery = true;
    RULES[tag]?.({ fields, scope, setting, findings, functionAliases, refuse });

    const children = childrenOf(tag, fields);
    const inner: Scope = {
      ...scope,
      inSubquery: scope.inSubquery || tag === "SelectStmt",
      writeTarget: false,
    };
    inner.ctes = visitWith(
      children.find(({ field }) => field === "withClause"),
      inner,
    );
    for (const child of children) {
      // FOR UPDATE OF names aliases of this query, not relations of their own.
      if (child.field === "withClause" || child.field === "lockedRels") continue;
      const writeTarget = WRITE_STATEMENTS.has(tag) && child.field === "relation";
      visit(child.tag, child.fields, { ...inner, writeTarget });
    }
  };

  /** Visits the queries of a WITH, each seeing the names it may use; gives the names the main query sees. */
  const visitWith = (withClause: Child | undefined, scope: Scope): ReadonlySet<string> => {
    if (!withClause) return scope.ctes;
    const queries = childrenOf("WithClause", withClause.fields);
    const all = new Set([...scope.ctes, ...queries.map(({ fields }) => String(fields.ctename))]);
    const known = new Set(scope.ctes);
    for (const { tag, fields } of queries) {
      visit(tag, fields, { ...scope, ctes: withClause.fields.recursive ? all : new Set(known) });
      known.add(String(fields.ctename));
    }
    return all;
  };

  visit(root.tag, root.fields, start);
  return findings;
}

function placed(fields: AstFields, outer: Scope): Scope {
  const { location } = fields;
  return typeof location === "number" && location >= 0 ? { ...outer, at: location } : outer;
}

function misplacement(
  tag: string,
  setting: Setting,
  scope: Scope,
): [ProblemCode, string, string] | undefined {
  const family = familyOf(tag);
  if (!family) {
    return ["CONSTRUCT_NOT_ALLOWED", `This SQL construct (${tag}) is not among those allowed here.`, tag];
  }
  if (setting.mode === "statement") return undefined;
  if (family === "write") {
    return ["STATEMENT_NOT_ALLOWED", "An expression cannot change rows or contain DEFAULT.", tag];
  }
  if (tag === "SelectStmt" && !setting.subqueries) {
    const message = "Subqueries are allowed only in policies; move the condition there or into a column.";
    return ["SUBQUERY_NOT_ALLOWED", message, tag];
  }
  if (family === "query" && tag !== "SelectStmt" && !scope.inSubquery) {
    return ["CONSTRUCT_NOT_ALLOWED", "Aggregates and window functions need a subquery around them.", tag];
  }
  return undefined;
}
