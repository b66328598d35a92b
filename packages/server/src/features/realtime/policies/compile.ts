import { wrapped } from "../../../engines/postgres/sql-guard/ast.ts";
import { type AstFields, loadParser, type Parser } from "../../../engines/postgres/sql-guard/parser.ts";
import type { ViewerRole } from "../table-view.ts";
import { compare, memberLiteral, opposite } from "./comparisons.ts";
import { conditionOf } from "./conditions.ts";
import {
  allOf,
  and,
  anyOf,
  type ClaimValue,
  type Condition,
  constant,
  decided,
  one,
  or,
  type Scope,
} from "./formula.ts";
import { limits } from "./limits.ts";
import { membershipOf } from "./membership.ts";
import { type Context, type NamedTable, operandOf } from "./operands.ts";
import { Refusal } from "./refusal.ts";
import { Rule } from "./rule.ts";
import type { SourceTable } from "./source.ts";
import type { CompiledRule } from "./types.ts";

/** What a role's policies on a table are compiled from. */
export interface CompileInput {
  readonly appId: string;
  readonly role: ViewerRole;
  readonly table: SourceTable;
  /** Other tables of the app, as `loadSources` gives them; undefined for what is no such table. */
  lookup(table: string): SourceTable | undefined;
  /** Claim functions that are what we shipped, as `loadClaimFunctions` gives them. */
  readonly functions: ReadonlySet<string>;
}

/**
 * The role's policies for SELECT as a rule that needs no SQL and decides exactly as Postgres does, or why there is
 * none. Depends on nothing but its input.
 */
export async function compileRule(input: CompileInput): Promise<CompiledRule | { readonly refused: string }> {
  const parser = await loadParser();
  try {
    return new Compiler(parser, input).rule();
  } catch (error) {
    if (error instanceof Refusal) return { refused: `${input.table.table}: ${error.message}` };
    if (error instanceof RangeError) return { refused: `${input.table.table}: it is nested too deeply` };
    throw error;
  }
}

class Compiler {
  readonly #parser: Parser;
  readonly #input: CompileInput;
  readonly #constants = new Set<string>();
  readonly #paths = new Map<string, readonly string[]>();
  readonly #claims = new Map<string, ClaimValue>();
  readonly #expressions: string[] = [];

  constructor(parser: Parser, input: CompileInput) {
    this.#parser = parser;
    this.#input = input;
  }

  rule(): CompiledRule {
    const { appId, role, table } = this.#input;
    const condition = this.#policies(table, "row", (select, test, context) =>
      this.#members(select, test, context),
    );
    const disjuncts = condition.isTrue();
    const probes = {
      columns: new Map(
        table.columns.filter(({ virtual }) => !virtual).map((column) => [column.name, column]),
      ),
      constants: [...this.#constants],
      paths: [...this.#paths.values()],
    };
    const origin = JSON.stringify([appId, role, table.table, ...this.#expressions]);
    return new Rule(origin, disjuncts, [...this.#claims.values()], probes);
  }

  /** PostgreSQL's rule (CREATE POLICY): any permissive policy and every restrictive one. */
  #policies(table: SourceTable, scope: Scope, subquery: Parameters<typeof conditionOf>[2]): Condition {
    if (!table.rls) return constant(true);
    const context = this.#context([{ name: table.table, scope, table }]);
    const conditions = (permissive: boolean) =>
      table.policies
        .filter((policy) => policy[this.#input.role] && policy.permissive === permissive)
        .map(({ expression }) => conditionOf(this.#parse(expression), context, subquery));
    const any = conditions(true).reduce(or, constant(false));
    return conditions(false).reduce(and, any);
  }

  #context(tables: readonly NamedTable[]): Context {
    return {
      appId: this.#input.appId,
      functions: this.#input.functions,
      tables,
      onColumn: () => {},
      onConstant: (text) => this.#constants.add(text),
      onClaim: (claim) => this.#claims.set(claim.id, claim),
      onPath: (path) => this.#paths.set(JSON.stringify(path), path),
    };
  }

  #parse(expression: string): unknown {
    if (expression.length > limits.expressionChars) throw new Refusal("its expression is too long");
    this.#expressions.push(expression);
    const statements = this.#parser.parse(`select ${expression}`);
    if ("reason" in statements) throw new Refusal("its expression can't be parsed");
    const [target] = (statements[0]?.fields.targetList ?? []) as unknown[];
    return wrapped(target)[1].val;
  }

  /** A subquery on another table, whose own policies for this role count too. */
  #members(select: AstFields, test: readonly unknown[], outer: Context): Condition {
    const { role } = this.#input;
    const { alias, table } = this.#sourceOf(select);
    const base = this.#context([{ name: alias, scope: "member", table }, ...outer.tables]);
    const context: Context = {
      ...base,
      onColumn: (scope, column) => {
        if (scope === "member" && !column[role]) {
          throw new Refusal(`its callers may not read ${table.table}.${column.name}`);
        }
      },
    };
    if (!table.columns.some((column) => column[role])) {
      throw new Refusal(`its callers may not read ${table.table}`);
    }
    const asked = select.whereClause;
    const where = asked === undefined ? constant(true) : conditionOf(asked, context, thirdTable);
    const targets = (select.targetList ?? []) as unknown[];
    if (test.length > 0 && test.length !== targets.length)
      throw new Refusal("a subquery gives other columns");
    // Each is looked at even if only existence is asked: an aggregate would always give a row.
    const given = targets.map((target) => operandOf(wrapped(target)[1].val, context));
    const among = test.map((value, at) => compare("=", operandOf(value, outer), given[at]!));
    const policies = this.#policies(table, "member", thirdTable);
    return existing(table.table, [where, ...among, policies].reduce(and));
  }

  /** The one table that a subquery reads. */
  #sourceOf(select: AstFields): { alias: string; table: SourceTable } {
    const known = new Set(["targetList", "fromClause", "whereClause", "limitOption", "op"]);
    const from = (select.fromClause ?? []) as unknown[];
    const [tag, range] = wrapped(from[0]);
    const plain = Object.keys(select).every((key) => known.has(key)) && select.op === "SETOP_NONE";
    if (!plain || from.length !== 1 || tag !== "RangeVar") {
      throw new Refusal("a subquery is more than a selection from one table");
    }
    const name = String(range.relname);
    const alias = range.alias as { aliasname?: string; colnames?: unknown } | undefined;
    if (range.schemaname !== this.#input.appId)
      throw new Refusal(`a subquery reads ${name} of another schema`);
    if (name === this.#input.table.table) throw new Refusal("a subquery reads the table itself");
    if (alias?.colnames !== undefined) throw new Refusal("a subquery renames columns");
    const table = this.#input.lookup(name);
    if (table === undefined) throw new Refusal(`a subquery reads ${name}, which is no plain table`);
    if (table.inherited && range.inh === true) throw new Refusal(`other tables inherit from ${name}`);
    if (table.forced) throw new Refusal(`row security holds for the owner of ${name} too`);
    return { alias: alias?.aliasname ?? name, table };
  }
}

function thirdTable(): never {
  throw new Refusal("a further table would have to be followed");
}

/** "There is a row of the table for which the condition is true": never unknown. */
function existing(table: string, condition: Condition): Condition {
  const ways = () => condition.isTrue().map((literals) => membershipOf(table, literals));
  return decided(
    () =>
      anyOf(
        ...ways().map(({ membership, outside }) =>
          allOf([outside], one(memberLiteral("exists", membership))),
        ),
      ),
    () =>
      allOf(
        ...ways().map(({ membership, outside }) =>
          anyOf(one(memberLiteral("missing", membership)), ...outside.map(opposite)),
        ),
      ),
  );
}
