import { afterAll, beforeAll, expect, test } from "vitest";
import type { AnyOperation, App } from "../../kernel/operation.ts";
import { createPipeline } from "../../kernel/pipeline.ts";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { createSchema } from "../schema/index.ts";
import { createRls } from "./index.ts";

let server: TestPlatform;
let app: App;
let run: (name: string, input: Record<string, unknown>) => Promise<Record<string, unknown>>;
beforeAll(async () => {
  server = await testPlatform();
  app = await server.createApp();
  const schema = createSchema(server.platform);
  const rls = createRls(server.platform, { schema: schema.service, apps: server.apps });
  const operations = [...schema.feature.operations, ...rls.feature.operations] as AnyOperation[];
  const pipeline = createPipeline({ findApp: (id) => server.apps.find(id), record: async () => {} });
  const principal: KeyPrincipal = {
    kind: "key",
    keyId: "k",
    keyKind: "agent",
    accountId: "a",
    organizationId: server.organizationId,
    role: "developer",
    scopes: ["*"],
    expiresAtMs: null,
  };
  run = async (name, input) => {
    const operation = operations.find((candidate) => candidate.name === name)!;
    const call = {
      principal,
      door: "internal" as const,
      requestId: "r",
      ip: "",
      userAgent: "",
      nowMs: 0,
      signal: new AbortController().signal,
    };
    const output = await pipeline(operation, call, { app_id: app.id, ...input });
    return operation.output.parse(output) as Record<string, unknown>;
  };
});
afterAll(() => server.stop());

const notes = {
  tables: {
    notes: {
      columns: {
        id: { type: "serial", primaryKey: true },
        user_id: { type: "uuid" },
        open: { type: "bool" },
      },
    },
  },
};

test("from an empty app to isolated users, each answer in the form clients read", async () => {
  expect(await run("schema.get", {})).toEqual({
    app_id: app.id,
    schema: { tables: {} },
    api_base: `http://127.0.0.1:4000/v1/${app.id}`,
    _meta: {
      resource_info: { table_count: 0, tables: [] },
      next_actions: [expect.objectContaining({ tool: "manage_schema", when: expect.any(String) })],
    },
  });
  expect(await run("schema.dry_run", { schema: notes })).toMatchObject({
    dry_run: true,
    applied: 1,
    blocked: false,
    statements: [{ sql: expect.any(String), description: "Create table notes", destructive: false }],
  });
  expect(await run("schema.apply", { schema: notes, dry_run: true })).toMatchObject({
    dry_run: true,
    applied: 1,
  });
  expect(await run("schema.apply", { schema: notes })).toMatchObject({
    applied: 1,
    migration_id: expect.any(String),
    warnings: [expect.stringContaining("notes has no row-level security")],
    _meta: {
      next_actions: expect.arrayContaining([
        expect.objectContaining({ tool: "manage_rls", action: "create_user_isolation" }),
      ]),
    },
  });
  expect(await run("schema.apply", { schema: notes })).toMatchObject({
    applied: 0,
    statements: [],
    message: "Schema is up to date",
  });
  expect(await run("schema.list_migrations", {})).toEqual({
    app_id: app.id,
    migrations: [
      {
        id: expect.any(String),
        description: expect.stringMatching(/^schema_\d{4}-\d\d-\d\dT/),
        applied_sql: expect.stringContaining("create table"),
        applied_at: expect.stringMatching(/Z$/),
      },
    ],
    template_migrations: [],
  });

  expect(await run("rls.enable", { table_name: "notes" })).toMatchObject({
    success: true,
    table: "notes",
    rls_enabled: true,
    warnings: [expect.any(String)],
  });
  expect(
    await run("rls.create_user_isolation", {
      table_name: "notes",
      user_column: "user_id",
      public_read_column: "open",
    }),
  ).toMatchObject({
    success: true,
    table: "notes",
    user_column: "user_id",
    policy_name: "notes_user_isolation",
    public_read_policies: ["notes_public_read_user", "notes_public_read_anon"],
  });
  expect(
    await run("rls.create_policy", { table_name: "notes", policy_name: "more", using_expression: "open" }),
  ).toMatchObject({ success: true, policy_name: "more", table: "notes" });
  expect(
    await run("rls.update_policy", { table_name: "notes", policy_name: "more", command: "SELECT" }),
  ).toEqual({ success: true, policy_name: "more", table: "notes" });
  const list = (await run("rls.list", {})) as {
    policies: Record<string, unknown>[];
    tables_with_rls: string[];
  };
  expect(list.tables_with_rls).toEqual(["notes"]);
  expect(list.policies).toHaveLength(5);
  expect(list.policies).toContainEqual({
    schemaname: app.id,
    tablename: "notes",
    policyname: "more",
    permissive: "PERMISSIVE",
    roles: ["butterbase_anon", "butterbase_user"],
    cmd: "SELECT",
    qual: "open",
    with_check: null,
    table_name: "notes",
    policy_name: "more",
    command: "SELECT",
    service_bypass: false,
  });
  expect(list.policies.filter(({ service_bypass }) => service_bypass)).toHaveLength(1);
  expect(await run("rls.delete", { table_name: "notes", policy_name: "more" })).toMatchObject({
    table: "notes",
    policy_name: "more",
    remaining_policies: 4,
  });
  expect(await run("rls.delete", { table_name: "notes" })).toMatchObject({
    table: "notes",
    policies_removed: 4,
  });
});

test("secure closes the app, isolates what it can and reports the rest", async () => {
  await run("schema.apply", { schema: notes });
  await server.apps.update(app.id, { access_mode: "public" });
  const tables = [
    { table_name: "notes", user_column: "user_id" },
    { table_name: "nope", user_column: "user_id" },
    { table_name: "notes", user_column: "id" },
  ];
  expect(await run("rls.secure", { tables })).toMatchObject({
    app_id: app.id,
    access_mode: "authenticated",
    tables_secured: [{ table: "notes", policy: "notes_user_isolation" }],
    table_errors: [
      { table: "nope", error: { code: "VALIDATION_TABLE_NOT_FOUND" } },
      { table: "notes", error: { code: "RLS_TYPE_MISMATCH" } },
    ],
  });
  expect(await server.apps.find(app.id)).toMatchObject({ accessMode: "authenticated" });
  expect(await run("rls.secure", {})).toMatchObject({ access_mode: "authenticated", tables_secured: [] });
});

test("a policy's name is a plain one", async () => {
  for (const policy_name of ["", "A", 'a"b', "a b", "x".repeat(64)]) {
    await expect(
      run("rls.create_policy", { table_name: "notes", policy_name, using_expression: "true" }),
    ).rejects.toMatchObject({ code: "VALIDATION_INVALID_SCHEMA" });
  }
});
