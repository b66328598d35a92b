import { limits } from "./limits.ts";

/** OpenAPI path items of the rows' own routes (`doors/http/data-routes.ts`). */

const parameter = (
  name: string,
  place: "path" | "query" | "header",
  description: string,
  schema: object,
) => ({
  name,
  in: place,
  required: place === "path",
  description,
  schema,
});
const text = { type: "string" };
const app = parameter("app_id", "path", "The app", text);
const table = parameter("table", "path", "The table", text);
const id = parameter("id", "path", "Value of the single-column primary key", text);
const select = parameter("select", "query", "Columns, and embedded relations: id,author:users(name)", text);
const asSomebody = [
  parameter("X-Butterbase-As-Role", "header", "For keys: act as anon or user", { enum: ["anon", "user"] }),
  parameter("X-Butterbase-As-User", "header", "For keys: the user to act as", text),
];
const filters = parameter(
  "filters",
  "query",
  "Any number of <column>=<operator>.<value>; operators eq neq gt gte lt lte like ilike is in fts cs cd, not.<operator>; or=(…) groups",
  { type: "object", additionalProperties: text },
);
const reading = [
  select,
  { ...filters, style: "form", explode: true },
  parameter("order", "query", "column.asc|desc[.nullsfirst|nullslast], comma separated", text),
  parameter("limit", "query", `Rows at most; default ${limits.defaultRows}`, {
    type: "integer",
    minimum: 0,
    maximum: limits.maxRows,
  }),
  parameter("offset", "query", "Rows to skip", { type: "integer", minimum: 0 }),
  parameter("after", "query", "Cursor from X-Ambit-Next-Cursor; empty for the first page", text),
  parameter("Prefer", "header", "count=exact puts the number of all rows into Content-Range", text),
];
const row = { type: "object", additionalProperties: true };
const rows = { type: "array", items: row };
const json = (schema: object) => ({ "application/json": { schema } });
const body = (schema: object) => ({ required: true, content: json(schema) });

function route(
  operationId: string,
  summary: string,
  parameters: object[],
  answer: object,
  more: object = {},
) {
  return {
    operationId,
    summary,
    tags: ["rest"],
    security: [{}, { bearer: [] }],
    parameters: [app, table, ...parameters, ...asSomebody],
    responses: {
      [operationId === "rows.insert" ? "201" : "200"]: { description: "Done", content: json(answer) },
      default: { description: "An error", content: json({ $ref: "#/components/schemas/Error" }) },
    },
    ...more,
  };
}

const changing = [select, { ...filters, style: "form", explode: true }];
const deletedCount = { type: "object", properties: { deleted: { type: "integer" } } };
const deletedRow = { type: "object", properties: { deleted: { const: true } } };

export const dataPaths = {
  "/v1/{app_id}/{table}": {
    get: route("rows.list", "Rows of a table", reading, rows),
    post: route(
      "rows.insert",
      "Insert a row, or several in one statement",
      [select, parameter("on_conflict", "query", "Columns of an upsert; with Prefer: resolution=…", text)],
      { anyOf: [row, rows] },
      { requestBody: body({ anyOf: [row, rows] }) },
    ),
    patch: route("rows.update", "Update every row the filters match", changing, rows, {
      requestBody: body(row),
    }),
    delete: route("rows.delete", "Delete every row the filters match", changing, deletedCount),
  },
  "/v1/{app_id}/{table}/{id}": {
    get: route("row.get", "One row", [id, select], row),
    patch: route("row.update", "Update one row", [id, select], row, { requestBody: body(row) }),
    delete: route("row.delete", "Delete one row", [id], deletedRow),
  },
};
