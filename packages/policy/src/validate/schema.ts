import type { Step } from "../paths.ts";
import type { Json, JsonObject } from "../types.ts";
import { isObject, own } from "./report.ts";

/** What a tool's input schema says of a path. */
export interface Argument {
  /** `unknown`: the schema leaves it open, or says it in a way that is not followed. */
  readonly state: "declared" | "absent" | "unknown";
  /** Whether a call may leave it out, as far as the schema says. */
  readonly optional: boolean;
  /** The one type it is declared to have; null when there is none or several. */
  readonly type: string | null;
}

/** Keywords behind which a schema may say anything. */
const NOT_FOLLOWED = ["$ref", "$dynamicRef", "anyOf", "oneOf", "allOf", "if", "patternProperties", "not"];

/** Follows a path through `properties` and `items`. */
export function findArgument(schema: Json, steps: readonly Step[]): Argument {
  let here: Json | undefined = schema;
  let optional = false;
  for (const [nth, step] of steps.entries()) {
    if (!isObject(here) || NOT_FOLLOWED.some((keyword) => own(here as JsonObject, keyword) !== undefined)) {
      return { state: "unknown", optional, type: null };
    }
    if (step.every || own(here, "type") === "array") {
      here = own(here, "items");
      continue;
    }
    const required = own(here, "required");
    optional ||= !(Array.isArray(required) && required.includes(step.key));
    const properties = own(here, "properties");
    const declared = isObject(properties) ? own(properties, step.key) : undefined;
    if (declared === undefined) {
      const extra = own(here, "additionalProperties");
      // An object inside that declares nothing may hold anything; a tool that declares nothing takes no arguments.
      const open = extra === true || isObject(extra) || (extra !== false && !isObject(properties) && nth > 0);
      return { state: open ? "unknown" : "absent", optional, type: null };
    }
    here = declared;
  }
  const type = isObject(here) ? own(here, "type") : undefined;
  return {
    state: here === undefined ? "unknown" : "declared",
    optional,
    type: typeof type === "string" ? type : null,
  };
}
