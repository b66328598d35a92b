import { HELPER_SCHEMA } from "../tenant.ts";
import { type FunctionKind, functionKind } from "./allow-list.ts";
import { calledName, items, strings, wrapped } from "./ast.ts";
import { judgeArguments } from "./guarded-arguments.ts";
import type { Visit } from "./judge.ts";
import { isTrustedSchema } from "./rules-names.ts";

/** Rules for everything that calls a function by name. */

/** A function call: the name has to be on the allow-list and allowed in this place. */
export function judgeCall(visit: Visit): void {
  const { fields, findings, refuse } = visit;
  const parts = calledName(fields);
  const name = parts.at(-1) ?? "";
  const subject = parts.join(".");
  const kind = functionKind(name);
  if (!kind) {
    const message = `The function ${subject}() may not be called. Allowed are Postgres' functions for text, numbers, dates, JSON, arrays and search; current_user_id() gives the signed-in user.`;
    refuse("FUNCTION_NOT_ALLOWED", message, subject);
    return;
  }
  if (parts.length > 2 || (parts.length === 2 && !isHomeOf(parts[0]!, kind))) {
    refuse("SCHEMA_NOT_ALLOWED", `Call ${name}() without a schema.`, subject);
    return;
  }
  findings.functions.add(name);
  const place = misplacedCall(kind, visit);
  if (place) refuse("FUNCTION_NOT_ALLOWED", `${name}() ${place}`, subject);
  else if (kind === "guarded") judgeArguments(name, visit);
}

const isHomeOf = (schema: string, kind: FunctionKind): boolean =>
  kind === "helper" ? schema === HELPER_SCHEMA : isTrustedSchema(schema);

function misplacedCall(kind: FunctionKind, { setting, scope }: Visit): string | undefined {
  if (setting.mode === "statement") return undefined;
  if (kind === "statement") return "can be called in run_sql only.";
  if (scope.inSubquery || (kind !== "aggregate" && kind !== "window" && kind !== "set")) return undefined;
  return "works on many rows and needs a subquery around it.";
}

/** CURRENT_USER, CURRENT_TIMESTAMP and their kind: harmless, and noted under the name they are written with. */
export function judgeValueFunction({ fields, findings }: Visit): void {
  const name = String(fields.op ?? "")
    .replace(/^SVFOP_/, "")
    .replace(/_N$/, "")
    .toLowerCase();
  findings.functions.add(name);
}

/** A function in FROM: a plain call, because other forms hide the name that its alias stands for. */
export function judgeRangeFunction({ fields, refuse }: Visit): void {
  for (const [, list] of items(fields.functions)) {
    if (wrapped((list.items as unknown[] | undefined)?.[0])[0] === "FuncCall") continue;
    refuse("CONSTRUCT_NOT_ALLOWED", "In FROM use tables, subqueries and plain function calls.");
  }
}

/** TABLESAMPLE names a function too. */
export function judgeTableSample({ fields, refuse }: Visit): void {
  const method = strings(fields.method).join(".");
  if (method === "bernoulli" || method === "system") return;
  refuse("FUNCTION_NOT_ALLOWED", "Only the sampling methods BERNOULLI and SYSTEM are allowed.", method);
}
