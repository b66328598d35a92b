import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AmbitError } from "../../kernel/errors.ts";
import type { App, Call } from "../../kernel/operation.ts";
import { createPipeline, type Pipeline } from "../../kernel/pipeline.ts";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { createRealtime } from "./index.ts";
import type { RealtimeService } from "./service.ts";

let world: TestPlatform;
let realtime: ReturnType<typeof createRealtime>;
let service: RealtimeService;
let pipeline: Pipeline;
let app: App;
beforeAll(async () => {
  world = await testPlatform();
  realtime = createRealtime(world.platform);
  service = realtime.service;
  await service.start();
  await service.ready();
  pipeline = createPipeline({ findApp: (reference) => world.apps.find(reference), record: async () => {} });
  app = await world.createApp();
  await define(
    "create table notes (id int primary key)",
    "create table teams (id int primary key)",
    "create table members (team int, user_id text, primary key (team, user_id))",
    "create table loose (id int)",
    "alter table teams enable row level security",
    "create policy p on teams using (id in (select team from members where user_id = current_user_id()))",
  );
});
afterAll(async () => {
  await service?.stop();
  await world?.stop();
});

async function define(...statements: string[]): Promise<void> {
  await world.platform.database.ownerTransaction(app.id, async (tx) => {
    for (const statement of statements) await tx.query(statement);
    await tx.query("select ambit_helpers.announce_change('test')");
  });
}

async function run(name: string, input: Record<string, unknown> = {}): Promise<any> {
  const principal: KeyPrincipal = {
    kind: "key",
    keyId: "k",
    keyKind: "agent",
    accountId: "a",
    organizationId: world.organizationId,
    role: "developer",
    scopes: ["*"],
    expiresAtMs: null,
  };
  const operation = realtime.feature.operations.find((each) => each.name === name)!;
  const call: Call = {
    principal,
    door: "http",
    requestId: "r",
    ip: "",
    userAgent: "",
    nowMs: Date.now(),
    signal: new AbortController().signal,
  };
  const output = await pipeline(operation, call, { app_id: app.id, ...input });
  return operation.output.parse(output);
}

const refusal = (input: Record<string, unknown>) =>
  run("realtime.configure", input).then(
    () => expect.unreachable(),
    ({ code, status, details }: AmbitError) => ({ code, status, details }),
  );

const published = async (publication: string) => {
  const rows = await world.platform.database.query<{ tablename: string }>(
    "select tablename from pg_publication_tables where pubname = $1 and schemaname = $2 order by 1",
    [publication, app.id],
  );
  return rows.map((row) => row.tablename);
};

const identityOf = async (table: string) => {
  const [row] = await world.platform.database.query<{ relreplident: string }>(
    `select relreplident from pg_class where oid = '${app.id}.${table}'::regclass`,
  );
  return row!.relreplident;
};

describe("configure, get and disable", () => {
  it("switches on all tables or none", async () => {
    expect(await refusal({ tables: ["notes", "nope", "nada"] })).toEqual({
      code: "VALIDATION_TABLE_NOT_FOUND",
      status: 404,
      details: { missing_tables: ["nope", "nada"] },
    });
    expect(await refusal({ tables: ["notes", "loose"] })).toMatchObject({
      code: "REALTIME_PRIMARY_KEY_REQUIRED",
      details: { tables: ["loose"] },
    });
    expect(await refusal({})).toMatchObject({ code: "VALIDATION_MISSING_FIELD", status: 400 });
    expect(await refusal({ tables: [] })).toMatchObject({ code: "VALIDATION_MISSING_FIELD", status: 400 });
    expect((await run("realtime.get")).tables).toEqual([]);
    expect(await published("ambit_realtime")).toEqual([]);
  });

  it("is idempotent, warns of open tables, and shows what is on", async () => {
    const first = await run("realtime.configure", { tables: ["notes", "teams", "notes"] });
    expect(first.configured).toEqual([
      { table: "notes", status: "enabled" },
      { table: "teams", status: "enabled" },
    ]);
    expect(first.warnings).toEqual([expect.stringContaining("notes has no row-level security")]);
    expect(first._meta.next_actions[0]).toMatchObject({ tool: "manage_rls", recommended: true });
    const shown = await run("realtime.get");
    expect(await run("realtime.configure", { tables: ["notes", "teams"] })).toEqual(first);
    // How far the log has come is another matter each time.
    expect(await run("realtime.get")).toEqual({ ...shown, log: expect.any(Object) });
    expect(shown).toMatchObject({
      app_id: app.id,
      active_connection: true,
      websocket_url: `ws://127.0.0.1:4000/v1/${app.id}/realtime`,
    });
    expect(shown.tables).toEqual(
      ["notes", "teams"].map((table_name) => ({
        table_name,
        events: ["INSERT", "UPDATE", "DELETE"],
        enabled: true,
        created_at: expect.any(String),
        updated_at: expect.any(String),
        trigger_installed: true,
        drift: false,
      })),
    );
    expect(await published("ambit_watched")).toEqual(["members"]);
  });

  it("follows renamed and remade tables, and forgets dropped ones", async () => {
    const names = async () => (await run("realtime.get")).tables.map((t: any) => [t.table_name, t.drift]);
    await define("alter table notes rename to memos");
    await expect
      .poll(() => names())
      .toEqual([
        ["memos", false],
        ["teams", false],
      ]);
    await define("drop table memos", "create table memos (id int primary key, text text)");
    await expect
      .poll(() => names())
      .toEqual([
        ["memos", false],
        ["teams", false],
      ]);
    expect(await identityOf("memos")).toBe("f");
    await define("alter table memos replica identity default");
    expect(await names()).toContainEqual(["memos", expect.any(Boolean)]);
    await expect.poll(() => identityOf("memos")).toBe("f");
    await define("drop table memos");
    await expect.poll(() => names()).toEqual([["teams", false]]);
  });

  it("watches what policies read for as long as they read it", async () => {
    await define("create table guests (id int primary key)", "drop policy p on teams");
    await expect.poll(() => published("ambit_watched")).toEqual([]);
    expect(await identityOf("members")).toBe("d");
    await define("create policy q on teams using (exists (select from guests g where g.id = teams.id))");
    await expect.poll(() => published("ambit_watched")).toEqual(["guests"]);
  });

  it("switches a table off again", async () => {
    expect(await run("realtime.disable", { table: "teams" })).toEqual({ table: "teams", status: "disabled" });
    expect(await run("realtime.disable", { table: "teams" })).toEqual({ table: "teams", status: "disabled" });
    expect((await run("realtime.get")).tables).toEqual([]);
    expect([await published("ambit_realtime"), await published("ambit_watched")]).toEqual([[], []]);
    expect([await identityOf("teams"), await identityOf("guests")]).toEqual(["d", "d"]);
  });

  it("does not wait long for a table that is being written to", async () => {
    const writing = world.platform.database.ownerTransaction(app.id, async (tx) => {
      await tx.query("insert into teams values (1)");
      return refusal({ tables: ["teams"] });
    });
    expect(await writing).toMatchObject({ code: "REALTIME_TABLE_BUSY", status: 409 });
  });
});

describe("slots", () => {
  it("of servers with a slot per node are dropped unless they are in use; others are left alone", async () => {
    const { database } = world.platform;
    const slot = (name: string) =>
      database.query("select pg_create_logical_replication_slot($1, 'pgoutput')", [name]);
    const suffix = app.id.slice(4);
    await slot(`ambit_node_${suffix}`);
    await slot(`other_${suffix}`);
    const node = createRealtime({
      ...world.platform,
      metrics: new (world.platform.metrics.constructor as any)(),
    }).service;
    await node.start();
    await node.ready();
    await node.stop();
    const left = await database.query<{ slot_name: string }>(
      "select slot_name from pg_replication_slots where database = current_database() and not temporary",
    );
    const names = left.map((row) => row.slot_name).sort();
    expect(names).toEqual([expect.stringMatching(/^ambit_anchor_\d+$/), `other_${suffix}`]);
    await database.query("select pg_drop_replication_slot($1)", [`other_${suffix}`]);
  });
});
