import { afterAll, beforeAll, expect, it } from "vitest";
import { actorProgram } from "../config/testing/program.ts";
import { type Running, run, stopAll } from "../config/testing/run.ts";
import type { Inspection } from "../types.ts";

const store = `import { DurableObject } from "cloudflare:workers";
export class Store extends DurableObject {
  async fetch(request) {
    if (request.method === "REPORT") return new Response("user code");
    const cycle = { name: "round" }; cycle.self = cycle;
    const shared = [1];
    await this.ctx.storage.put({
      date: new Date(0), map: new Map([["a", { n: 1n }]]), set: new Set([1, "2"]), bytes: new Uint8Array([1, 2, 255]),
      buffer: new Uint8Array([7]).buffer, floats: new Float64Array([1.5]), view: new DataView(new ArrayBuffer(2)),
      big: 2n ** 70n, nothing: { inside: undefined }, nil: null, nan: NaN, zero: -0, cycle, shared: [shared, shared],
      tagged: { $type: "Date", value: "mine" }, regexp: /a+/gi, error: new RangeError("bad"), nested: { a: [{ b: "é" }] },
    });
    await this.ctx.storage.setAlarm(4102444800000);
    this.ctx.storage.sql.exec("create table t (id integer primary key, name text, data blob)");
    for (let i = 0; i < 5; i++) this.ctx.storage.sql.exec("insert into t values (?, ?, ?)", i, "n" + i, new Uint8Array([i]).buffer);
    return new Response(this.ctx.id.toString());
  }
  alarm() {}
}`;

let running: Running;
let id: string;
beforeAll(async () => {
  running = await run(actorProgram({ store }));
  id = (await running.actor("/_do/store/one", { headers: { "x-butterbase-caller-type": "service_key" } }))
    .body;
  expect(id).toMatch(/^[0-9a-f]{64}$/);
});
afterAll(stopAll);

const inspect = async (inspection: Inspection) => (await running.inspect("store", "one", inspection)).json();

it("lists and gets values in forms that lose nothing", async () => {
  const { entries, hasMore } = await inspect({ op: "kv_list", limit: 100 });
  expect(hasMore).toBe(false);
  const values = Object.fromEntries(entries.map((entry: any) => [entry.key, entry.value]));
  expect(values).toMatchObject({
    date: { $type: "Date", value: "1970-01-01T00:00:00.000Z" },
    map: { $type: "Map", value: [["a", { n: { $type: "BigInt", value: "1" } }]] },
    set: { $type: "Set", value: [1, "2"] },
    bytes: { $type: "Uint8Array", value: "AQL/" },
    buffer: { $type: "ArrayBuffer", value: "Bw==" },
    view: { $type: "DataView", value: "AAA=" },
    big: { $type: "BigInt", value: String(2n ** 70n) },
    nothing: { inside: { $type: "Undefined" } },
    nil: null,
    nan: { $type: "Number", value: "NaN" },
    zero: { $type: "Number", value: "-0" },
    cycle: { name: "round", self: { $type: "Cycle" } },
    shared: [[1], [1]],
    tagged: { $type: "Object", value: { $type: "Date", value: "mine" } },
    regexp: { $type: "RegExp", value: "a+", flags: "gi" },
    error: { $type: "Error", name: "RangeError", value: "bad" },
    nested: { a: [{ b: "é" }] },
  });
  expect(await inspect({ op: "kv_get", key: "nil" })).toEqual({ found: true, value: null });
  expect(await inspect({ op: "kv_get", key: "none" })).toEqual({ found: false });
});

it("pages through keys", async () => {
  const page = await inspect({ op: "kv_list", prefix: "n", limit: 2 });
  expect([page.entries.map((entry: any) => entry.key), page.hasMore]).toEqual([["nan", "nested"], true]);
  const rest = await inspect({ op: "kv_list", prefix: "n", start: "nil", limit: 9 });
  expect([rest.entries.map((entry: any) => entry.key), rest.hasMore]).toEqual([["nil", "nothing"], false]);
});

it("writes back what it renders", async () => {
  const { entries } = await inspect({ op: "kv_list", limit: 100 });
  for (const { key, value } of entries.filter((entry: any) => entry.key !== "cycle")) {
    expect(await inspect({ op: "kv_put", key: `copy`, value })).toEqual({ stored: true });
    const copy = (await inspect({ op: "kv_get", key: "copy" })).value;
    if (key === "error") expect(copy).toMatchObject({ $type: "Error", value: "bad" });
    else expect([key, copy]).toEqual([key, value]);
  }
  expect(await inspect({ op: "kv_delete", key: "copy" })).toEqual({ deleted: true });
  expect(await inspect({ op: "kv_delete", key: "copy" })).toEqual({ deleted: false });
});

it("runs SQL with parameters and a limit of rows", async () => {
  const sql = "select id, name, data from t where id >= ? order by id";
  expect(await inspect({ op: "sql", sql, params: [1], limit: 2 })).toMatchObject({
    columns: ["id", "name", "data"],
    rows: [
      [1, "n1", { $type: "ArrayBuffer", value: "AQ==" }],
      [2, "n2", { $type: "ArrayBuffer", value: "Ag==" }],
    ],
    truncated: true,
  });
  const wide = await inspect({
    op: "sql",
    sql: "select * from t a join t b using (id) where id = 0",
    params: [],
    limit: 9,
  });
  expect(wide).toMatchObject({ truncated: false, rows: [[0, "n0", {}, "n0", {}]] });
  const write = { op: "sql", sql: "update t set name = ? where id = 3", params: ["new"], limit: 1 } as const;
  expect(await inspect(write)).toMatchObject({ rows: [], rowsWritten: 1 });
});

it("tells the alarm, and finds instances by id", async () => {
  expect(await inspect({ op: "alarm" })).toEqual({ atMs: 4102444800000 });
  const path = (given: string) => `/_ambit/inspect/store/id/${given}`;
  const body = JSON.stringify({ op: "alarm" });
  expect((await running.actor(path(id), { method: "POST", body })).json()).toEqual({ atMs: 4102444800000 });
  expect((await running.actor(path("ab"), { method: "POST", body })).status).toBe(400);
  expect((await running.actor("/_ambit/inspect/nope/name/x", { method: "POST", body })).status).toBe(404);
});

it.each<[string, any, string]>([
  ["a wrong statement", { op: "sql", sql: "selec 1", params: [], limit: 1 }, "syntax error"],
  ["workerd's own tables", { op: "sql", sql: 'select * from "_cf_KV"', params: [], limit: 1 }, "_cf_"],
  ["an unknown operation", { op: "constructor" }, "constructor"],
  ["a form that is no value", { op: "kv_put", key: "k", value: { $type: "Window" } }, "Window"],
])("refuses %s and says why", async (_what, inspection, message) => {
  const answer = await running.inspect("store", "one", inspection);
  expect(answer.status).toBe(400);
  expect(answer.json().error).toMatchObject({
    code: "INSPECTION_FAILED",
    message: expect.stringContaining(message),
  });
});

it("answers nobody who does not know the process's secret", async () => {
  const headers = { "x-ambit-inspect": "x" };
  const sent = { method: "REPORT", headers, body: JSON.stringify({ op: "alarm" }) };
  expect((await running.actor("/_do/store/one", sent)).body).toBe("user code");
});
