import type { ErrorEntry } from "../../kernel/errors.ts";
import type { AnyOperation } from "../../kernel/operation.ts";
import { type JsonSchema, schemaOf } from "../../kernel/operation-schema.ts";
import { type Topic, topicOf } from "./topics.ts";

export type ErrorEntries = Readonly<Record<string, ErrorEntry>>;

/** The topic an operation is described under. */
export const topicOfOperation = (operation: AnyOperation): Topic =>
  topicOf(operation.name.split(".", 1)[0]!, "platform");

/** Whether an operation is for callers to use, rather than a page of the documentation itself. */
export const isDocumented = (operation: AnyOperation): boolean =>
  operation.mcp !== undefined || !operation.name.startsWith("docs.");

/** The full description of one operation, as Markdown. */
export function describeOperation(operation: AnyOperation, errors: ErrorEntries): string {
  const lines = [`### ${operation.name}: ${operation.title}`, "", operation.summary, ""];
  for (const form of httpForms(operation)) lines.push(`- HTTP: \`${form.method} ${form.path}\``);
  const { mcp } = operation;
  if (mcp !== undefined) {
    const action = mcp.action === undefined ? "" : ` action \`${mcp.action}\``;
    const aliases =
      mcp.aliases === undefined ? "" : ` (also ${mcp.aliases.map((name) => `\`${name}\``).join(", ")})`;
    const others = (mcp.also ?? []).map((place) => `, \`${place.tool}\` action \`${place.action}\``);
    lines.push(`- MCP: \`${mcp.tool}\`${action}${others.join("")}${aliases}`);
  }
  lines.push(`- Risk: ${operation.risk}${operation.idempotent ? ", may be repeated" : ""}`);
  const caller = operation.right === "public" ? "anyone" : `right to ${operation.right}`;
  lines.push(`- Caller: ${caller}${operation.personOnly ? ", persons only" : ""}`);
  lines.push(...describeInput(operation));
  for (const code of operation.errors ?? []) {
    const entry = errors[code];
    lines.push(
      `- Error \`${code}\`${entry === undefined ? "" : ` (${entry.status}): ${entry.message} ${entry.remediation}`}`,
    );
  }
  return lines.join("\n");
}

/** One line about an operation. */
export function summarizeOperation(operation: AnyOperation): string {
  const { mcp } = operation;
  const call = mcp === undefined ? "" : ` [${mcp.tool}${mcp.action === undefined ? "" : ` ${mcp.action}`}]`;
  return `- ${operation.name}${call}: ${operation.summary}`;
}

/** The HTTP forms of an operation; none, one or several. */
export const httpForms = (operation: AnyOperation) =>
  operation.http === undefined ? [] : [operation.http].flat();

function describeInput(operation: AnyOperation): string[] {
  const schema = schemaOf(operation.input);
  const properties = Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>);
  if (properties.length === 0) return ["- Input: none"];
  const required = new Set(schema.required as string[] | undefined);
  const argumentOf = new Map(
    Object.entries(operation.mcp?.rename ?? {}).map(([argument, field]) => [field, argument]),
  );
  const lines = properties.map(([name, property]) => {
    const notes = [typeName(property), ...(required.has(name) ? ["required"] : [])];
    if (property.default !== undefined) notes.push(`default ${JSON.stringify(property.default)}`);
    const argument = argumentOf.get(name);
    if (argument !== undefined) notes.push(`\`${argument}\` over MCP`);
    const about = typeof property.description === "string" ? `: ${property.description}` : "";
    return `  - \`${name}\` (${notes.join(", ")})${about}`;
  });
  return ["- Input:", ...lines];
}

/** A short name of a property's type, e.g. `string[]` or `"a" | "b"`. */
function typeName(schema: JsonSchema): string {
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  const members = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(members))
    return [...new Set(members.map((member) => typeName(member as JsonSchema)))].join(" or ");
  if (schema.type === "array") return `${typeName((schema.items ?? {}) as JsonSchema)}[]`;
  return typeof schema.type === "string" ? schema.type : "any";
}
