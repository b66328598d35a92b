/**
 * The promise: clients that know nothing of ids, columns, `initial` and `since` work as they always have: what they send
 * means what it meant, and what they are sent has the fields they know, with nothing in it that would lead them astray.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { type Api, apiAs, type Person, signUp } from "../support/api.ts";
import { applySchema, must, newApp } from "../support/app.ts";
import { connectRealtime, type Frame, type RealtimeClient } from "../support/realtime.ts";
import { discard, type Server, startServer } from "../support/server.ts";

let server: Server;
let owner: Api;
let appId: string;
let ada: Person;
let ben: Person;

beforeAll(async () => {
  server = await startServer();
  owner = apiAs(server.apiUrl, server.apiKey);
  appId = await newApp(owner);
  await applySchema(owner, appId, {
    messages: {
      columns: {
        id: { type: "int", primaryKey: true },
        room: { type: "text" },
        level: { type: "int" },
        text: { type: "text" },
      },
    },
    quiet: { columns: { id: { type: "int", primaryKey: true } } },
  });
  must(await owner("POST", `/v1/${appId}/realtime/configure`, { tables: ["messages"] }));
  ada = await signUp(server.apiUrl, appId, "ada");
  ben = await signUp(server.apiUrl, appId, "ben");
});
afterAll(() => discard(server));

const open = (token: string | null = ada.token) => connectRealtime(server.apiUrl, appId, token);
let ids = 1;
const post = async (row: object): Promise<number> => {
  const id = ids++;
  must(await owner("POST", `/v1/${appId}/messages`, { id, ...row }));
  return id;
};

/** Everything that was committed before has been sent to the client. */
async function passed(client: RealtimeClient): Promise<void> {
  const watcher = await open(server.apiKey);
  await watcher.subscribe("messages");
  const id = await post({ room: "fence" });
  await watcher.waitFor((frame) => frame.record?.id === id);
  await watcher.close();
  await sleep(100);
  expect(client.closed).toBeUndefined();
}
const rowsOf = (client: RealtimeClient): unknown[] =>
  client
    .changes("messages")
    .filter((frame) => frame.record?.room !== "fence")
    .map((frame) => frame.record?.id ?? null);

describe("old clients", { timeout: 60_000 }, () => {
  it("may send before they hear anything", async () => {
    const url = `${server.apiUrl.replace("http", "ws")}/v1/${appId}/realtime?token=${encodeURIComponent(ada.token)}`;
    const socket = new WebSocket(url);
    const frames: Frame[] = [];
    socket.on("message", (data) => frames.push(JSON.parse(String(data))));
    await new Promise<void>((resolve) =>
      socket.on("open", () => {
        socket.send(JSON.stringify({ type: "subscribe", table: "messages" }));
        socket.send(JSON.stringify({ type: "presence_track", metadata: { at: "once" } }));
        resolve();
      }),
    );
    while (frames.length < 3) await sleep(5);
    expect(frames.map(({ type }) => type)).toEqual(["connected", "subscribed", "presence_state"]);
    expect(frames[0]).toMatchObject({ app_id: appId, role: "butterbase_user" });
    socket.close();
    await new Promise((resolve) => socket.once("close", resolve));
  });

  it("get changes with the fields they know, and none of an id", async () => {
    const client = await open();
    await client.subscribe("messages");
    const id = await post({ room: "a", level: 1, text: "hello" });
    must(await owner("PATCH", `/v1/${appId}/messages/${id}`, { text: "hi" }));
    must(await owner("DELETE", `/v1/${appId}/messages/${id}`));
    await client.waitFor((frame) => frame.op === "DELETE" && frame.old_record.id === id);
    const [hello, hi] = ["hello", "hi"].map((text) => ({ id, room: "a", level: 1, text }));
    const told = client
      .changes("messages")
      .filter(({ record, old_record }) => (record ?? old_record).id === id);
    expect(told.map(({ op, record, old_record }) => ({ op, record, old_record }))).toEqual([
      { op: "INSERT", record: hello, old_record: null },
      { op: "UPDATE", record: hi, old_record: hello },
      { op: "DELETE", record: null, old_record: hi },
    ]);
    for (const frame of told) {
      expect(Object.keys(frame)).not.toContain("id");
      expect(new Date(frame.timestamp).toISOString()).toBe(frame.timestamp);
    }
    await client.close();
  });

  it("have all filters of one table ORed, and a change that several let through comes once", async () => {
    const client = await open();
    for (const filter of [{ room: "a" }, { room: "b", level: 2 }, { level: 3 }]) {
      await client.subscribe("messages", filter);
    }
    const expected = [
      await post({ room: "a", level: 3 }),
      await post({ room: "a", level: 1 }),
      await post({ room: "b", level: 2 }),
      await post({ room: "c", level: 3 }),
    ];
    await post({ room: "b", level: 1 });
    await post({ room: "c", level: 2 });
    // From one filter into another it stays in view.
    must(await owner("PATCH", `/v1/${appId}/messages/${expected[1]}`, { room: "b", level: 2 }));
    await passed(client);
    expect(rowsOf(client)).toEqual([...expected, expected[1]]);
    expect(client.changes("messages").at(-1)!.op === "UPDATE" || client.changes().length > 5).toBe(true);
    client.send({ type: "unsubscribe", table: "messages" });
    await client.waitFor((frame) => frame.type === "unsubscribed" && frame.table === "messages");
    const seen = client.changes().length;
    await post({ room: "a", level: 3 });
    await passed(client);
    expect(client.changes().length).toBe(seen);
    await client.close();
  });

  it("get everything once they also subscribe without a filter", async () => {
    const client = await open();
    await client.subscribe("messages", { room: "a" });
    await client.subscribe("messages");
    const all = [await post({ room: "a" }), await post({ room: "z" })];
    await passed(client);
    expect(rowsOf(client)).toEqual(all);
    await client.close();
  });

  it("live beside subscriptions with ids on the same socket, which do not disturb them", async () => {
    const client = await open();
    await client.subscribe("messages", { room: "old" });
    client.send({ type: "subscribe", table: "messages", id: "new", filter: { room: "new" } });
    await client.waitFor((frame) => frame.type === "subscribed" && frame.id === "new");
    const first = await post({ room: "old" });
    const second = await post({ room: "new" });
    await passed(client);
    const told = client.changes("messages").map((frame) => [frame.id ?? null, frame.record.id]);
    expect(told).toEqual([
      [null, first],
      ["new", second],
    ]);
    client.send({ type: "unsubscribe", id: "new" });
    await client.waitFor((frame) => frame.type === "unsubscribed" && frame.id === "new");
    const third = await post({ room: "old" });
    await post({ room: "new" });
    await passed(client);
    expect(rowsOf(client)).toEqual([first, second, third]);
    await client.close();
  });

  it("are warned of a table without realtime, and told of events without a handler in the words they know", async () => {
    const client = await open();
    await client.subscribe("quiet");
    const warning = await client.waitFor((frame) => frame.type === "warning");
    expect(warning).toMatchObject({ code: "TABLE_NOT_REALTIME_ENABLED", table: "quiet" });
    expect(warning.remediation).toContain("configure");
    client.send({ type: "event", event: "no-such", payload: {} });
    const error = await client.waitFor((frame) => frame.type === "error");
    expect(error.message.startsWith("No handler for event: no-such")).toBe(true);
    await client.close();
  });

  it("see each other come, change and go, if they show themselves", async () => {
    const [mine, hers, silent] = [await open(), await open(ben.token), await open(null)];
    mine.send({ type: "presence_track", metadata: { name: "Ada" } });
    const state = await mine.waitFor((frame) => frame.type === "presence_state");
    expect(state.clients).toEqual([]);
    hers.send({ type: "presence_track", metadata: { name: "Ben" } });
    const { clients } = await hers.waitFor((frame) => frame.type === "presence_state");
    expect(clients).toEqual([{ client_id: expect.any(String), user_id: ada.id, metadata: { name: "Ada" } }]);
    const join = await mine.waitFor((frame) => frame.type === "presence_join");
    expect(join).toMatchObject({ user_id: ben.id, metadata: { name: "Ben" } });
    hers.send({ type: "presence_update", metadata: { name: "Ben", away: true } });
    const update = await mine.waitFor((frame) => frame.type === "presence_update");
    expect(update).toMatchObject({ client_id: join.client_id, metadata: { name: "Ben", away: true } });
    await hers.close();
    const leave = await mine.waitFor((frame) => frame.type === "presence_leave");
    expect(leave).toMatchObject({ client_id: join.client_id, user_id: ben.id });
    expect(silent.frames.filter(({ type }) => type.startsWith("presence"))).toEqual([]);
    await mine.close();
    await silent.close();
  });
});
