import type { AnyOperation } from "../../kernel/operation.ts";
import {
  canonicalSchema,
  hoistDefinitions,
  type JsonSchema,
  objectSchemaOf,
} from "../../kernel/operation-schema.ts";

/** One action of a tool: the operation it runs and how its arguments are spelt. */
export interface ActionForm {
  /** Null for a tool that is one operation by itself. */
  readonly action: string | null;
  readonly operation: AnyOperation;
  /** Argument name → input field. */
  readonly fieldOf: ReadonlyMap<string, string>;
  readonly properties: Readonly<Record<string, JsonSchema>>;
  /** Arguments this action can't do without. */
  readonly required: readonly string[];
  readonly definitions: Readonly<Record<string, JsonSchema>>;
}

/** Reads an operation's input schema as the arguments of a tool's action. */
export function actionForm(
  operation: AnyOperation,
  action: string | null,
  rename: Readonly<Record<string, string>> = {},
): ActionForm {
  const json = objectSchemaOf(operation.input, `the input of ${operation.name}`);
  const { schema, definitions } = hoistDefinitions(json, "#/$defs/", action === null ? "" : `${action}.`);
  const argumentOf = new Map(Object.entries(rename).map(([argument, field]) => [field, argument]));
  const properties: Record<string, JsonSchema> = {};
  const fieldOf = new Map<string, string>();
  for (const [field, property] of Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>)) {
    const argument = argumentOf.get(field) ?? field;
    if (action !== null && argument === "action") {
      throw new Error(`${operation.name} has an input field "action"; rename it in its MCP form`);
    }
    properties[argument] = property;
    fieldOf.set(argument, field);
  }
  const required = ((schema.required ?? []) as string[]).map((field) => argumentOf.get(field) ?? field);
  return { action, operation, fieldOf, properties, required, definitions };
}

/** The one input schema of a tool: the union of its actions' arguments; required is what every action requires. */
export function inputSchemaOf(forms: readonly ActionForm[]): JsonSchema {
  const names = [...new Set(forms.flatMap((form) => Object.keys(form.properties)))];
  const properties: Record<string, JsonSchema> = {};
  const actions = forms.flatMap((form) => form.action ?? []);
  const shared = requiredByAll(forms);
  for (const name of names) {
    if (name === "app_id") properties[name] = mergeArgument(name, forms);
  }
  if (actions.length > 0) properties.action = { type: "string", enum: actions, description: "What to do" };
  for (const name of names) properties[name] ??= mergeArgument(name, forms);
  const definitions = Object.assign({}, ...forms.map((form) => form.definitions));
  return {
    type: "object",
    properties,
    ...(shared.length > 0 || actions.length > 0
      ? { required: actions.length > 0 ? [...shared, "action"] : shared }
      : {}),
    additionalProperties: false,
    ...(Object.keys(definitions).length > 0 ? { $defs: definitions } : {}),
  };
}

/** Arguments that every action requires. */
export function requiredByAll(forms: readonly ActionForm[]): string[] {
  return (forms[0]?.required ?? []).filter((name) => forms.every((form) => form.required.includes(name)));
}

/** The schema a result's structured content holds to: the output of the operation, or of any of the actions. */
export function outputSchemaOf(forms: readonly ActionForm[]): JsonSchema {
  const definitions: Record<string, JsonSchema> = {};
  const outputs = new Map<string, JsonSchema>();
  for (const { action, operation } of forms) {
    const json = objectSchemaOf(operation.output, `the output of ${operation.name}`);
    const hoisted = hoistDefinitions(json, "#/$defs/", action === null ? "" : `${action}.`);
    Object.assign(definitions, hoisted.definitions);
    outputs.set(canonicalSchema(hoisted.schema), hoisted.schema);
  }
  const [first, ...others] = [...outputs.values()];
  return {
    ...(others.length === 0 ? first : { type: "object", anyOf: [first, ...others] }),
    ...(Object.keys(definitions).length > 0 ? { $defs: definitions } : {}),
  };
}

const ANNOTATIONS = new Set(["description", "title", "default", "examples"]);

/** One argument of a tool, as permissive as the most permissive of the actions that take it. */
function mergeArgument(name: string, forms: readonly ActionForm[]): JsonSchema {
  const structures = new Map<string, JsonSchema>();
  const descriptions = new Map<string, string[]>();
  const defaults = new Set<string>();
  const takers = forms.filter((form) => form.properties[name] !== undefined);
  for (const { action, properties } of takers) {
    const property = properties[name]!;
    const structure = Object.fromEntries(Object.entries(property).filter(([key]) => !ANNOTATIONS.has(key)));
    structures.set(canonicalSchema(structure), structure);
    const description = typeof property.description === "string" ? property.description : null;
    if (description !== null) {
      descriptions.set(description, [
        ...(descriptions.get(description) ?? []),
        ...(action === null ? [] : [action]),
      ]);
    }
    defaults.add(canonicalSchema(property.default ?? null));
  }
  const description = describe(descriptions);
  const byDefault = defaults.size === 1 ? takers[0]?.properties[name]?.default : undefined;
  return {
    ...widest([...structures.values()]),
    ...(byDefault === undefined ? {} : { default: byDefault }),
    ...(description === "" ? {} : { description }),
  };
}

function describe(descriptions: ReadonlyMap<string, readonly string[]>): string {
  if (descriptions.size <= 1) return [...descriptions.keys()].join("");
  return [...descriptions].map(([text, actions]) => `${actions.join(", ")}: ${text}`).join(". ");
}

/** The schema that accepts what any of the structures accepts. */
function widest(structures: readonly JsonSchema[]): JsonSchema {
  const [first, ...others] = structures;
  if (first === undefined || others.length === 0) return first ?? {};
  const anything = structures.find((structure) => Object.keys(structure).length === 0);
  if (anything !== undefined) return anything;
  if (structures.every((structure) => Array.isArray(structure.enum) && structure.type === first.type)) {
    return {
      type: first.type,
      enum: [...new Set(structures.flatMap((structure) => structure.enum as unknown[]))],
    };
  }
  const bare = structures.find((structure) => Object.keys(structure).join() === "type");
  if (bare !== undefined && structures.every((structure) => structure.type === bare.type)) return bare;
  return { anyOf: structures };
}
