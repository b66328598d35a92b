import { limits } from "./limits.ts";
import { pointerOf } from "./pointer.ts";
import type { Json, Problem } from "./types.ts";

/** What `plainCopy` throws; its message is for the author of the document. */
class NotJson extends Error {
  readonly steps: readonly (string | number)[];
  constructor(message: string, steps: readonly (string | number)[]) {
    super(message);
    this.steps = [...steps];
  }
}

/**
 * A frozen copy of a JSON value that came as an object: nothing done to the original later reaches it. Anything that is no
 * JSON (functions, dates, NaN, circles) is a problem. A key with the value undefined is left out, as JSON.stringify does.
 */
export function plainCopy(value: unknown): { readonly value: Json } | { readonly problem: Problem } {
  const steps: (string | number)[] = [];
  let values = 0;
  const copy = (given: unknown): Json => {
    if (++values > limits.documentValues) throw new NotJson("too many values", []);
    if (given === null || typeof given === "string" || typeof given === "boolean") return given;
    if (typeof given === "number") {
      if (!Number.isFinite(given)) throw new NotJson("not a finite number", steps);
      return given;
    }
    if (typeof given !== "object") throw new NotJson(`${typeof given} is no JSON value`, steps);
    if (steps.length >= limits.documentDepth) {
      throw new NotJson(`nested more than ${limits.documentDepth} levels deep`, steps);
    }
    return Array.isArray(given) ? copyList(given) : copyObject(given);
  };
  const inside = (step: string | number, given: unknown): Json => {
    steps.push(step);
    const copied = copy(given);
    steps.pop();
    return copied;
  };
  const copyList = (given: readonly unknown[]): Json =>
    Object.freeze(Array.from(given, (element, index) => inside(index, element)));
  const copyObject = (given: object): Json => {
    const prototype = Object.getPrototypeOf(given);
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
      throw new NotJson("not a plain object", steps);
    }
    const entries = Object.entries(given).filter(([, element]) => element !== undefined);
    // fromEntries defines properties, so that a key `__proto__` stays a key.
    return Object.freeze(Object.fromEntries(entries.map(([key, element]) => [key, inside(key, element)])));
  };
  try {
    return { value: copy(value) };
  } catch (error) {
    if (error instanceof NotJson) {
      return { problem: { pointer: pointerOf(error.steps), message: error.message } };
    }
    // A getter or a proxy that throws.
    return { problem: { pointer: pointerOf(steps), message: "can't be read" } };
  }
}
