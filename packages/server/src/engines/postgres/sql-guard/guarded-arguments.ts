import { literalInteger, literalText, strings, wrapped } from "./ast.ts";
import type { Visit } from "./judge.ts";
import { limits } from "./limits.ts";
import { isPlain } from "./rules-types.ts";

/** Functions that are allowed only with arguments that can be judged from the text alone. */

/** Judges the arguments of a guarded function. */
export function judgeArguments(name: string, visit: Visit): void {
  const args = Array.isArray(visit.fields.args) ? (visit.fields.args as unknown[]) : [];
  const problem = visit.fields.func_variadic
    ? `${name}() may not be called with VARIADIC.`
    : CHECKS[name]?.(args, visit, name);
  if (problem) visit.refuse("ARGUMENT_NOT_ALLOWED", problem, name);
}

type Check = (args: unknown[], visit: Visit, name: string) => string | undefined;

const CHECKS: Readonly<Record<string, Check | undefined>> = {
  current_setting: (args) =>
    literalText(args[0])?.startsWith("request.")
      ? undefined
      : "current_setting() may read only request settings, named by a literal such as 'request.jwt.claims'.",
  nextval: checkSequence,
  setval: checkSequence,
  currval: checkSequence,
  repeat: (args, _visit, name) => checkLength(args[1], name),
  lpad: (args, _visit, name) => checkLength(args[1], name),
  rpad: (args, _visit, name) => checkLength(args[1], name),
  format: (args) => checkFormat(literalText(args[0])),
};

function checkSequence(args: unknown[], visit: Visit, name: string): string | undefined {
  const { setting, findings, scope } = visit;
  if (setting.mode === "expression" && (name !== "nextval" || !setting.sequences || scope.inSubquery)) {
    return name === "nextval"
      ? "nextval() is allowed only in defaults."
      : `${name}() is allowed only in run_sql.`;
  }
  if (name !== "currval") {
    findings.writes = true;
    if (!setting.sequences) {
      visit.refuse(
        "WRITE_NOT_ALLOWED",
        `${name}() changes a sequence and only reading is allowed here.`,
        name,
      );
      return undefined;
    }
  }
  const sequence = literalText(args[0]);
  if (sequence === undefined || !isOwnSequence(sequence, setting.appSchema)) {
    return `${name}() takes the name of a sequence of the app as a literal, such as '${"todos_id_seq"}'.`;
  }
  const [tag, cast] = wrapped(args[0]);
  if (tag === "TypeCast") {
    const typeName = cast.typeName as Record<string, unknown>;
    const parts = strings(typeName.names);
    if (parts.at(-1) === "regclass" && isPlain(typeName, parts)) findings.acceptedTypes.add(typeName);
  }
  return undefined;
}

// The text is a name as regclass reads it: bare parts are folded to lower case, quoted ones are taken as they are.
const SEQUENCE = /^(?:(?:"([^".]+)"|([a-z_][a-z0-9_]*))\.)?(?:"[^".]+"|[a-z_][a-z0-9_]*)$/i;

function isOwnSequence(text: string, appSchema: string): boolean {
  const match = SEQUENCE.exec(text);
  if (!match) return false;
  const schema = match[1] ?? match[2]?.toLowerCase();
  return schema === undefined || schema === appSchema;
}

function checkLength(length: unknown, name: string): string | undefined {
  const chars = literalInteger(length);
  if (chars !== undefined && chars <= limits.paddingChars) return undefined;
  return `${name}() takes its length as a number written out, at most ${limits.paddingChars}.`;
}

// Widths stand between % and the conversion: %20s, %-20s, %2$20s, and %*s takes them from an argument.
function checkFormat(template: string | undefined): string | undefined {
  if (template === undefined) return "format() takes its template as a literal.";
  if (/%[-\d$]*\*/.test(template)) return "format() may not take a width from an argument (%*s).";
  const numbers = [...template.matchAll(/%[-\d$]*/g)].flatMap(([spec]) => spec.match(/\d+/g) ?? []);
  if (numbers.some((digits) => Number(digits) > limits.paddingChars)) {
    return `A width in format() may be at most ${limits.paddingChars}.`;
  }
  return undefined;
}
