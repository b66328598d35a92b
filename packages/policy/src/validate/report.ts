import { limits } from "../limits.ts";
import { escapeStep } from "../pointer.ts";
import type { Json, JsonObject, Problem, Validation } from "../types.ts";

/** Gathers what is wrong and what is doubtful; beyond the bound it only counts. */
export class Report {
  readonly #problems: Problem[] = [];
  readonly #warnings: Problem[] = [];
  #unlisted = 0;

  problem(pointer: string, message: string): void {
    if (this.#problems.length < limits.problems) this.#problems.push({ pointer, message });
    else this.#unlisted++;
  }

  warning(pointer: string, message: string): void {
    if (this.#warnings.length < limits.problems) this.#warnings.push({ pointer, message });
  }

  /** Whether nothing is wrong with what the pointer leads to, nor with anything in it. */
  isFine(pointer: string): boolean {
    const inside = `${pointer}/`;
    return (
      this.#unlisted === 0 &&
      this.#problems.every((known) => known.pointer !== pointer && !known.pointer.startsWith(inside))
    );
  }

  validation(): Validation {
    const more = this.#unlisted > 0 ? [{ pointer: "", message: `${this.#unlisted} more problems` }] : [];
    const problems = [...this.#problems, ...more];
    return { valid: problems.length === 0, problems, warnings: this.#warnings };
  }
}

/** Where something is in the document: `at(pointer, "tools", name)`. */
export function at(pointer: string, ...steps: readonly (string | number)[]): string {
  return steps.reduce<string>((sum, step) => `${sum}/${escapeStep(String(step))}`, pointer);
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value as an object, after telling of keys that mean nothing here; null when it is none. */
export function objectWith(
  value: Json | undefined,
  keys: readonly string[],
  pointer: string,
  report: Report,
): JsonObject | null {
  if (!isObject(value)) {
    report.problem(pointer, "must be an object");
    return null;
  }
  for (const key of Object.keys(value)) {
    if (!keys.includes(key)) report.problem(at(pointer, key), `unknown key; here may be ${keys.join(", ")}`);
  }
  return value;
}

/** An own property, or undefined. */
export function own(value: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(value, key) ? value[key] : undefined;
}

/** The value as a list of bounded length; empty when it is not there, or no list. */
export function listOf(
  value: Json | undefined,
  most: number,
  pointer: string,
  report: Report,
): readonly Json[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) {
    report.problem(pointer, "must be a list");
    return [];
  }
  if (value.length > most) report.problem(pointer, `more than ${most} entries`);
  return (value as readonly Json[]).slice(0, most);
}

/** Control characters and half pairs can be kept and shown nowhere; texts for people may have lines and tabs. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = { name: /[\u0000-\u001f\u007f]/, text: /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/ };

/** Whether the value is a text that may be a name, or may be told an agent; tells what is wrong with it. */
export function isText(
  value: Json | undefined,
  kind: "name" | "text",
  mostChars: number,
  pointer: string,
  report: Report,
): value is string {
  const wrong =
    typeof value !== "string"
      ? "must be a text"
      : kind === "name" && value === ""
        ? "must not be empty"
        : value.length > mostChars
          ? `longer than ${mostChars} characters`
          : CONTROL[kind].test(value) || !value.isWellFormed()
            ? "has characters that can't be shown"
            : null;
  if (wrong !== null) report.problem(pointer, wrong);
  return wrong === null;
}

/** Whether the value is a whole number within bounds; tells when not. */
export function isWhole(value: Json | undefined, most: number, pointer: string, report: Report): boolean {
  const fits = Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= most;
  if (!fits) {
    const range = most === Number.MAX_SAFE_INTEGER ? "at least 1" : `from 1 to ${most}`;
    report.problem(pointer, `must be a whole number, ${range}`);
  }
  return fits;
}

/** Whether the value is one of these texts; tells when not. */
export function isOneOf(
  value: Json | undefined,
  allowed: readonly string[],
  pointer: string,
  report: Report,
): boolean {
  const known = typeof value === "string" && allowed.includes(value);
  if (!known) {
    const quoted = allowed.map((name) => JSON.stringify(name)).join(", ");
    report.problem(pointer, `must be ${allowed.length === 1 ? "" : "one of "}${quoted}`);
  }
  return known;
}
