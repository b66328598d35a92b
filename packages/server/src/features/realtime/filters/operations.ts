import type { FilterProblem } from "./types.ts";

/** One condition on a column as an object says it. */
export interface Operation {
  readonly op: string;
  readonly value: unknown;
  readonly not?: boolean;
}

const FIELDS = new Set(["op", "value", "not"]);

const isOperation = (value: unknown): value is Operation =>
  typeof value === "object" &&
  value !== null &&
  "op" in value &&
  typeof value.op === "string" &&
  "value" in value &&
  (!("not" in value) || typeof value.not === "boolean") &&
  Object.keys(value).every((key) => FIELDS.has(key));

/** The operations a column is given: one or a list of them; null for a plain value. Pure. */
export function operationsOf(value: unknown): readonly Operation[] | null {
  if (isOperation(value)) return [value];
  return Array.isArray(value) && value.length > 0 && value.every(isOperation) ? value : null;
}

/** The operation as the data API writes it behind `<column>=`, or why there is no such. Pure. */
export function operationText({ op, value, not = false }: Operation): string | FilterProblem {
  if (value === null && op !== "is") {
    return {
      problem: `null is no value to compare with: write {"op": "is", "value": null} instead of ${op.slice(0, 20)}.`,
    };
  }
  if (op === "in" && !Array.isArray(value))
    return { problem: 'The operator in takes a list: {"op": "in", "value": [1, 2]}.' };
  const text = op === "in" ? list(value as readonly unknown[]) : plain(value);
  return `${not ? "not." : ""}${op}.${text}`;
}

const plain = (value: unknown): string =>
  typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);

const list = (values: readonly unknown[]): string =>
  `(${values.map((value) => `"${plain(value).replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`).join(",")})`;
