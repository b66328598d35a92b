import { errors } from "../../kernel/errors.ts";
import { inputProblem } from "../../kernel/plain-input.ts";
import { limits } from "./limits.ts";

/** Levels of lists and objects in one parameter. */
const DEPTH = 50;

/**
 * Values of `$1, $2 …` as Postgres reads them as text: a list becomes an array (`= any($1)`), an object JSON. Pure.
 * @throws VALIDATION_INVALID_SCHEMA for what no column could take
 */
export function toParams(values: readonly unknown[]): (string | null)[] {
  if (values.length > limits.callParams) refuse(`There are more than ${limits.callParams} parameters.`);
  let chars = 0;
  return values.map((value, index) => {
    const problem = inputProblem(value, DEPTH);
    if (problem !== null) refuse(`Parameter $${index + 1}: ${problem}.`);
    const text = toText(value);
    chars += text?.length ?? 0;
    if (chars > limits.callParamChars) refuse("The parameters are too large.");
    return text;
  });
}

function toText(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return arrayText(value);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** `{1,"a b",NULL}`: the form of Postgres' array literals; nested lists are further dimensions. */
function arrayText(values: readonly unknown[]): string {
  const parts = values.map((value) => {
    if (Array.isArray(value)) return arrayText(value);
    const text = toText(value);
    return text === null ? "NULL" : `"${text.replaceAll(/["\\]/g, "\\$&")}"`;
  });
  return `{${parts.join(",")}}`;
}

function refuse(message: string): never {
  throw errors.VALIDATION_INVALID_SCHEMA({ message });
}
