import type { JsonObject } from "../../ledger/service.ts";
import { limits } from "../limits.ts";
import { type Path, readPath, type Scalar, valueAt } from "./payload-path.ts";

/** Which proposals a principle is about; everything in it must hold. */
export interface Applicability {
  /** Null: every capability. */
  readonly capabilities: readonly string[] | null;
  readonly matchers: readonly Matcher[];
}

/** The payload's value at `path` is one of `values`, or is a list that holds one of them. */
export interface Matcher {
  readonly path: Path;
  readonly values: readonly Scalar[];
}

/** Something wrong with a principle, and where. */
export interface Problem {
  /** Dotted, from the payload's root, e.g. `constraint_spec.params.max`. */
  readonly path: string;
  readonly message: string;
}

/** Reads `applies_to`: `{capability: name or list, …dotted payload path: value or list of values}`. Pure. */
export function readAppliesTo(
  appliesTo: JsonObject,
  capabilities: ReadonlySet<string>,
): { readonly read: Applicability; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const matchers: Matcher[] = [];
  let named: readonly string[] | null = null;
  const refuse = (field: string, message: string) => problems.push({ path: `applies_to.${field}`, message });
  for (const [field, value] of Object.entries(appliesTo)) {
    const values = Array.isArray(value) ? value : [value];
    if (values.length === 0 || values.length > limits.principleValues) {
      refuse(field, `a list here has 1 to ${limits.principleValues} values`);
    } else if (field === "capability") {
      const unknown = values.filter((each) => typeof each !== "string" || !capabilities.has(each));
      if (unknown.length > 0) refuse(field, `there is no capability ${JSON.stringify(unknown[0])}`);
      named = values.filter((each) => typeof each === "string");
    } else if (!values.every(isScalar)) {
      refuse(field, "a value here is a text, a number, a boolean, null, or a list of those");
    } else {
      const path = readPath(field, limits.pathSegments);
      if (path === null) refuse(field, "this is no dotted path into a payload, such as attrs.amount");
      else matchers.push({ path, values });
    }
  }
  return { read: { capabilities: named, matchers }, problems };
}

export const isScalar = (value: unknown): value is Scalar =>
  value === null || typeof value === "string" || typeof value === "boolean" || Number.isFinite(value);

/** Whether the proposal is one of those the principle is about. A missing value matches nothing. Pure. */
export function applies(
  { capabilities, matchers }: Applicability,
  capability: string,
  payload: JsonObject,
): boolean {
  if (capabilities !== null && !capabilities.includes(capability)) return false;
  return matchers.every(({ path, values }) => {
    const value = valueAt(payload, path);
    if (value === undefined) return false;
    return (Array.isArray(value) ? value : [value]).some((each) => isScalar(each) && values.includes(each));
  });
}
