import { limits } from "./limits.ts";
import type { Json, JsonObject } from "./types.ts";

export interface Step {
  readonly key: string;
  /** The index it names in a list; −1 when it names none. */
  readonly index: number;
  /** `*`: every element of a list. */
  readonly every: boolean;
}

/** What a path reads: undefined where there is nothing. */
export type Operand = Json | undefined;

const INDEX = /^(?:0|[1-9]\d{0,15})$/;

/**
 * Reads `args`, `args.a.b`, `args.items.0`, `args.items.*.url`, `args["a.b"]`. Between dots anything but brackets and
 * quotes is a name; what is in brackets is a JSON string and always a key, never an index or `*`.
 */
export function parsePath(text: string): { readonly steps: readonly Step[] } | { readonly problem: string } {
  if (text.length > limits.pathChars) return { problem: `longer than ${limits.pathChars} characters` };
  if (!text.startsWith("args")) return { problem: 'a path starts with "args"' };
  const steps: Step[] = [];
  let at = 4;
  while (at < text.length) {
    if (text[at] === ".") {
      const name = /^[^.[\]"]*/.exec(text.slice(at + 1))![0];
      if (name === "") return { problem: `a name is missing at character ${at + 1}` };
      steps.push(named(name));
      at += 1 + name.length;
    } else if (text[at] === "[") {
      const quoted = /^\[("(?:[^"\\]|\\.)*")\]/.exec(text.slice(at));
      const key = quoted === null ? null : textOf(quoted[1]!);
      if (key === null) {
        return { problem: `at character ${at}: brackets hold a key in double quotes, as in args["a.b"]` };
      }
      steps.push({ key, index: -1, every: false });
      at += quoted![0].length;
    } else {
      return { problem: `unexpected ${JSON.stringify(text[at])} at character ${at}` };
    }
  }
  if (steps.length > limits.pathSteps) return { problem: `more than ${limits.pathSteps} steps` };
  return { steps };
}

/** The steps of a path that validation has accepted. */
export function stepsOf(path: string): readonly Step[] {
  const parsed = parsePath(path);
  if ("problem" in parsed) throw new Error(parsed.problem);
  return parsed.steps;
}

function named(name: string): Step {
  return { key: name, index: INDEX.test(name) ? Number(name) : -1, every: name === "*" };
}

function textOf(quoted: string): string | null {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return null;
  }
}

/** Own keys of objects and elements of lists only: never what a prototype has. */
function step(from: Operand, { key, index }: Step): Json | undefined {
  if (typeof from !== "object" || from === null) return undefined;
  if (Array.isArray(from)) return index >= 0 && index < from.length ? from[index] : undefined;
  return Object.hasOwn(from, key) ? (from as JsonObject)[key] : undefined;
}

/** What a path without `*` reads. */
export function readPath(args: Json, steps: readonly Step[]): Json | undefined {
  let here: Json | undefined = args;
  for (let at = 0; at < steps.length && here !== undefined; at++) here = step(here, steps[at]!);
  return here;
}

/**
 * Whether `test` holds for what a path reads: with `any` for one of the elements at least, without it for every one. An
 * empty list, or null in its place, is read as one missing value, so that "every" never holds for nothing. Where `*` meets
 * anything else that is no list there is nothing to ask `test`: the answer is `any`, which stops the call either way.
 */
export function testPath(
  from: Json | undefined,
  steps: readonly Step[],
  any: boolean,
  test: (operand: Operand) => boolean,
  start = 0,
): boolean {
  let here = from;
  for (let at = start; at < steps.length; at++) {
    const next = steps[at]!;
    if (!next.every) {
      here = step(here, next);
      continue;
    }
    if (here === undefined || here === null) return test(undefined);
    if (!Array.isArray(here)) return any;
    if (here.length === 0) return test(undefined);
    for (const element of here as readonly Json[]) {
      if (testPath(element, steps, any, test, at + 1) === any) return any;
    }
    return !any;
  }
  return test(here);
}
