import type { Client } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apiAs, type Person, signUp } from "../support/api.ts";
import { must } from "../support/app.ts";
import { callTool, connectMcp } from "../support/mcp.ts";
import { connectRealtime, type Frame, type RealtimeClient } from "../support/realtime.ts";
import { discard, type Server, startServer } from "../support/server.ts";

let server: Server;
let agent: Client;
let app_id: string;
let ada: Person;
let ben: Person;
let sockets: Record<"ada" | "ben" | "guest" | "service", RealtimeClient>;

beforeAll(async () => {
  server = await startServer();
  agent = await connectMcp(server.mcpUrl, server.agentKey);
});
afterAll(async () => {
  for (const socket of Object.values(sockets ?? {})) await socket.close();
  await agent?.close();
  await discard(server);
});

/** What each socket got about one row, as `op` or `op reason`, once everyone's frames are there. */
async function sawOf(last: (frame: Frame) => boolean): Promise<Record<string, string[]>> {
  await sockets.service.waitFor(last);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const saw: Record<string, string[]> = {};
  for (const [name, socket] of Object.entries(sockets)) {
    saw[name] = socket
      .changes("notes")
      .map((frame) => (frame.reason ? `${frame.op} ${frame.reason}` : frame.op));
    socket.frames.length = 0;
  }
  return saw;
}

describe("an agent builds a backend over MCP, people see the live changes they may see", () => {
  it("creates an app, tables, policies and realtime with tools alone", async () => {
    const app = await callTool(agent, "init_app", { name: "main-job" });
    app_id = app.app_id;
    expect(app.provisioning_status).toBe("ready");
    const applied = await callTool(agent, "manage_schema", {
      app_id,
      action: "apply",
      schema: {
        tables: {
          notes: {
            columns: {
              id: { type: "uuid", primaryKey: true, default: "gen_random_uuid()" },
              owner_id: { type: "text", nullable: false },
              title: { type: "text", nullable: false },
              shared: { type: "boolean", nullable: false, default: "false" },
            },
          },
        },
      },
    });
    expect(applied.applied).toBeGreaterThan(0);
    expect(JSON.stringify(applied.warnings)).toContain("row-level security");
    const isolation = {
      app_id,
      action: "create_user_isolation",
      table_name: "notes",
      user_column: "owner_id",
      public_read_column: "shared",
    };
    expect(await callTool(agent, "manage_rls", isolation)).toMatchObject({
      success: true,
      policy_name: "notes_user_isolation",
    });
    const configured = await callTool(agent, "manage_realtime", {
      app_id,
      action: "configure",
      tables: ["notes"],
    });
    expect(configured.configured).toEqual([{ table: "notes", status: "enabled" }]);
    const again = await callTool(agent, "manage_realtime", {
      app_id,
      action: "configure",
      tables: ["notes"],
    });
    expect(again.configured).toHaveLength(1);
    const config = await callTool(agent, "manage_realtime", { app_id, action: "get" });
    expect(config).toMatchObject({
      active_connection: true,
      tables: [{ table_name: "notes", enabled: true }],
    });
    expect(config.websocket_url).toBe(`${server.apiUrl.replace("http", "ws")}/v1/${app_id}/realtime`);
  });

  it("lets people sign up and connect", async () => {
    ada = await signUp(server.apiUrl, app_id, "ada");
    ben = await signUp(server.apiUrl, app_id, "ben");
    const connect = (token: string | null, options = {}) =>
      connectRealtime(server.apiUrl, app_id, token, options);
    sockets = {
      ada: await connect(ada.token),
      ben: await connect(ben.token, { header: true }),
      guest: await connect(null),
      service: await connect(server.agentKey),
    };
    const roles = await Promise.all(
      Object.values(sockets).map((socket) => socket.waitFor((frame) => frame.type === "connected")),
    );
    expect(roles.map((frame) => frame.role)).toEqual([
      "butterbase_user",
      "butterbase_user",
      "butterbase_anon",
      "butterbase_service",
    ]);
    for (const socket of Object.values(sockets)) await socket.subscribe("notes");
  });

  it("shows each exactly what they may see, through every kind of change", async () => {
    const note = must(await ada.api("POST", `/v1/${app_id}/notes`, { title: "Plan" }));
    expect(note.owner_id).toBe(ada.id);
    expect(await sawOf((f) => f.op === "INSERT")).toEqual({
      ada: ["INSERT"],
      ben: [],
      guest: [],
      service: ["INSERT"],
    });

    must(await ada.api("PATCH", `/v1/${app_id}/notes/${note.id}`, { shared: true }));
    expect(await sawOf((f) => f.op === "UPDATE")).toEqual({
      ada: ["UPDATE"],
      ben: ["INSERT enter"],
      guest: ["INSERT enter"],
      service: ["UPDATE"],
    });
    must(await ada.api("PATCH", `/v1/${app_id}/notes/${note.id}`, { shared: false, title: "Private again" }));
    const [left] = await Promise.all([sockets.ben.waitFor((f) => f.reason === "leave")]);
    expect(left).toMatchObject({ op: "DELETE", record: null, old_record: { title: "Plan", shared: true } });
    expect(await sawOf((f) => f.op === "UPDATE")).toEqual({
      ada: ["UPDATE"],
      ben: ["DELETE leave"],
      guest: ["DELETE leave"],
      service: ["UPDATE"],
    });

    const handed = await callTool(agent, "update_rows", {
      app_id,
      table: "notes",
      filters: { id: `eq.${note.id}` },
      data: { owner_id: ben.id },
    });
    expect(handed.updated).toBe(1);
    const entered = await sockets.ben.waitFor((f) => f.reason === "enter");
    expect(entered).toMatchObject({ op: "INSERT", old_record: null, record: { owner_id: ben.id } });
    expect(await sawOf((f) => f.op === "UPDATE")).toEqual({
      ada: ["DELETE leave"],
      ben: ["INSERT enter"],
      guest: [],
      service: ["UPDATE"],
    });

    must(await ben.api("DELETE", `/v1/${app_id}/notes/${note.id}`));
    expect(await sawOf((f) => f.op === "DELETE")).toEqual({
      ada: [],
      ben: ["DELETE"],
      guest: [],
      service: ["DELETE"],
    });
  });

  it("shows in realtime the same record as the data API", async () => {
    const note = must(
      await ada.api("POST", `/v1/${app_id}/notes`, { title: 'quotes " and ünïcode \u0001 \u{1f600}' }),
    );
    const frame = await sockets.ada.waitFor((f) => f.record?.id === note.id);
    expect(frame.record).toEqual(note);
    expect(must(await ada.api("GET", `/v1/${app_id}/notes/${note.id}`))).toEqual(frame.record);
  });

  it("writes down who did what, without secrets", async () => {
    const { logs } = await callTool(agent, "query_audit_logs", { app_id });
    const events = logs.map((entry: any) => entry.event_type);
    for (const event of [
      "schema.apply",
      "rls.create_user_isolation",
      "realtime.configure",
      "auth.signup",
      "auth.login",
    ]) {
      expect(events).toContain(event);
    }
    const everything = JSON.stringify(logs) + server.output();
    for (const secret of [ada.password, ada.refreshToken, ada.token, ada.token.split(".")[2]!]) {
      expect(everything).not.toContain(secret);
    }
  });

  it("lets anonymous callers in or not, as the access mode says", async () => {
    const nobody = apiAs(server.apiUrl, null);
    expect((await nobody("GET", `/v1/${app_id}/notes`)).body).toEqual([]);
    const owner = apiAs(server.apiUrl, server.apiKey);
    must(await owner("PATCH", `/v1/${app_id}/config/access-mode`, { access_mode: "authenticated" }));
    expect(await nobody("GET", `/v1/${app_id}/notes`)).toMatchObject({
      status: 401,
      body: { error: { code: "AUTH_REQUIRED" } },
    });
    const refused = await connectRealtime(server.apiUrl, app_id, null);
    expect((await refused.waitClosed()).code).toBe(1008);
    must(await owner("PATCH", `/v1/${app_id}/config/access-mode`, { access_mode: "public" }));
  });
});
