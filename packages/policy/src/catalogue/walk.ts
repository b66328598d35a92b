import { limits } from "./limits.ts";

/** A plain JSON object that is looked at, whatever a server says it is. */
export type Loose = { readonly [key: string]: unknown };

export const isObject = (value: unknown): value is Loose =>
  typeof value === "object" && value !== null && !Array.isArray(value);
export const textOf = (value: unknown): string =>
  typeof value === "string" ? value.slice(0, limits.textChars) : "";
export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** A parameter somewhere in a tool's input. */
export interface Parameter {
  readonly name: string;
  /** JSON pointer into the tool's definition. */
  readonly pointer: string;
  readonly schema: Loose;
  /** Names and `*` (an element of a list) that lead to it from the arguments. */
  readonly path: readonly string[];
  /** Whether its object, and every one around it, requires it. */
  readonly required: boolean;
}

/** A schema of a tool's input, the whole included, that has properties. */
export interface ObjectSchema {
  readonly pointer: string;
  readonly schema: Loose;
  readonly path: readonly string[];
}

export interface Walked {
  readonly parameters: readonly Parameter[];
  readonly objects: readonly ObjectSchema[];
}

interface Place {
  readonly schema: unknown;
  readonly pointer: string;
  readonly path: readonly string[];
  readonly required: boolean;
  readonly depth: number;
}

/** Keywords that hold a list of schemas of the same value. */
const ALTERNATIVES = ["oneOf", "anyOf", "allOf"] as const;
/** Keywords that hold one schema of the same value. */
const SAME = ["if", "then", "else"] as const;
/** Keywords that hold the schema of elements. */
const ELEMENTS = ["items", "contains", "additionalItems"] as const;

/**
 * Every parameter of an input schema: of nested objects, of lists' elements, of alternatives, and where local references
 * lead. Ends after `limits.schemas` schemas and `limits.depth` levels, whatever refers to what. Pure.
 */
export function walk(root: unknown): Walked {
  const parameters = new Map<string, Parameter>();
  const objects: ObjectSchema[] = [];
  const queue: Place[] = [{ schema: root, pointer: "/inputSchema", path: [], required: true, depth: 0 }];
  for (let at = 0; at < queue.length && at < limits.schemas; at += 1) {
    const place = queue[at]!;
    const { depth, path } = place;
    const schema = resolve(place.schema, root);
    if (!isObject(schema) || depth > limits.depth) continue;
    const next = (value: unknown, suffix: string, more: Partial<Place> = {}) =>
      queue.length < limits.schemas &&
      queue.push({ ...place, schema: value, pointer: place.pointer + suffix, depth: depth + 1, ...more });
    if (isObject(schema.properties)) {
      objects.push({ pointer: place.pointer, schema, path });
      const required = new Set(listOf(schema.required));
      for (const [name, property] of Object.entries(schema.properties)) {
        if (queue.length >= limits.schemas) break;
        const suffix = `/properties/${escaped(name)}`;
        const own = { path: [...path, name], required: place.required && required.has(name) };
        const key = JSON.stringify(own.path);
        const found = resolve(property, root);
        const parameter = {
          name,
          pointer: place.pointer + suffix,
          schema: isObject(found) ? found : {},
          ...own,
        };
        if (!parameters.has(key)) parameters.set(key, parameter);
        next(property, suffix, own);
      }
    }
    const optional = { required: false };
    for (const keyword of ALTERNATIVES)
      for (const [n, each] of listOf(schema[keyword]).entries())
        next(each, `/${keyword}/${n}`, keyword === "allOf" ? {} : optional);
    for (const keyword of SAME) if (keyword in schema) next(schema[keyword], `/${keyword}`, optional);
    const element = { path: [...path, "*"], required: false };
    for (const keyword of ELEMENTS)
      if (isObject(schema[keyword])) next(schema[keyword], `/${keyword}`, element);
    for (const keyword of ["items", "prefixItems"])
      for (const [n, each] of listOf(schema[keyword]).entries()) next(each, `/${keyword}/${n}`, element);
    if (isObject(schema.additionalProperties))
      next(schema.additionalProperties, "/additionalProperties", element);
    if (isObject(schema.patternProperties))
      for (const [name, each] of Object.entries(schema.patternProperties))
        next(each, `/patternProperties/${escaped(name)}`, element);
  }
  return { parameters: [...parameters.values()], objects };
}

export const escaped = (token: string): string => token.replaceAll("~", "~0").replaceAll("/", "~1");

/** What a schema is once its local references are followed; a few, so that a circle ends. */
export function resolve(schema: unknown, root: unknown): unknown {
  let found = schema;
  for (let hops = 0; hops < 8; hops += 1) {
    if (!isObject(found) || typeof found.$ref !== "string") return found;
    const target = at(root, found.$ref);
    if (target === undefined) return found;
    const { $ref: _, ...beside } = found;
    found = isObject(target) && Object.keys(beside).length > 0 ? { ...target, ...beside } : target;
  }
  return found;
}

/** What a local reference (`#/$defs/x`) points to; undefined when it leads nowhere. */
function at(root: unknown, reference: string): unknown {
  if (reference !== "#" && !reference.startsWith("#/")) return undefined;
  let found: unknown = root;
  for (const token of reference.split("/").slice(1)) {
    const key = decoded(token);
    if (Array.isArray(found)) found = found[Number(key)];
    else if (isObject(found) && Object.hasOwn(found, key)) found = found[key];
    else return undefined;
  }
  return found;
}

function decoded(token: string): string {
  let text = token;
  try {
    text = decodeURIComponent(token);
  } catch {
    // As it stands, then.
  }
  return text.replaceAll("~1", "/").replaceAll("~0", "~");
}
