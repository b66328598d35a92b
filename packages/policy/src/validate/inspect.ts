import { readJson } from "../json.ts";
import { limits } from "../limits.ts";
import { plainCopy } from "../plain.ts";
import { Regexes } from "../regexes.ts";
import type { Json, PolicyDocument, ToolDefinition, Validation } from "../types.ts";
import { checkAgainstTools } from "./against-tools.ts";
import { checkDocument } from "./document.ts";
import { Report } from "./report.ts";

export interface Inspection {
  readonly validation: Validation;
  /** A frozen copy; null unless it is valid. */
  readonly document: PolicyDocument | null;
  /** The document's, compiled. */
  readonly regexes: Regexes;
}

/** Validates, and keeps what was worked out on the way. */
export function inspect(document: unknown, tools?: readonly ToolDefinition[]): Inspection {
  const report = new Report();
  const regexes = new Regexes();
  const value = isText(document) ? fromText(document.text, report) : fromValue(document, report);
  if (value !== undefined) {
    checkDocument(value, report, regexes);
    if (tools !== undefined) checkAgainstTools(value, tools, report);
  }
  const validation = report.validation();
  return { validation, document: validation.valid ? (value as unknown as PolicyDocument) : null, regexes };
}

/** `{text}` and nothing else; no document looks like that. */
function isText(document: unknown): document is { readonly text: string } {
  return (
    typeof document === "object" &&
    document !== null &&
    Object.keys(document).length === 1 &&
    "text" in document &&
    typeof document.text === "string"
  );
}

function fromText(text: string, report: Report): Json | undefined {
  const reading = readJson(text, { maxBytes: limits.documentBytes, maxDepth: limits.documentDepth });
  for (const { pointer, message } of reading.problems) report.problem(pointer, message);
  const nestedTooDeeply = reading.problems.some(
    (problem) => "code" in problem && problem.code === "too_deep",
  );
  return reading.value === undefined || nestedTooDeeply ? undefined : frozen(reading.value, report);
}

function fromValue(document: unknown, report: Report): Json | undefined {
  const value = frozen(document, report);
  if (value === undefined) return undefined;
  const reading = readJson(JSON.stringify(value), {
    maxBytes: limits.documentBytes,
    maxDepth: limits.documentDepth,
  });
  for (const { pointer, message } of reading.problems) report.problem(pointer, message);
  return value;
}

function frozen(value: unknown, report: Report): Json | undefined {
  const copied = plainCopy(value);
  if ("value" in copied) return copied.value;
  report.problem(copied.problem.pointer, copied.problem.message);
  return undefined;
}
