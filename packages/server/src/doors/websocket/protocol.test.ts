import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ReceivedFrame, TestClient } from "./testing/client.ts";
import { type AppStage, Stage } from "./testing/stage.ts";

let stage: Stage;
let app: AppStage;
beforeAll(async () => {
  stage = await Stage.start();
  app = await stage.app(
    ["tasks"],
    "create table tasks (id int primary key, room text, level int, secret text)",
    "create table quiet (id int primary key)",
  );
  await app.define(
    `revoke select on tasks from ${app.id}_anon`,
    `grant select (id, room, level) on tasks to ${app.id}_anon`,
  );
});
afterAll(() => stage?.stop());

const errorOf = (client: TestClient) => client.ofType("error").then((frame) => frame.message);
const ops = (changes: ReceivedFrame[]) =>
  changes.map(({ op, reason, record, old_record }) => [op, reason, (record ?? old_record).id]);

describe("subscribing", () => {
  it("warns of a table whose changes are not broadcast, and sends none of it", async () => {
    const client = await app.subscriber("service", "quiet", "missing");
    const warnings = client.frames.filter((frame) => frame.type === "warning");
    expect(warnings.map(({ code, table }) => [code, table])).toEqual([
      ["TABLE_NOT_REALTIME_ENABLED", "quiet"],
      ["TABLE_NOT_REALTIME_ENABLED", "missing"],
    ]);
  });

  it("keeps all filters of a table and drops them together", async () => {
    const client = await app.connect(null);
    expect(await client.subscribe("tasks", { room: "a" })).toEqual({
      type: "subscribed",
      table: "tasks",
      filter: { room: "a" },
      seq: expect.stringMatching(/^[0-9A-F]{16}-[0-9A-F]{8}$/),
    });
    await client.subscribe("tasks", { level: 7 });
    await app.write(
      "insert into tasks values (1, 'a', 1), (2, 'b', 7), (3, 'b', 1)",
      "update tasks set room = 'a' where id = 3",
      "update tasks set level = 8 where id = 2",
      "delete from tasks where id <> 3",
      "update tasks set room = null where id = 3",
    );
    expect(ops(await client.changesOnceThere(6))).toEqual([
      ["INSERT", undefined, 1],
      ["INSERT", undefined, 2],
      ["INSERT", "enter", 3],
      ["DELETE", "leave", 2],
      ["DELETE", undefined, 1],
      ["DELETE", "leave", 3],
    ]);
    client.send({ type: "unsubscribe", table: "tasks" });
    await client.ofType("unsubscribed");
    await app.write("insert into tasks values (4, 'a', 7)");
    await client.subscribe("tasks", { room: null });
    await app.write("insert into tasks values (5, null, 0)");
    expect(ops(await client.changesOnceThere(7)).at(-1)).toEqual(["INSERT", undefined, 5]);
  });

  it("refuses filters on columns that are not there or not to be read, in the same words", async () => {
    const problem = async (column: string) => {
      const client = await app.connect(null);
      client.send({ type: "subscribe", table: "tasks", filter: { [column]: "x" } });
      return (await errorOf(client)).replace(column, "…");
    };
    expect(await problem("secret")).toBe(await problem("nothing"));
    await (await app.subscriber("service")).subscribe("tasks", { secret: "x" });
  });

  it("never matches by a column that may not be read any more", async () => {
    const own = await stage.app(["docs"], "create table docs (id int primary key, secret text)");
    const client = await own.connect(null);
    await client.subscribe("docs", { secret: "x" });
    await own.write("insert into docs values (1, 'x')");
    await client.changesOnceThere(1);
    await own.define(
      `revoke select on docs from ${own.id}_anon`,
      `grant select (id) on docs to ${own.id}_anon`,
    );
    await own.write("insert into docs values (2, 'x')");
    await client.fence();
    expect(client.changes().map((change) => change.record)).toEqual([{ id: 1, secret: "x" }]);
  });

  it("leaves masked columns out, and changes of nothing else", async () => {
    const client = await app.subscriber("anon", "tasks");
    await app.write(
      "insert into tasks values (10, 'a', 1, 'hush')",
      "update tasks set secret = 'hush!' where id = 10",
      "update tasks set level = 2, secret = 'hush?' where id = 10",
    );
    const changes = await client.changesOnceThere(2);
    expect(changes.map(({ op, record, old_record }) => [op, record, old_record])).toEqual([
      ["INSERT", { id: 10, room: "a", level: 1 }, null],
      ["UPDATE", { id: 10, room: "a", level: 2 }, { id: 10, room: "a", level: 1 }],
    ]);
  });
});

describe("other messages", () => {
  it.each([
    ["not JSON", "{", /not valid JSON/],
    ["not an object", "[]", /JSON object/],
    [
      "nested without end",
      `{"type":"presence_track","metadata":${"[".repeat(30_000)}${"]".repeat(30_000)}}`,
      /nested/,
    ],
    ["a deep filter", { type: "subscribe", table: "tasks", filter: { id: "x".repeat(2_000) } }, /filter/],
    ["no type", {}, /Unknown message type/],
    ["unknown type", { type: "shout" }, /Unknown message type/],
    ["subscribe without table", { type: "subscribe" }, /table/],
    ["event without name", { type: "event" }, /event/],
    ["presence_update first", { type: "presence_update", metadata: {} }, /presence_track/],
    ["too much metadata", { type: "presence_track", metadata: { x: "x".repeat(5_000) } }, /metadata/],
    ["an event nobody handles", { type: "event", event: "wave" }, /^No handler for event: wave/],
  ])("answers %s with an error frame", async (_case, message, expected) => {
    const client = await app.connect(null);
    client.send(message);
    expect(await errorOf(client)).toMatch(expected);
  });

  it("tells those who track presence of each other, and anonymous ones no user ids", async () => {
    const ann = await app.connect(stage.userToken({ sub: "ann" }));
    ann.send({ type: "presence_track", metadata: { mood: "fine" } });
    expect(await ann.ofType("presence_state")).toEqual({ type: "presence_state", clients: [] });
    const anon = await app.connect(null);
    anon.send({ type: "presence_track" });
    const state = await anon.ofType("presence_state");
    expect(state.clients).toEqual([
      { client_id: expect.any(String), user_id: null, metadata: { mood: "fine" } },
    ]);
    const join = await ann.ofType("presence_join");
    expect(join).toMatchObject({ user_id: null, metadata: {} });
    const ben = await app.connect(stage.userToken({ sub: "ben" }));
    ben.send({ type: "presence_track" });
    const seenByBen = await ben.ofType("presence_state");
    expect(seenByBen.clients.map((client: ReceivedFrame) => client.user_id)).toEqual(["ann", null]);
    ann.send({ type: "presence_update", metadata: { mood: "bored" } });
    const { client_id } = state.clients[0];
    expect(await ben.ofType("presence_update")).toEqual({
      type: "presence_update",
      client_id,
      metadata: { mood: "bored" },
    });
    ann.close();
    expect(await ben.ofType("presence_leave")).toEqual({ type: "presence_leave", client_id, user_id: "ann" });
    expect(await anon.ofType("presence_leave")).toEqual({ type: "presence_leave", client_id, user_id: null });
  });
});

describe("a renewed token", () => {
  it("shows from then on what its claims allow", async () => {
    const own = await stage.app(
      ["docs"],
      "create table docs (id int primary key, tenant text)",
      "alter table docs enable row level security",
      `create policy tenants on docs to butterbase_user
         using (tenant = (current_setting('request.jwt.claims')::jsonb ->> 'tenant'))`,
    );
    const client = await own.subscriber({ sub: "u", tenant: "a" }, "docs");
    await own.write("insert into docs values (1, 'a'), (2, 'b')");
    await client.changesOnceThere(1);
    client.send({ type: "auth", token: stage.userToken({ sub: "u", tenant: "b" }) });
    await client.ofType("authenticated");
    expect(await client.ofType("resync")).toEqual({ type: "resync", reason: "identity_changed" });
    await own.write("insert into docs values (3, 'a'), (4, 'b')");
    expect(ops(await client.changesOnceThere(2))).toEqual([
      ["INSERT", undefined, 1],
      ["INSERT", undefined, 4],
    ]);
  });
});
