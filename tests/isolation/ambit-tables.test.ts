import type { Client } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { ask, connectEra } from "../mcp/connect.ts";
import { must, notesApp } from "../support/app.ts";
import { deployFunction, http, type Nodes, startNodes } from "../support/functions.ts";
import { connectRealtime } from "../support/realtime.ts";
import { execute } from "../support/substrate.ts";

/** Runs what it is sent, as its caller and as every other role it may ask for. */
const CODE = `export async function handler(request: Request, { db }: any) {
  const { sql } = await request.json();
  const said = async (work: () => Promise<unknown>) => {
    try {
      return { rows: await work() };
    } catch (error) {
      return { problem: (error as any).code ?? String(error) };
    }
  };
  return [await said(() => db.query(sql)), await said(() => db.asService().query(sql)), await said(() => db.asAnon().query(sql))];
}`;

let nodes: Nodes;
let app: string;
let client: Client;
let tables: string[];
let routines: string[];
let roles: string[];

beforeAll(async () => {
  nodes = await startNodes(inject("postgres"));
  app = await notesApp(nodes.owner);
  client = await connectEra(nodes.server.mcpUrl, nodes.server.agentKey, "2026-07-28");
  await deployFunction(nodes.agent, app, "sql", CODE, http("required"));
  const names = async (sql: string): Promise<string[]> =>
    (await nodes.database.query(sql)).rows.map(({ name }) => name);
  tables = await names(
    "select relname as name from pg_class where relnamespace = 'ambit'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'S') order by 1",
  );
  routines = await names(
    "select oid::regprocedure::text as name from pg_proc where pronamespace = 'ambit'::regnamespace order by 1",
  );
  roles = await names(
    `select rolname as name from pg_roles where rolname like '${app}%' or rolname like 'butterbase%'`,
  );
});
afterAll(async () => {
  await client?.close();
  await nodes?.close();
});

it("this suite knows the tables: those of the substrate are among them", () => {
  for (const name of [
    ...["memory_records", "memory_versions", "memory_search", "substrate_actions", "substrate_settings"],
    ...["approvals", "ledger_entries", "ledger_openings", "ledger_leaves", "outbox", "outbox_targets"],
    ...["attention_rules", "substrate_snapshots", "substrate_tickets", "substrate_links", "api_keys"],
    ...["gateway_servers", "gateway_policies", "gateway_grants", "gateway_holds"],
  ]) {
    expect(tables).toContain(name);
  }
  expect(routines.length).toBeGreaterThan(0);
  expect(roles.length).toBeGreaterThanOrEqual(8);
});

describe("Ambit's own tables are closed to apps", () => {
  it("no role of an app, nor any that policies name, may do anything with them", async () => {
    for (const role of roles) {
      const { rows } = await nodes.database.query(
        `select
           has_schema_privilege($1, 'ambit', 'usage, create') as schema,
           (select coalesce(array_agg(c.relname::text), '{}') from pg_class c
             where c.relnamespace = 'ambit'::regnamespace and c.relkind in ('r', 'p', 'v', 'm') and (
               has_table_privilege($1, c.oid, 'select, insert, update, delete, truncate, references, trigger')
               or has_any_column_privilege($1, c.oid, 'select, insert, update, references'))) as tables,
           (select coalesce(array_agg(c.relname::text), '{}') from pg_class c
             where c.relnamespace = 'ambit'::regnamespace
               and case c.relkind when 'S' then has_sequence_privilege($1, c.oid, 'usage, select, update') end) as sequences,
           (select coalesce(array_agg(p.proname::text), '{}') from pg_proc p
             where p.pronamespace = 'ambit'::regnamespace and has_function_privilege($1, p.oid, 'execute')) as routines,
           (select coalesce(array_agg(r.rolname::text), '{}') from pg_roles r
             where r.rolname like 'ambit%' and pg_has_role($1, r.oid, 'member')) as roles`,
        [role],
      );
      expect([role, rows[0]]).toEqual([
        role,
        { schema: false, tables: [], sequences: [], routines: [], roles: [] },
      ]);
    }
  });

  it("run_sql reaches none of them, as any role", async () => {
    const statements = [
      ...tables.map((table) => `select * from ambit.${table}`),
      ...routines.map((routine) => `select ambit.${routine.replace(/^ambit\./, "").replace(/\(.*/, "()")}`),
      "select * from memory_records",
      'select * from "ambit"."ledger_openings"',
      "insert into ambit.ledger_entries default values",
      "update ambit.ledger_openings set value = null",
      "delete from ambit.ledger_entries",
      "select * from pg_publication_tables",
      "select * from pg_get_publication_tables('ambit_substrate')",
      "select rolname from pg_roles",
      "select * from pg_auth_members",
      "select usename from pg_user",
      "select 'ambit_server'::regrole",
      "select 'ambit.ledger_entries'::regclass",
      "select has_table_privilege('ambit.ledger_entries', 'select')",
      "set role ambit_server",
      "set session authorization ambit_server",
    ];
    for (const sql of statements) {
      for (const as_role of ["owner", "service", "anon"]) {
        const { error, text } = await ask(client, "run_sql", { app_id: app, sql, as_role });
        expect([sql, as_role, error?.code ?? text]).toEqual([
          ...[sql, as_role],
          expect.stringMatching(
            /^(SQL_REFUSED|SQL_ERROR|AUTH_RLS_POLICY_VIOLATION|VALIDATION_INVALID_SCHEMA)$/,
          ),
        ]);
      }
    }
  });

  it("an app's code reaches none of them", async () => {
    for (const sql of [
      ...tables.map((table) => `select * from ambit.${table}`),
      "select * from memory_records",
      "select rolname from pg_roles",
      "set role ambit_server",
    ]) {
      const said: any[] = must(await nodes.owner("POST", `/v1/${app}/fn/sql`, { sql }));
      expect([sql, said.map(({ rows }) => rows)]).toEqual([sql, [undefined, undefined, undefined]]);
    }
  });

  it("no policy, default or foreign key names them", async () => {
    for (const table of ["memory_records", "ledger_openings", "approvals", "api_keys"]) {
      const policy = await nodes.owner("POST", `/v1/${app}/rls/policies`, {
        ...{ table_name: "notes", policy_name: "attack" },
        using_expression: `exists (select from ambit.${table})`,
      });
      expect([policy.status, policy.body.error?.code]).toEqual([400, "RLS_UNSAFE_EXPRESSION"]);
      for (const column of [
        { type: "text", default: `(select id from ambit.${table} limit 1)` },
        { type: "text", references: `ambit.${table}.id` },
      ]) {
        const columns = { id: { type: "int", primaryKey: true }, x: column };
        const schema = { tables: { attack: { columns } } };
        expect((await nodes.owner("POST", `/v1/${app}/schema/apply`, { schema })).status).toBe(400);
      }
    }
  });

  it("the data API and realtime know no such table", async () => {
    const { owner, server } = nodes;
    const socket = await connectRealtime(server.apiUrl, app, server.apiKey);
    await socket.subscribe("notes");
    for (const table of ["memory_records", "ledger_entries", "approvals", "ambit.approvals", "pg_roles"]) {
      const answers = [
        await owner("GET", `/v1/${app}/${encodeURIComponent(table)}`),
        await owner("POST", `/v1/${app}/${encodeURIComponent(table)}`, { id: "x" }),
        await owner("POST", `/v1/${app}/realtime/configure`, { tables: [table] }),
      ];
      for (const { status } of answers) expect([400, 403, 404], table).toContain(status);
      socket.send({ type: "subscribe", table });
    }
    await execute(owner, "upsert_entity", { type: "project", display_name: "Not for apps" });
    must(await owner("POST", `/v1/${app}/notes`, { owner_id: "x", title: "for apps" }));
    await socket.waitFor((frame) => frame.record?.title === "for apps");
    expect(socket.changes().map(({ table }) => table)).toEqual(["notes"]);
    await socket.close();
  });
});
