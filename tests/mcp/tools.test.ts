import type { Client } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, apiAs, signUp } from "../support/api.ts";
import { must, newApp } from "../support/app.ts";
import { discard, type Server, startServer } from "../support/server.ts";
import { ALIASES, CONTRACT } from "./compatible.ts";
import { ask, connectEra, ERAS, run } from "./connect.ts";
import { argsOf, type Found, mergedArgsOf, STEPS } from "./steps.ts";

let server: Server;
let owner: Api;
beforeAll(async () => {
  server = await startServer();
  owner = apiAs(server.apiUrl, server.apiKey);
});
afterAll(() => discard(server));

const merged = (key: string, era: (typeof ERAS)[number] = "2026-07-28") =>
  connectEra(server.mcpUrl, key, era);
const verbs = (key: string, era: (typeof ERAS)[number] = "2026-07-28") =>
  connectEra(`${server.mcpUrl}?tools=verbs`, key, era);
const isIn = (tools: { name: string }[], name: string) => tools.some((tool) => tool.name === name);

async function freshApp(): Promise<Found> {
  const appId = await newApp(owner);
  await signUp(server.apiUrl, appId, "ada");
  return { appId, userId: "", organizationId: "", accountId: "", keyId: "", archive: {} };
}

describe("the list of tools", () => {
  it.each(["", "?tools=verbs"])(
    "is the same in both eras, for every caller, every time (%s)",
    async (query) => {
      const lists = [];
      for (const era of ERAS) {
        for (const key of [server.apiKey, server.agentKey]) {
          const client = await connectEra(`${server.mcpUrl}${query}`, key, era);
          lists.push((await client.listTools()).tools, (await client.listTools()).tools);
          await client.close();
        }
      }
      for (const list of lists) expect(list).toEqual(lists[0]);
      const names = lists[0]!.map(({ name }) => name);
      expect(names).toEqual([...names].sort());
    },
  );

  it("has every tool of the contract, with the arguments clients send and no other requirement", async () => {
    const client = await merged(server.agentKey);
    const { tools } = await client.listTools();
    for (const [name, contract] of Object.entries(CONTRACT)) {
      const tool = tools.find((each) => each.name === name);
      expect(tool, name).toBeDefined();
      const {
        properties = {},
        required = [],
        additionalProperties,
        type,
      } = tool!.inputSchema as Record<string, any>;
      expect({ name, type, additionalProperties }).toEqual({
        name,
        type: "object",
        additionalProperties: false,
      });
      expect([name, [...required].sort()]).toEqual([name, [...contract.required].sort()]);
      expect([name, contract.properties.filter((each) => !(each in properties))]).toEqual([name, []]);
      if (contract.actions === undefined) continue;
      expect([name, contract.actions.filter((each) => !properties.action.enum.includes(each))]).toEqual([
        name,
        [],
      ]);
    }
    await client.close();
  });

  it("says everything a client needs: title, description, annotations, schemas", async () => {
    for (const client of [await merged(server.agentKey), await verbs(server.agentKey)]) {
      for (const { name, title, description, annotations, inputSchema, outputSchema } of (
        await client.listTools()
      ).tools) {
        expect([name, typeof title, (description ?? "").length > 20]).toEqual([name, "string", true]);
        expect(Object.keys(annotations!).sort(), name).toEqual([
          "destructiveHint",
          "idempotentHint",
          "openWorldHint",
          "readOnlyHint",
          "title",
        ]);
        expect([name, annotations!.title, inputSchema.type, outputSchema!.type]).toEqual([
          name,
          title,
          "object",
          "object",
        ]);
      }
      await client.close();
    }
  });

  it("has every operation as a verb, and every verb in this suite", async () => {
    const client = await verbs(server.agentKey);
    const names = (await client.listTools()).tools.map(({ name }) => name);
    expect(names).toEqual(STEPS.map(({ verb }) => verb).sort());
    await client.close();
    const compatible = await merged(server.agentKey);
    const { tools } = await compatible.listTools();
    const actions = tools.flatMap(({ name, inputSchema }) => {
      const { action } = (inputSchema as Record<string, any>).properties ?? {};
      return action === undefined || CONTRACT[name]?.properties.includes("event_type")
        ? [name]
        : action.enum.map((each: string) => `${name} ${each}`);
    });
    const known = STEPS.map(({ tool, action }) => (action === null ? tool : `${tool} ${action}`));
    expect(actions.filter((each) => each !== "butterbase_docs").sort()).toEqual(known.sort());
    await compatible.close();
  });

  it("never calls harmless what can destroy, nor read-only what writes", async () => {
    const [one, all] = [await verbs(server.agentKey), await merged(server.agentKey)];
    const [single, joined] = [(await one.listTools()).tools, (await all.listTools()).tools];
    for (const { verb, tool, destroys = false, reads = false } of STEPS) {
      const hints = single.find(({ name }) => name === verb)!.annotations!;
      expect([verb, hints.readOnlyHint, hints.destructiveHint]).toEqual([verb, reads, destroys]);
      const shared = joined.find(({ name }) => name === tool)!.annotations!;
      if (destroys) expect([tool, shared.destructiveHint]).toEqual([tool, true]);
      if (!reads) expect([tool, shared.readOnlyHint]).toEqual([tool, false]);
    }
    await Promise.all([one.close(), all.close()]);
  });
});

describe("every operation works through both lists, and its answer holds to its schema", () => {
  it.each(ERAS)("as verbs and as manage_* tools, %s", async (era) => {
    for (const [connect, nameOf, arguments_] of [
      [verbs, (each: (typeof STEPS)[number]) => each.verb, argsOf],
      [merged, (each: (typeof STEPS)[number]) => each.tool, mergedArgsOf],
    ] as const) {
      const client = await connect(server.apiKey, era);
      const found = await freshApp();
      for (const each of STEPS) {
        // The client itself refuses an answer that its output schema does not allow.
        const answer = await ask(client, nameOf(each), arguments_(each, found));
        expect([each.verb, answer.error]).toEqual([each.verb, null]);
        each.find?.(answer.structured, found);
        if (each.verb === "docs_read") expect(answer.text).toBe(answer.structured.content);
        else {
          const shown = each.verb === "data_select" ? answer.structured.rows : answer.structured;
          expect(answer.text).toBe(JSON.stringify(shown, null, 2));
        }
      }
      await client.close();
    }
  });

  it("older names are still called", async () => {
    const client = await merged(server.agentKey);
    const { tools } = await client.listTools();
    const appId = await newApp(owner);
    const known: Record<string, Record<string, unknown>> = {
      list_apps: {},
      apply_schema: {
        schema: {
          tables: { notes: { columns: { id: { type: "int", primaryKey: true }, o: { type: "text" } } } },
        },
      },
      dry_run_schema: { schema: { tables: {} } },
      enable_rls: { table_name: "notes" },
      create_policy: { table_name: "notes", policy_name: "p", using_expression: "true", command: "SELECT" },
      create_user_isolation_policy: { table_name: "notes", user_column: "o" },
      delete_rls_policy: { table_name: "notes", policy_name: "p" },
      configure_realtime: { tables: ["notes"] },
    };
    const order = [
      "apply_schema",
      ...ALIASES.filter((name) => name !== "apply_schema" && name !== "delete_rls_policy"),
      "delete_rls_policy",
    ];
    expect([...order].sort()).toEqual([...ALIASES].sort());
    for (const name of order) {
      expect(isIn(tools, name)).toBe(false);
      const app = name === "list_apps" ? {} : { app_id: appId };
      expect([name, (await ask(client, name, { ...app, ...known[name] })).error]).toEqual([name, null]);
    }
    await client.close();
  });
});

/** What a change through any tool would show in. */
async function snapshot(appId: string): Promise<unknown> {
  const paths = [
    "config",
    "env",
    "schema",
    "rls",
    "realtime/config",
    "admin/auth/users",
    "auth/oauth-config",
    "migrations",
  ];
  const parts = paths.map((path) => owner("GET", `/v1/${appId}/${path}`));
  const { keys } = must(await owner("GET", "/api-keys"));
  const { organizations } = must(await owner("GET", "/v1/organizations"));
  return [
    (await Promise.all(parts)).map(must),
    must(await owner("GET", `/v1/${appId}/notes?order=id`)),
    keys.map(({ last_used_at: _used, ...key }: any) => key),
    organizations,
    must(await owner("GET", "/apps")).apps.length,
  ];
}

/** An app with something in it of each kind: every step of which nothing is lost again. */
async function furnishedApp(client: Client): Promise<Found> {
  const found = await freshApp();
  const first = new Set([
    "schema_apply",
    "functions_deploy",
    "durable_objects_deploy",
    "durable_objects_invoke",
  ]);
  for (const each of STEPS) {
    const builds =
      each.destroys === undefined && each.person === undefined && each.verb !== "realtime_disable";
    if (!builds && !first.has(each.verb)) continue;
    const output = await run(client, each.verb, argsOf(each, found));
    each.find?.(output, found);
  }
  return found;
}

describe("what a key may not do, no tool does", () => {
  it("a read-only key reads, and changes nothing", async () => {
    const person = await verbs(server.apiKey);
    const found = await furnishedApp(person);
    found.keyId = must(await owner("POST", "/api-keys", { name: "victim" })).id;
    const { key } = must(await owner("POST", "/api-keys", { name: "reader", read_only: true }));
    const [single, joined] = [await verbs(key), await merged(key)];
    const before = await snapshot(found.appId);
    const refusedReads = new Set<string>();
    for (const each of STEPS) {
      for (const [client, name, args] of [
        [single, each.verb, argsOf(each, found)],
        [joined, each.tool, mergedArgsOf(each, found)],
      ] as const) {
        const { error } = await ask(client, name, args);
        if (!each.reads)
          expect([name, error?.code]).toEqual([name, expect.stringMatching(/AUTH_|SQL_READ_ONLY/)]);
        else if (error !== null) {
          expect([name, error.code]).toEqual([name, "AUTH_INSUFFICIENT_PERMISSIONS"]);
          refusedReads.add(each.verb);
        }
      }
    }
    // Users and their codes are for developers; a preview is part of a change.
    expect([...refusedReads].sort()).toEqual(["auth_list_users", "mail_read_outbox", "schema_dry_run"]);
    expect(await snapshot(found.appId)).toEqual(before);
    await Promise.all([person, single, joined].map((client) => client.close()));
  });

  it("what is called read-only changes nothing, even for an owner", async () => {
    const person = await verbs(server.apiKey);
    const found = await furnishedApp(person);
    const before = await snapshot(found.appId);
    for (const each of STEPS.filter(({ reads }) => reads)) await run(person, each.verb, argsOf(each, found));
    expect(await snapshot(found.appId)).toEqual(before);
    await person.close();
  });

  it("an agent's key is refused what only a person may do", async () => {
    const agent = await merged(server.agentKey);
    const found = await freshApp();
    found.organizationId = must(await owner("GET", "/v1/organizations")).organizations[0].id;
    found.accountId = "00000000-0000-4000-8000-000000000001";
    for (const each of STEPS.filter(({ person }) => person)) {
      const { error } = await ask(agent, each.tool, mergedArgsOf(each, found));
      expect([each.verb, error?.code]).toEqual([each.verb, "AUTH_PERSON_REQUIRED"]);
      expect(error?.remediation).toContain("person");
    }
    const people = must(await owner("GET", "/api-keys")).keys.filter((key: any) => key.kind === "person");
    const revoke = await ask(agent, "manage_api_keys", { action: "revoke", key_id: people[0].id });
    expect(revoke.error?.code).toBe("AUTH_PERSON_REQUIRED");
    await agent.close();
  });

  it("an app-bound key stays in its app", async () => {
    const [mine, other] = [await freshApp(), await freshApp()];
    const { key } = must(
      await owner("POST", "/api-keys", { name: "bound", key_scope: "app", target_app_id: mine.appId }),
    );
    const client = await merged(key);
    await run(client, "manage_schema", { app_id: mine.appId, action: "get" });
    for (const each of STEPS.filter(({ app }) => app)) {
      const { error } = await ask(client, each.tool, mergedArgsOf(each, other));
      expect([each.verb, error?.code]).toEqual([each.verb, "AUTH_INSUFFICIENT_PERMISSIONS"]);
    }
    await client.close();
  });
});
