import type { AnyOperation, Feature, HttpForm } from "../../kernel/operation.ts";
import { hoistDefinitions, type JsonSchema, schemaOf } from "../../kernel/operation-schema.ts";
import { httpForms, topicOfOperation } from "./reference.ts";
import { TOPICS } from "./topics.ts";

const ERROR_SCHEMA: JsonSchema = {
  type: "object",
  properties: {
    error: {
      type: "object",
      properties: {
        code: { type: "string", description: "Stable code, e.g. RESOURCE_NOT_FOUND" },
        message: { type: "string", description: "What went wrong" },
        remediation: { type: "string", description: "What to do about it" },
        documentation_url: { type: "string", format: "uri" },
        details: {},
      },
      required: ["code", "message", "remediation", "documentation_url"],
    },
  },
  required: ["error"],
};

/** The OpenAPI 3.1 document of every operation with an HTTP form. */
export function openApiDocument(
  operations: readonly AnyOperation[],
  hotPaths: NonNullable<Feature["paths"]>,
  publicUrl: string,
  version: string,
) {
  const schemas: Record<string, JsonSchema> = { Error: ERROR_SCHEMA };
  const paths: Record<string, Record<string, object>> = { ...hotPaths };
  for (const operation of operations) {
    httpForms(operation).forEach((form, index) => {
      const path = form.path.replace(/:([A-Za-z_]+)/g, "{$1}");
      const item = {
        ...paths[path],
        [form.method.toLowerCase()]: describeForm(operation, form, index, schemas),
      };
      paths[path] = item;
    });
  }
  const used = new Set(operations.map(topicOfOperation));
  return {
    openapi: "3.1.0",
    info: { title: "Ambit", version, description: `Guide for agents: ${publicUrl}/llms.txt` },
    servers: [{ url: publicUrl }],
    tags: Object.entries(TOPICS).flatMap(([name, description]) =>
      used.has(name as keyof typeof TOPICS) ? [{ name, description }] : [],
    ),
    paths: Object.fromEntries(Object.entries(paths).sort(([a], [b]) => (a < b ? -1 : 1))),
    components: {
      schemas,
      securitySchemes: {
        bearer: {
          type: "http",
          scheme: "bearer",
          description:
            "An API key (bb_sk_…); on an app's own routes also an access token of one of its end users",
        },
      },
    },
    security: [{ bearer: [] }],
  };
}

function describeForm(
  operation: AnyOperation,
  form: HttpForm,
  index: number,
  schemas: Record<string, JsonSchema>,
): JsonSchema {
  const input = componentOf(schemaOf(operation.input), `${operation.name}.input.`, schemas);
  const properties = (input.properties ?? {}) as Record<string, JsonSchema>;
  const required = new Set(input.required as string[] | undefined);
  const inPath = [...form.path.matchAll(/:([A-Za-z_]+)/g)].map((match) => match[1]!);
  const others = Object.keys(properties).filter((name) => !inPath.includes(name) && name !== form.bodyAs);
  const hasBody = form.method === "POST" || form.method === "PUT" || form.method === "PATCH";
  const parameters = [
    ...inPath.map((name) => ({
      name,
      in: "path",
      required: true,
      schema: properties[name] ?? { type: "string" },
    })),
    ...(hasBody && form.bodyAs === undefined ? [] : others).map((name) => ({
      name,
      in: "query",
      required: required.has(name),
      schema: properties[name]!,
    })),
  ];
  const output = componentOf(schemaOf(operation.output), `${operation.name}.output.`, schemas);
  const shown = form.present === undefined ? output : {};
  return {
    operationId: index === 0 ? operation.name : `${operation.name}.${index + 1}`,
    summary: operation.title,
    description: operation.summary,
    tags: [topicOfOperation(operation)],
    ...(operation.right === "public" ? { security: [{}, { bearer: [] }] } : {}),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(hasBody ? bodyOf(form, others, properties, required) : {}),
    responses: {
      [String(typeof form.status === "number" ? form.status : 200)]: {
        description: "Done",
        content: { "application/json": { schema: shown } },
      },
      default: {
        description: ["An error", ...(operation.errors ?? [])].join(", "),
        content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
      },
    },
    "x-ambit-risk": operation.risk,
    "x-ambit-idempotent": operation.idempotent,
    ...(operation.personOnly ? { "x-ambit-person-only": true } : {}),
  };
}

/** The request body: one field as a whole, or what is left of the input under its wire names. */
function bodyOf(
  form: HttpForm,
  fields: readonly string[],
  properties: Readonly<Record<string, JsonSchema>>,
  required: ReadonlySet<string>,
): JsonSchema {
  const content = (schema: JsonSchema, needed: boolean) => ({
    requestBody: { required: needed, content: { "application/json": { schema } } },
  });
  if (form.bodyAs !== undefined) return content(properties[form.bodyAs] ?? {}, required.has(form.bodyAs));
  if (fields.length === 0) return {};
  const wireName = new Map(Object.entries(form.rename ?? {}).map(([wire, field]) => [field, wire]));
  const spelt = (field: string) => wireName.get(field) ?? field;
  const needed = fields.filter((field) => required.has(field)).map(spelt);
  const schema: JsonSchema = {
    type: "object",
    properties: Object.fromEntries(fields.map((field) => [spelt(field), properties[field]])),
    ...(needed.length > 0 ? { required: needed } : {}),
  };
  return content(schema, needed.length > 0);
}

/** A schema with its definitions moved among the document's components. */
function componentOf(schema: JsonSchema, prefix: string, schemas: Record<string, JsonSchema>): JsonSchema {
  const hoisted = hoistDefinitions(schema, "#/components/schemas/", prefix);
  Object.assign(schemas, hoisted.definitions);
  return hoisted.schema;
}
