import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type Api, apiAs, type Person, signUp } from "../support/api.ts";
import { must, newApp } from "../support/app.ts";
import { deployFunction, http, type Nodes, startNodes } from "../support/functions.ts";
import { callTool } from "../support/mcp.ts";

/** Runs what it is told to, as whom it is told to, and tells what came of it. */
const SQL = `interface Question { sql: string; params?: unknown[]; as?: string; user?: string }
export async function handler(req: Request, { db }: any) {
  const { sql, params, as, user }: Question = await req.json();
  const role = as === "anon" ? db.asAnon() : as === "service" ? db.asService() : as === "user" ? db.asUser(user) : db;
  try {
    return await role.query(sql, params);
  } catch (error: any) {
    return { refused: error.code, status: error.status, message: error.message };
  }
}`;
const ALL = "select id, owner_id, title from notes order by id";

let nodes: Nodes;
let appId: string;
let otherApp: string;
let ada: Person;
let ben: Person;
let nobody: Api;

beforeAll(async () => {
  nodes = await startNodes(inject("postgres"));
  const { owner, agent, server } = nodes;
  [appId, otherApp] = [await newApp(owner), await newApp(owner)];
  const schema = {
    tables: {
      notes: {
        columns: {
          id: { type: "int", primaryKey: true },
          owner_id: { type: "text", nullable: false },
          title: { type: "text", nullable: false },
          shared: { type: "boolean", default: "false" },
        },
      },
    },
  };
  for (const app_id of [appId, otherApp])
    await callTool(agent, "manage_schema", { app_id, action: "apply", schema });
  await callTool(agent, "manage_rls", {
    app_id: appId,
    action: "create_user_isolation",
    table_name: "notes",
    user_column: "owner_id",
  });
  await callTool(agent, "manage_rls", {
    app_id: appId,
    action: "create_policy",
    table_name: "notes",
    policy_name: "shared_with_all",
    command: "SELECT",
    role: "anon",
    using_expression: "shared",
  });
  ada = await signUp(server.apiUrl, appId, "ada");
  ben = await signUp(server.apiUrl, appId, "ben");
  nobody = apiAs(server.apiUrl, null);
  const rows = [
    { id: 1, owner_id: ada.id, title: "ada's" },
    { id: 2, owner_id: ada.id, title: "ada's, shared", shared: true },
    { id: 3, owner_id: ben.id, title: "ben's" },
    { id: 4, owner_id: "gone", title: "nobody's, shared", shared: true },
  ];
  await callTool(agent, "seed_database", { app_id: appId, table: "notes", rows });
  await callTool(agent, "seed_database", {
    app_id: otherApp,
    table: "notes",
    rows: [{ id: 9, owner_id: ada.id, title: "other app" }],
  });
  await deployFunction(agent, appId, "sql", SQL, http("optional"));
  await deployFunction(agent, appId, "sql-service", SQL, { ...http("optional"), run_as: "service" });
});
afterAll(() => nodes?.close());

const ask = async (
  who: Api,
  question: object,
  name = "sql",
  headers: Record<string, string> = {},
): Promise<any> => must(await who("POST", `/v1/${appId}/fn/${name}`, question, headers));
const ids = (answer: any) => (answer.rows ?? answer).map(({ id }: { id: number }) => id);

describe("ctx.db", () => {
  it("shows each caller exactly the rows of the data API", async () => {
    const callers: [string, Api, number[]][] = [
      ["ada", ada.api, [1, 2]],
      ["ben", ben.api, [3]],
      ["nobody", nobody, [2, 4]],
      ["a key", nodes.owner, [1, 2, 3, 4]],
    ];
    for (const [who, api, expected] of callers) {
      const rows = must(await api("GET", `/v1/${appId}/notes?select=id,owner_id,title&order=id.asc`));
      const answer = await ask(api, { sql: ALL });
      expect([who, ids(answer), answer.rows]).toEqual([who, expected, rows]);
      expect([who, ids(await ask(api, { sql: ALL }, "sql-service"))]).toEqual([who, expected]);
    }
    const asAda = await ask(nodes.owner, { sql: ALL }, "sql", { "x-butterbase-as-user": ada.id });
    expect(ids(asAda)).toEqual([1, 2]);
    expect(
      ids(await ask(nodes.owner, { sql: ALL }, "sql", { "x-butterbase-as-user": "a stranger" })),
    ).toEqual([]);
  });

  it("writes as the caller and no further", async () => {
    const steal = await ask(ada.api, { sql: "update notes set title = 'stolen' where id = 3" });
    expect(steal.row_count).toBe(0);
    const plant = await ask(ada.api, {
      sql: "insert into notes (id, owner_id, title) values (10, $1, 'planted')",
      params: [ben.id],
    });
    expect(plant).toMatchObject({ refused: expect.any(String), status: 403 });
    const own = await ask(ada.api, {
      sql: "insert into notes (id, owner_id, title) values (11, $1, 'own') returning id",
      params: [ada.id],
    });
    expect(ids(own)).toEqual([11]);
    expect(await ask(nobody, { sql: "delete from notes where shared returning id" })).not.toMatchObject({
      row_count: 2,
    });
    const left = must(await nodes.owner("GET", `/v1/${appId}/notes?order=id.asc`));
    expect(left.map(({ id, title }: any) => [id, title])).toEqual([
      [1, "ada's"],
      [2, "ada's, shared"],
      [3, "ben's"],
      [4, "nobody's, shared"],
      [11, "own"],
    ]);
    await ask(ada.api, { sql: "delete from notes where id = 11" });
  });

  it("gives less to whoever asks for less", async () => {
    expect(ids(await ask(ada.api, { sql: ALL, as: "anon" }))).toEqual([2, 4]);
    expect(ids(await ask(nodes.owner, { sql: ALL, as: "anon" }))).toEqual([2, 4]);
    expect(ids(await ask(nodes.owner, { sql: ALL, as: "user", user: ben.id }))).toEqual([3]);
    expect(ids(await ask(ada.api, { sql: ALL, as: "user", user: ada.id }))).toEqual([1, 2]);
  });

  it("gives more only where the function's owner asked for it", async () => {
    for (const who of [ada.api, nobody]) {
      for (const more of [{ as: "service" }, { as: "user", user: ben.id }]) {
        expect(await ask(who, { sql: ALL, ...more })).toMatchObject({
          refused: "AUTH_INSUFFICIENT_PERMISSIONS",
          status: 403,
        });
      }
      expect(ids(await ask(who, { sql: ALL, as: "service" }, "sql-service"))).toEqual([1, 2, 3, 4]);
      expect(ids(await ask(who, { sql: ALL, as: "user", user: ben.id }, "sql-service"))).toEqual([3]);
    }
    const impersonated = await ask(nodes.owner, { sql: ALL, as: "service" }, "sql", {
      "x-butterbase-as-user": ada.id,
    });
    expect(impersonated.refused).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
    const set = (run_as: string) =>
      callTool(nodes.agent, "manage_function", {
        app_id: appId,
        action: "update_settings",
        function_name: "sql-service",
        run_as,
      });
    await set("caller");
    expect((await ask(ada.api, { sql: ALL, as: "service" }, "sql-service")).refused).toBe(
      "AUTH_INSUFFICIENT_PERMISSIONS",
    );
    await set("service");
    expect(ids(await ask(ada.api, { sql: ALL, as: "service" }, "sql-service"))).toEqual([1, 2, 3, 4]);
  });

  it.each([
    ["set role", "set role none"],
    ["reset role", "reset role"],
    ["set_config of the role", "select set_config('role', 'none', false)"],
    ["set_config of the claims", `select set_config('request.jwt.claims', '{"sub":"x"}', true)`],
    ["two statements", "select 1; select 2"],
    ["a transaction ended early", "commit"],
    ["a block", "do $$ begin perform 1; end $$"],
    ["copy to a program", "copy notes to program 'cat'"],
    ["a file of the server", "select pg_read_file('/etc/passwd')"],
    ["another app's table", "select * from OTHER.notes"],
    ["Ambit's own tables", "select * from ambit.api_keys"],
    ["the catalogue of roles", "select * from pg_authid"],
    ["a row-security switch", "set row_security = off"],
    ["another schema first", "set search_path = ambit"],
    ["a change of the schema", "alter table notes disable row level security"],
    [
      "a function of one's own",
      "create function f() returns int language sql security definer as 'select 1'",
    ],
    ["query_to_xml", "select query_to_xml('select * from ambit.api_keys', true, true, '')"],
    ["a connection elsewhere", "select * from dblink('dbname=postgres', 'select 1') as t(a int)"],
  ])("can't be left by %s", async (_what, sql) => {
    const text = sql.replace("OTHER", otherApp);
    for (const [who, name] of [
      [ada.api, "sql"],
      [nobody, "sql"],
      [nodes.owner, "sql-service"],
    ] as const) {
      const answer = await ask(who, { sql: text, ...(name === "sql" ? {} : { as: "service" }) }, name);
      expect(answer).toMatchObject({
        refused: expect.any(String),
        status: expect.toSatisfy((status: number) => status >= 400 && status < 500),
      });
    }
    // And whatever it was, nothing of it stays in the connection it was tried on.
    expect(ids(await ask(ben.api, { sql: ALL }))).toEqual([3]);
  });

  it("takes parameters as values", async () => {
    const params = ["'; drop table notes; --"];
    expect((await ask(ada.api, { sql: "select $1::text as t", params })).rows).toEqual([{ t: params[0] }]);
    const types = await ask(ada.api, {
      sql: "select $1::int as i, $2::jsonb as j, $3::text[] as a, $4::boolean as b, $5::text as n",
      params: [7, { a: [1] }, ["x", "y"], true, null],
    });
    expect(types.rows).toEqual([{ i: 7, j: { a: [1] }, a: ["x", "y"], b: true, n: null }]);
  });

  it("keeps callers apart when many ask at once", async () => {
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        ask([ada.api, ben.api, nobody, nodes.owner][i % 4]!, { sql: ALL }),
      ),
    );
    for (const [i, answer] of answers.entries())
      expect(ids(answer)).toEqual([[1, 2], [3], [2, 4], [1, 2, 3, 4]][i % 4]);
  });

  it("is over with its call: an id of a call that has ended opens nothing", async () => {
    const code = `let kept: any;
      export async function handler(req: Request, ctx: any) {
        if (kept === undefined) { kept = ctx.db; return "kept"; }
        try { return await kept.query("select 1 as one"); } catch (error: any) { return { refused: error.code, text: error.message }; }
      }`;
    await deployFunction(nodes.agent, appId, "keeper", code, http("optional"));
    await ask(nodes.owner, {}, "keeper");
    const later = await ask(nobody, {}, "keeper");
    expect(later.rows).toBeUndefined();
  });
});
