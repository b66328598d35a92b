import { z } from "zod";

/** A JSON Schema (2020-12) object. */
export type JsonSchema = Record<string, unknown>;

/**
 * The JSON Schema of what a caller sends (an operation's input) or is sent (its output). Both sides use zod's input
 * form: inputs are what is parsed, and outputs go out as `run` returns them.
 */
export function schemaOf(schema: z.ZodType): JsonSchema {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, {
    io: "input",
    target: "draft-2020-12",
    unrepresentable: "any",
  });
  return rest;
}

/** `schemaOf` for schemas that are objects at the root; anything else is a mistake in the declaration and throws. */
export function objectSchemaOf(schema: z.ZodType, where: string): JsonSchema {
  const json = schemaOf(schema);
  if (json.type === "object") return json;
  const members = (json.anyOf ?? json.oneOf) as JsonSchema[] | undefined;
  if (json.type === undefined && members?.every((member) => member.type === "object")) {
    return { type: "object", ...json };
  }
  throw new Error(`${where} must be an object at its root`);
}

/** A schema without its own `$defs`, and those definitions under their new names. */
export interface Hoisted {
  readonly schema: JsonSchema;
  readonly definitions: Record<string, JsonSchema>;
}

/**
 * Takes the definitions out of a schema, so that it can be put inside another document: they get `prefix` before their
 * names, and every reference points to `<base><prefix><name>`. A schema that refers to its own root throws.
 */
export function hoistDefinitions(schema: JsonSchema, base: string, prefix: string): Hoisted {
  const { $defs, ...body } = schema;
  const move = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(move);
    if (node === null || typeof node !== "object") return node;
    const moved: JsonSchema = {};
    for (const [key, value] of Object.entries(node)) {
      moved[key] =
        key === "$ref" && typeof value === "string" ? moveReference(value, base, prefix) : move(value);
    }
    return moved;
  };
  const definitions: Record<string, JsonSchema> = {};
  for (const [name, definition] of Object.entries(($defs ?? {}) as Record<string, JsonSchema>)) {
    definitions[`${prefix}${name}`] = move(definition) as JsonSchema;
  }
  return { schema: move(body) as JsonSchema, definitions };
}

function moveReference(reference: string, base: string, prefix: string): string {
  if (!reference.startsWith("#/$defs/")) throw new Error(`the schema reference ${reference} can't be moved`);
  return `${base}${prefix}${reference.slice("#/$defs/".length)}`;
}

/** Equal schemas give equal texts, whatever the order of their keywords. */
export function canonicalSchema(schema: unknown): string {
  if (Array.isArray(schema)) return `[${schema.map(canonicalSchema).join(",")}]`;
  if (schema === null || typeof schema !== "object") return JSON.stringify(schema) ?? "null";
  const entries = Object.entries(schema).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, value]) => `${JSON.stringify(key)}:${canonicalSchema(value)}`).join(",")}}`;
}
