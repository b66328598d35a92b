import type { Json, JsonObject } from "../../ledger/service.ts";
import { cut } from "../cut.ts";
import { limits } from "../limits.ts";
import { isScalar } from "./applies-to.ts";
import { type Decimal, decimalOf, decimalText, exceeds, plus, readDecimal } from "./decimal.ts";
import { type Path, type Scalar, valueAt } from "./payload-path.ts";
import { isQuiet } from "./quiet-hours.ts";
import type { Constraint } from "./read.ts";
import { plainUnit } from "./unit.ts";
import type { Window } from "./windows.ts";

/** What was executed in the window so far, of what the principle is about. */
export interface Aggregate {
  readonly count: number;
  /** The amounts' sum as a decimal text; amounts below zero count as zero. */
  readonly sum: string;
}

export const NOTHING_YET: Aggregate = { count: 0, sum: "0" };

/** Why the proposal stands against the constraint, with the numbers; null when it does not. Pure. */
export function evaluate(
  constraint: Constraint,
  payload: JsonObject,
  aggregate: Aggregate,
  nowMs: number,
): string | null {
  switch (constraint.type) {
    case "max_per_window": {
      const { max, window } = constraint;
      if (aggregate.count < max) return null;
      return `at most ${max} are allowed per ${window}, and ${aggregate.count} were executed ${sinceWhen(window)}.`;
    }
    case "max_amount_per_window":
      return tooMuch(constraint, payload, aggregate);
    case "approval_above":
      return aboveThreshold(constraint, payload);
    case "allowed_values":
      return notAllowed(constraint, payload);
    case "forbidden_values":
      return forbidden(constraint, payload);
    case "quiet_hours": {
      if (!isQuiet(constraint, nowMs)) return null;
      const hours = `${timeText(constraint.from)} and ${timeText(constraint.until)}`;
      return `it is quiet between ${hours} (${constraint.timezone}).`;
    }
  }
}

/** The payload's number: null when there is none, or why it can't be used. */
function amountAt(payload: JsonObject, field: Path, required: boolean): Decimal | string | null {
  const value = valueAt(payload, field);
  if (value === undefined || value === null) {
    return required ? `${field.join(".")} is missing, and has to be a number.` : null;
  }
  const amount = typeof value === "number" ? decimalOf(value) : null;
  if (amount === null) return `${field.join(".")} is no number.`;
  return amount.units < 0n ? `${field.join(".")} is below zero.` : amount;
}

function tooMuch(
  constraint: Extract<Constraint, { type: "max_amount_per_window" }>,
  payload: JsonObject,
  { sum }: Aggregate,
): string | null {
  const { field, unit, unitField, max, window, required } = constraint;
  const amount = amountAt(payload, field, required);
  if (amount === null || typeof amount === "string") return amount;
  if (unit !== null && unitOf(valueAt(payload, unitField)) !== unit) {
    return `${unitField.join(".")} is not ${unit}, and nothing else can be counted against the limit.`;
  }
  const before = readDecimal(sum);
  if (before === null) return "what was executed so far can't be added up.";
  const after = plus(before, amount);
  if (!exceeds(after, max)) return null;
  const inUnit = unit === null ? "" : ` ${unit}`;
  return `${field.join(".")} may add up to ${decimalText(max)}${inUnit} per ${window}; with ${decimalText(amount)} on top of ${decimalText(before)} ${sinceWhen(window)} it would be ${decimalText(after)}.`;
}

const unitOf = (value: Json | undefined): string | null =>
  typeof value === "string" ? plainUnit(value) : null;

function aboveThreshold(
  { field, threshold, required }: Extract<Constraint, { type: "approval_above" }>,
  payload: JsonObject,
): string | null {
  const amount = amountAt(payload, field, required);
  if (amount === null || typeof amount === "string") return amount;
  if (!exceeds(amount, threshold)) return null;
  return `${field.join(".")} is ${decimalText(amount)}, above ${decimalText(threshold)}.`;
}

function notAllowed(
  { field, values, required }: Extract<Constraint, { type: "allowed_values" }>,
  payload: JsonObject,
): string | null {
  const value = valueAt(payload, field);
  if (value === undefined || value === null) {
    return required && !values.includes(null) ? `${field.join(".")} is missing.` : null;
  }
  const odd = (Array.isArray(value) ? value : [value]).find(
    (each) => !isScalar(each) || !values.includes(each),
  );
  return odd === undefined
    ? null
    : `${field.join(".")} is ${shown(odd)}, which is not among the allowed values.`;
}

function forbidden(
  { field, values }: Extract<Constraint, { type: "forbidden_values" }>,
  payload: JsonObject,
): string | null {
  const value = valueAt(payload, field);
  if (value === undefined) return null;
  const plain = values.map(plainly);
  const found = (Array.isArray(value) ? value : [value]).find(
    (each) => isScalar(each) && plain.includes(plainly(each)),
  );
  return found === undefined ? null : `${field.join(".")} is ${shown(found)}, which is forbidden.`;
}

/** Spelling is no way around what is forbidden: case, width and outer spaces make no difference. */
const plainly = (value: Scalar): Scalar =>
  typeof value === "string" ? value.normalize("NFKC").trim().toLowerCase() : value;

const shown = (value: Json): string => cut(JSON.stringify(value), limits.shownValueChars);

const timeText = (minutes: number): string =>
  `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;

const SINCE: Readonly<Record<Window, string>> = {
  hour: "this hour",
  day: "today",
  week: "since Monday",
  month: "this month",
};
const sinceWhen = (window: Window): string => `${SINCE[window]} (UTC)`;
