import { z } from "zod";
import { type AnyOperation, type AuditShape, appOperation } from "../../kernel/operation.ts";
import { actorOf } from "../../kernel/principal.ts";
import { classOf } from "./context.ts";
import { deploy, rollback } from "./deploy.ts";
import { changeEnv } from "./environment.ts";
import { sizeOf } from "./instances.ts";
import { ACCESS_MODES } from "./names.ts";
import { deleteClass } from "./removal.ts";
import type { ActorParts } from "./service.ts";
import * as store from "./store.ts";
import { appId, className, presentClass, presentVersion, summarySchema, versionSchema } from "./views.ts";

export const TOOL = "manage_durable_objects";
const BASE = "/v1/:app_id/durable-objects";
const key = z.string().max(500).describe("Name of the variable: letters, digits, underscores");

/** What changes of an app's classes can meet: they are tried and swapped in. */
const changes = ["VALIDATION_ERROR", "RUNTIME_ELSEWHERE", "RUNTIME_UNSUPPORTED", "RUNTIME_UNAVAILABLE"];

const audited = (
  action: AuditShape<Record<string, unknown>>["action"],
  resourceType: string,
): AuditShape<Record<string, unknown>> => ({
  category: "admin",
  action,
  resourceType,
  resourceId: (input) => String(input.name ?? input.key ?? ""),
});

/** Classes: the compatible tool's actions, and versions. */
export function classOperations(parts: ActorParts): AnyOperation[] {
  return [
    deployOperation(parts),
    listOperation(parts),
    getOperation(parts),
    deleteOperation(parts),
    usageOperation(parts),
    ...envOperations(parts),
    ...versionOperations(parts),
  ];
}

const deployOperation = ({ context }: ActorParts) =>
  appOperation({
    name: "durable_objects.deploy",
    title: "Deploy a Durable Object class",
    summary:
      "Registers or updates a class from one TypeScript file that exports exactly one class with fetch(req). It is checked, compiled, started once on empty storage and only then swapped in; on any error the version before goes on serving. The same code again changes nothing.",
    input: z.object({
      app_id: appId,
      name: className,
      code: z.string().describe("TypeScript; the only import allowed is from 'cloudflare:workers'"),
      access_mode: z
        .string()
        .optional()
        .meta({ enum: ACCESS_MODES })
        .describe(
          "Who may reach instances. authenticated (default for a new class): signed-in users of the app; service_key: API keys; public: anyone. Left out on a redeploy: stays as it is",
        ),
    }),
    output: z.object({ ...summarySchema.shape, unchanged: z.boolean() }),
    right: "develop",
    risk: "execute",
    overwrites: true,
    idempotent: true,
    errors: [...changes, "RUNTIME_BUSY"],
    audit: audited("update", "durable_object"),
    http: { method: "POST", path: BASE },
    mcp: { tool: TOOL, action: "deploy" },
    async run({ app, principal }, input) {
      const { row, changed } = await deploy(context, app, {
        name: input.name,
        code: input.code,
        accessMode: input.access_mode,
        by: actorOf(principal).id,
      });
      return { ...presentClass(context.platform, app, row), unchanged: !changed };
    },
  });

const listOperation = ({ context }: ActorParts) =>
  appOperation({
    name: "durable_objects.list",
    title: "List Durable Object classes",
    summary: "The app's classes with their status.",
    input: z.object({ app_id: appId }),
    output: z.object({ durable_objects: z.array(summarySchema) }),
    right: "view",
    risk: "read",
    idempotent: true,
    http: { method: "GET", path: BASE },
    mcp: { tool: TOOL, action: "list" },
    async run({ app }) {
      const rows = await store.selectClasses(context.platform.database, app.id);
      return { durable_objects: rows.map((row) => presentClass(context.platform, app, row)) };
    },
  });

const getOperation = ({ context }: ActorParts) =>
  appOperation({
    name: "durable_objects.get",
    title: "Get a Durable Object class",
    summary: "One class with its source and status.",
    input: z.object({ app_id: appId, name: className }),
    output: z.object({
      ...summarySchema.shape,
      code: z.string().nullable().describe("Source of the version that serves"),
      created_at: z.string(),
      updated_at: z.string(),
    }),
    right: "view",
    risk: "read",
    idempotent: true,
    http: { method: "GET", path: `${BASE}/:name` },
    mcp: { tool: TOOL, action: "get" },
    async run({ app }, { name }) {
      const { database } = context.platform;
      const row = await classOf(context, app.id, name);
      const version = row.version === null ? null : await store.selectVersion(database, row.id, row.version);
      return {
        ...presentClass(context.platform, app, row),
        code: version?.code ?? null,
        created_at: row.created_at.toISOString(),
        updated_at: row.updated_at.toISOString(),
      };
    },
  });

const deleteOperation = ({ context }: ActorParts) =>
  appOperation({
    name: "durable_objects.delete",
    title: "Delete a Durable Object class",
    summary: "Destroys the class with every instance and all their storage, at once and for good.",
    input: z.object({ app_id: appId, name: className }),
    output: z.object({ deleted: z.literal(true), name: z.string() }),
    right: "develop",
    risk: "destructive",
    idempotent: false,
    errors: ["RUNTIME_ELSEWHERE", "RUNTIME_UNSUPPORTED", "RUNTIME_UNAVAILABLE"],
    audit: audited("delete", "durable_object"),
    http: { method: "DELETE", path: `${BASE}/:name` },
    mcp: { tool: TOOL, action: "delete" },
    async run({ app }, { name }) {
      await deleteClass(context, app.id, name);
      return { deleted: true as const, name };
    },
  });

const classUsage = z.object({
  name: z.string(),
  requests: z.number(),
  errors: z.number(),
  wall_ms: z.number(),
  cpu_ms: z.number().describe("do_cpu_ms apportioned by wall time: one process runs all classes of an app"),
  storage_bytes: z.number(),
  instances: z.number().describe("Instances that have stored something"),
});

const usageOperation = ({ context }: ActorParts) =>
  appOperation({
    name: "durable_objects.usage",
    title: "Durable Object usage",
    summary:
      "This month's requests and CPU time of all the app's classes (do_requests, do_cpu_ms), and per class requests, errors, time and storage. Current within a second.",
    input: z.object({ app_id: appId, name: className }),
    output: z.object({
      do_requests: z.number(),
      do_cpu_ms: z.number().describe("CPU time of the process that runs the app's classes"),
      period_start: z.string(),
      class: classUsage,
      classes: z.array(classUsage),
    }),
    right: "view",
    risk: "read",
    idempotent: true,
    errors: ["RUNTIME_UNSUPPORTED"],
    http: { method: "GET", path: `${BASE}/:name/usage` },
    mcp: { tool: TOOL, action: "usage" },
    async run({ app, nowMs }, { name }) {
      await classOf(context, app.id, name);
      const rows = await store.selectClasses(context.platform.database, app.id);
      const [usage, sizes] = await Promise.all([
        context.runtime.usage(app.id, "actors"),
        Promise.all(rows.map(({ id }) => sizeOf(context, app.id, id))),
      ]);
      const classes = rows.map((row, at) => {
        const unit = usage.units.find((each) => each.unit === row.name);
        return {
          name: row.name,
          requests: unit?.requests ?? 0,
          errors: unit?.errors ?? 0,
          wall_ms: Math.round(unit?.wallMs ?? 0),
          cpu_ms: Math.round(unit?.cpuMs ?? 0),
          storage_bytes: sizes[at]!.bytes,
          instances: sizes[at]!.instances,
        };
      });
      const now = new Date(nowMs);
      return {
        do_requests: usage.requests,
        do_cpu_ms: Math.round(usage.cpuMs),
        period_start: new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1)).toISOString(),
        class: classes.find((each) => each.name === name)!,
        classes,
      };
    },
  });

function envOperations({ context }: ActorParts): AnyOperation[] {
  const redeployed = z
    .boolean()
    .describe("true: the app's classes have the change from now on. false: the app has no class yet");
  return [
    appOperation({
      name: "durable_objects.list_env",
      title: "List Durable Object variables",
      summary: "Names of the variables of the app's classes; values are never shown.",
      input: z.object({ app_id: appId }),
      output: z.object({ keys: z.array(z.string()) }),
      right: "view",
      risk: "read",
      idempotent: true,
      http: { method: "GET", path: `${BASE}/env` },
      mcp: { tool: TOOL, action: "list_env" },
      run: async ({ app }) => ({
        keys: [...(await store.selectEnv(context.platform.database, app.id)).keys()],
      }),
    }),
    appOperation({
      name: "durable_objects.set_env",
      title: "Set a Durable Object variable",
      summary:
        "Sets a variable that all classes of the app find in env. It takes effect at once: running classes are restarted with it, which closes their sockets.",
      input: z.object({ app_id: appId, key, value: z.string() }),
      output: z.object({ key: z.string(), redeployed }),
      right: "develop",
      risk: "write",
      overwrites: true,
      idempotent: true,
      secretFields: ["value"],
      errors: changes,
      audit: audited("update", "durable_object_env"),
      http: { method: "PUT", path: `${BASE}/env/:key` },
      mcp: { tool: TOOL, action: "set_env" },
      async run({ app }, input) {
        const changed = await changeEnv(context, app.id, input.key, input.value);
        return { key: input.key, redeployed: changed.redeployed };
      },
    }),
    appOperation({
      name: "durable_objects.delete_env",
      title: "Delete a Durable Object variable",
      summary: "Removes a variable of the app's classes; takes effect at once.",
      input: z.object({ app_id: appId, key }),
      output: z.object({ deleted: z.literal(true), key: z.string(), redeployed }),
      right: "develop",
      risk: "write",
      overwrites: true,
      idempotent: true,
      errors: changes,
      audit: audited("delete", "durable_object_env"),
      http: { method: "DELETE", path: `${BASE}/env/:key` },
      mcp: { tool: TOOL, action: "delete_env" },
      async run({ app }, input) {
        const { redeployed } = await changeEnv(context, app.id, input.key, null);
        return { deleted: true as const, key: input.key, redeployed };
      },
    }),
  ];
}

function versionOperations({ context }: ActorParts): AnyOperation[] {
  return [
    appOperation({
      name: "durable_objects.list_versions",
      title: "List versions of a class",
      summary: "What was deployed of a class, newest first; rollback brings any of them back.",
      input: z.object({ app_id: appId, name: className }),
      output: z.object({ name: z.string(), versions: z.array(versionSchema) }),
      right: "view",
      risk: "read",
      idempotent: true,
      http: { method: "GET", path: `${BASE}/:name/versions` },
      mcp: { tool: INSTANCES_TOOL, action: "list_versions" },
      async run({ app }, { name }) {
        const row = await classOf(context, app.id, name);
        const heads = await store.selectVersions(context.platform.database, row.id);
        return { name, versions: heads.map((head) => presentVersion(head, row.version)) };
      },
    }),
    appOperation({
      name: "durable_objects.rollback",
      title: "Roll a class back",
      summary:
        "Has a former version of a class serve again, tried and swapped in like a deploy. Storage stays as it is.",
      input: z.object({ app_id: appId, name: className, version: z.number().int().min(1) }),
      output: z.object({ ...summarySchema.shape, unchanged: z.boolean() }),
      right: "develop",
      risk: "execute",
      overwrites: true,
      idempotent: true,
      errors: changes,
      audit: audited("update", "durable_object"),
      http: { method: "POST", path: `${BASE}/:name/rollback` },
      mcp: { tool: INSTANCES_TOOL, action: "rollback" },
      async run({ app }, { name, version }) {
        const { row, changed } = await rollback(context, app, name, version);
        return { ...presentClass(context.platform, app, row), unchanged: !changed };
      },
    }),
  ];
}

/** What goes beyond the compatible tool. */
export const INSTANCES_TOOL = "manage_durable_object_instances";
