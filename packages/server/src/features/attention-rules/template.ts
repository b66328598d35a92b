import type { Json, JsonObject } from "../ledger/service.ts";
import { ruleErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { lookup } from "./logic/path.ts";
import type { Variables } from "./types.ts";

const NAME = "[A-Za-z_][A-Za-z0-9_-]*(?:\\.[A-Za-z0-9_-]+)*";
const ANY = new RegExp(`\\{\\{\\s*(${NAME})\\s*\\}\\}`, "g");
const ALONE = new RegExp(`^\\{\\{\\s*(${NAME})\\s*\\}\\}$`);

/** Throws RULE_TEMPLATE_INVALID for a template that is too large, or has `{{` that begins no variable. Pure. */
export function checkTemplate(template: JsonObject): void {
  if (Buffer.byteLength(JSON.stringify(template)) > limits.templateBytes) {
    throw invalid(`it is larger than ${limits.templateBytes} bytes`);
  }
  const walk = (node: Json, depth: number): void => {
    if (depth > limits.templateDepth) throw invalid(`it is nested more than ${limits.templateDepth} deep`);
    if (typeof node === "string") {
      const at = node.replace(ANY, "").indexOf("{{");
      if (at >= 0)
        throw invalid(`it has "{{" that begins no variable, in ${JSON.stringify(node.slice(0, 100))}`);
    } else if (typeof node === "object" && node !== null) {
      for (const part of Object.values(node)) walk(part, depth + 1);
    }
  };
  walk(template, 0);
}

/**
 * The payload with its variables filled in. A text that is one variable and nothing else becomes its value, whatever
 * its kind; inside a longer text null is empty, and objects and lists are JSON. What is filled in is not looked through
 * again. Throws RULE_VARIABLE_MISSING, and RULE_TEMPLATE_INVALID for a payload that gets too large. Pure.
 */
export function render(template: JsonObject, variables: Variables): JsonObject {
  let size = 0;
  // Counted as it grows: a short template can name a long text many times over.
  const grown = (chars: number) => {
    size += chars;
    if (size > limits.payloadBytes) throw invalid(`a payload gets larger than ${limits.payloadBytes} bytes`);
  };
  const filled = (node: Json): Json => {
    if (typeof node === "string") return fillText(node, variables, grown);
    if (Array.isArray(node)) return node.map(filled);
    if (typeof node !== "object" || node === null) return node;
    return Object.fromEntries(Object.entries(node).map(([key, part]) => [key, filled(part)]));
  };
  return filled(template) as JsonObject;
}

function fillText(text: string, variables: Variables, grown: (chars: number) => void): Json {
  const alone = ALONE.exec(text);
  if (alone !== null) {
    const value = variableOf(alone[1]!, variables);
    grown(JSON.stringify(value).length);
    return value;
  }
  grown(text.length);
  return text.replace(ANY, (_all, name: string) => {
    const value = variableOf(name, variables);
    const written = value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
    grown(written.length);
    return written;
  });
}

function variableOf(name: string, variables: Variables): Json {
  const value = lookup(variables, name);
  if (value !== undefined) return value;
  throw ruleErrors.RULE_VARIABLE_MISSING({
    message: `The template names {{${name.slice(0, 100)}}}, which is not there.`,
    details: { variable: name.slice(0, 100) },
  });
}

const invalid = (problem: string) =>
  ruleErrors.RULE_TEMPLATE_INVALID({ message: `The payload template can't be used: ${problem}.` });
