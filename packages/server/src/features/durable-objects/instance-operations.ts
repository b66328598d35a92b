import { z } from "zod";
import type { Inspection } from "../../engines/workerd/types.ts";
import { type AnyOperation, type AuditShape, appOperation } from "../../kernel/operation.ts";
import { archiveSchema } from "./archive.ts";
import { invalid } from "./errors.ts";
import { getInstance, inspectInstance, listInstances, removeInstance } from "./instances.ts";
import { limits } from "./limits.ts";
import { INSTANCES_TOOL as TOOL } from "./operations.ts";
import { isReadOnly } from "./read-only-sql.ts";
import type { ActorParts } from "./service.ts";
import { exportInstance, importInstance } from "./transfer.ts";
import { appId, className, instanceField, instanceSchema, limitField, presentInstance } from "./views.ts";

const ONE = "/v1/:app_id/durable-objects/:name/instances/:instance";
const params = z
  .array(z.union([z.string(), z.number(), z.null()]))
  .max(limits.sqlParams)
  .optional()
  .describe("Values of the ? in sql");
const sql = z.string().min(1).max(limits.sqlChars);
const storageKey = z.string().max(2_048);
const address = { app_id: appId, name: className, instance: instanceField };
const errors = [
  ...["VALIDATION_ERROR", "RUNTIME_UNAVAILABLE", "RUNTIME_ELSEWHERE", "RUNTIME_UNSUPPORTED"],
  ...["RUNTIME_STOPPED", "RUNTIME_TIMEOUT"],
];

const audited = (
  action: AuditShape<Record<string, unknown>>["action"],
): AuditShape<Record<string, unknown>> => ({
  category: "admin",
  action,
  resourceType: "durable_object_instance",
  resourceId: ({ name, instance }) => `${name}/${instance ?? ""}`.slice(0, 500),
});

/** Instances: which there are, what is in them, and moving them. */
export function instanceOperations(parts: ActorParts): AnyOperation[] {
  return [
    listOperation(parts),
    getOperation(parts),
    readOperation(parts),
    writeOperation(parts),
    deleteOperation(parts),
    exportOperation(parts),
    importOperation(parts),
  ];
}

const listOperation = ({ context }: ActorParts) =>
  appOperation({
    name: "durable_objects.list_instances",
    title: "List instances",
    summary:
      "Instances of a class with size and last activity, by id; the name is known where Ambit routed a request to it.",
    input: z.object({
      app_id: appId,
      name: className,
      limit: limitField,
      cursor: z
        .string()
        .regex(/^[0-9a-f]{64}$/)
        .optional()
        .describe("next_cursor of the page before"),
    }),
    output: z.object({
      instances: z.array(instanceSchema),
      next_cursor: z.string().nullable(),
      total: z.number(),
      storage_bytes: z.number(),
    }),
    right: "view",
    risk: "read",
    idempotent: true,
    errors: ["RUNTIME_ELSEWHERE", "RUNTIME_UNSUPPORTED"],
    http: { method: "GET", path: "/v1/:app_id/durable-objects/:name/instances" },
    mcp: { tool: TOOL, action: "list_instances" },
    async run({ app }, { name, limit = 100, cursor = null }) {
      const page = await listInstances(context, { appId: app.id, name }, { limit, after: cursor });
      return {
        instances: page.instances.map(presentInstance),
        next_cursor: page.nextCursor,
        total: page.total,
        storage_bytes: page.bytes,
      };
    },
  });

const getOperation = ({ context }: ActorParts) =>
  appOperation({
    name: "durable_objects.get_instance",
    title: "Get an instance",
    summary: "Size, activity and alarm of one instance. Looking wakes the instance up.",
    input: z.object(address),
    output: z.object({ ...instanceSchema.shape, alarm_at: z.string().nullable() }),
    right: "view",
    risk: "read",
    idempotent: true,
    errors,
    http: { method: "GET", path: ONE },
    mcp: { tool: TOOL, action: "get_instance" },
    async run({ app }, { name, instance }) {
      const { alarmAtMs, ...found } = await getInstance(context, { appId: app.id, name, instance });
      return {
        ...presentInstance(found),
        alarm_at: alarmAtMs === null ? null : new Date(alarmAtMs).toISOString(),
      };
    },
  });

const readOperation = ({ context }: ActorParts) =>
  appOperation({
    name: "durable_objects.read_storage",
    title: "Read an instance's storage",
    summary:
      "Reads inside the instance's own process: one key (key), a range of keys (prefix, start, limit), or rows (sql: one SELECT).",
    input: z.object({
      ...address,
      key: storageKey.optional().describe("One key of the key-value storage"),
      prefix: storageKey.optional().describe("Only keys that begin so"),
      start: storageKey.optional().describe("First key"),
      sql: sql
        .optional()
        .describe("One statement that only reads; list tables with select name, sql from sqlite_master"),
      params,
      limit: limitField,
    }),
    output: z.object({ result: z.unknown() }),
    right: "view",
    risk: "read",
    idempotent: true,
    errors,
    http: { method: "POST", path: `${ONE}/storage/read` },
    mcp: { tool: TOOL, action: "read_storage" },
    async run({ app }, { name, instance, limit = 100, ...wanted }) {
      if (wanted.sql !== undefined) {
        if (!isReadOnly(wanted.sql)) throw notReadOnly();
        const inspection = { op: "sql" as const, sql: wanted.sql, params: wanted.params ?? [], limit };
        return { result: await inspectInstance(context, { appId: app.id, name, instance }, inspection) };
      }
      const inspection =
        wanted.key !== undefined
          ? { op: "kv_get" as const, key: wanted.key }
          : {
              op: "kv_list" as const,
              limit,
              ...(wanted.prefix === undefined ? {} : { prefix: wanted.prefix }),
              ...(wanted.start === undefined ? {} : { start: wanted.start }),
            };
      return { result: await inspectInstance(context, { appId: app.id, name, instance }, inspection) };
    },
  });

const writeOperation = ({ context }: ActorParts) =>
  appOperation({
    name: "durable_objects.write_storage",
    title: "Change an instance's storage",
    summary:
      "Owners only. Puts one key (key and value), deletes one (key and delete true), or runs SQL, inside the instance's own process. Its class is not told.",
    input: z.object({
      ...address,
      key: storageKey.optional(),
      value: z.unknown().optional().describe("Any JSON value"),
      delete: z.boolean().optional().describe("true deletes the key"),
      sql: sql.optional(),
      params,
    }),
    output: z.object({ result: z.unknown() }),
    right: "own",
    risk: "execute",
    overwrites: true,
    idempotent: false,
    secretFields: ["value", "params"],
    errors,
    audit: audited("update"),
    http: { method: "POST", path: `${ONE}/storage/write` },
    mcp: { tool: TOOL, action: "write_storage" },
    async run({ app }, { name, instance, ...wanted }) {
      const run = (inspection: Inspection) =>
        inspectInstance(context, { appId: app.id, name, instance }, inspection);
      if (wanted.sql !== undefined) {
        return {
          result: await run({
            op: "sql",
            sql: wanted.sql,
            params: wanted.params ?? [],
            limit: limits.pageEntries,
          }),
        };
      }
      if (wanted.key === undefined || (wanted.value === undefined) !== (wanted.delete === true)) {
        throw invalid(
          "STORAGE_ERROR",
          "What to change is not said.",
          "Give key and value, key and delete true, or sql.",
        );
      }
      const { key } = wanted;
      await run(
        wanted.delete === true ? { op: "kv_delete", key } : { op: "kv_put", key, value: wanted.value },
      );
      return { result: null };
    },
  });

const deleteOperation = ({ context }: ActorParts) =>
  appOperation({
    name: "durable_objects.delete_instance",
    title: "Delete an instance",
    summary:
      "Destroys one instance with its storage and alarm, for good. The app's classes are restarted for it, which closes their sockets.",
    input: z.object(address),
    output: z.object({ deleted: z.literal(true), id: z.string(), name: z.string().nullable() }),
    right: "develop",
    risk: "destructive",
    idempotent: false,
    errors,
    audit: audited("delete"),
    http: { method: "DELETE", path: ONE },
    mcp: { tool: TOOL, action: "delete_instance" },
    async run({ app }, { name, instance }) {
      const { id, name: known } = await removeInstance(context, { appId: app.id, name, instance });
      return { deleted: true as const, id, name: known };
    },
  });

const exportOperation = ({ context }: ActorParts) =>
  appOperation({
    name: "durable_objects.export_instance",
    title: "Export an instance",
    summary:
      "An instance's whole storage and alarm as one JSON document, for import_instance here or on another server. The app's classes are restarted for it.",
    input: z.object(address),
    output: z.object({ archive: archiveSchema }),
    right: "develop",
    risk: "write",
    idempotent: true,
    errors,
    audit: audited("invoke"),
    http: { method: "POST", path: `${ONE}/export` },
    mcp: { tool: TOOL, action: "export_instance" },
    run: async ({ app }, { name, instance }) => ({
      archive: await exportInstance(context, { appId: app.id, name, instance }),
    }),
  });

const importOperation = ({ context }: ActorParts) =>
  appOperation({
    name: "durable_objects.import_instance",
    title: "Import an instance",
    summary:
      "Owners only. Puts an exported instance into a class, under the name it had or another. The app's classes are restarted for it.",
    input: z.object({
      app_id: appId,
      name: className,
      archive: archiveSchema.describe("What export_instance gave"),
      instance: instanceField.optional(),
      overwrite: z.boolean().optional().describe("Replaces an instance that is there already"),
    }),
    output: instanceSchema,
    right: "own",
    risk: "write",
    overwrites: true,
    idempotent: false,
    secretFields: ["archive"],
    errors,
    audit: audited("create"),
    http: { method: "POST", path: "/v1/:app_id/durable-objects/:name/import" },
    mcp: { tool: TOOL, action: "import_instance" },
    async run({ app }, { name, archive, instance, overwrite = false }) {
      return presentInstance(
        await importInstance(context, { appId: app.id, name, archive, instance, overwrite }),
      );
    },
  });

const notReadOnly = () =>
  invalid(
    "SQL_NOT_READ_ONLY",
    "read_storage runs one statement that only reads.",
    "Use SELECT, VALUES, WITH … SELECT or EXPLAIN; an owner changes storage with write_storage.",
  );
