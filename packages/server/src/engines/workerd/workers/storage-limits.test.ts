import { afterAll, beforeAll, expect, it } from "vitest";
import { actorProgram } from "../config/testing/program.ts";
import { type Running, run, stopAll } from "../config/testing/run.ts";

const MB2 = 2 * 1024 * 1024;
/** Runs an expression with `s` the storage; gives what it threw, or "ok". */
const lab = `import { DurableObject } from "cloudflare:workers";
const tries = {
  string: (s) => s.put("k", "x".repeat(${MB2 - 1})), stringOver: (s) => s.put("k", "x".repeat(${MB2})),
  wide: (s) => s.put("k", "é✓".repeat(${MB2 / 4 - 10})), wideOver: (s) => s.put("k", "é✓".repeat(${MB2 / 4})),
  keyOver: (s) => s.put("k".repeat(${MB2}), true), longKey: (s) => s.put("k".repeat(3000), 1),
  keyAndValue: (s) => s.put("k".repeat(1048576), "v".repeat(1048577)),
  bytes: (s) => s.put("k", new Uint8Array(${MB2 - 1})), bytesOver: (s) => s.put("k", new Uint8Array(${MB2})),
  object: (s) => s.put("k", { list: Array(1000).fill({ text: "x".repeat(500) }) }),
  deep: (s) => s.put("k", { a: [new Map([["x", { text: ["x".repeat(1500000), "x".repeat(700000)] }]])] }),
  same: (s) => { const big = { text: "x".repeat(1500000) }; return s.put("k", [big, big]); },
  cycle: (s) => { const c = {}; c.c = c; return s.put("k", c); },
  many: (s) => s.put({ a: 1, b: "x".repeat(${MB2}) }),
  options: (s) => s.put("k", 1, { allowUnconfirmed: true }),
  kv: (s) => s.kv.put("k", "x".repeat(${MB2})), kvFits: (s) => s.kv.put("k", "x"),
  txn: (s) => s.transaction((t) => t.put("k", "x".repeat(${MB2}))), txnFits: (s) => s.transaction((t) => t.put("k", 1)),
  sql: (s) => s.sql.exec("select ?", "x".repeat(${MB2})).toArray(), sqlOver: (s) => s.sql.exec("select ?", "x".repeat(${MB2 + 1})),
  blob: (s) => s.sql.exec("select ?", new ArrayBuffer(${MB2 + 1})), wideSql: (s) => s.sql.exec("select ?", "é".repeat(${MB2 / 2 + 1})),
  params: (s) => s.sql.exec("select 1 in (" + Array(100).fill("?") + ")", ...Array(100).fill(1)).toArray(),
  paramsOver: (s) => s.sql.exec("select 1 in (" + Array(101).fill("?") + ")", ...Array(101).fill(1)),
  statement: (s) => s.sql.exec("select '" + "x".repeat(100000) + "'"),
  columns: (s) => s.sql.exec("create table c (" + Array.from({ length: 101 }, (_, i) => "c" + i) + ")"),
  none: (s) => s.put(), noValue: (s) => s.put("k", undefined), symbol: (s) => s.put("k", Symbol("x")),
  shape: (s) => { const f = s.put; throw new Error([f.name, s.sql.exec.name, s.constructor.name, Object.keys(s).sort().join("+"), "put" in s].join()); },
};
export class Lab extends DurableObject {
  async fetch(request) {
    try { await tries[new URL(request.url).pathname.split("/")[4]](this.ctx.storage); return new Response("ok"); }
    catch (error) { return new Response(error.name + ": " + error.message); }
  }
}`;

let running: Running;
beforeAll(async () => {
  running = await run(actorProgram({ lab }));
});
afterAll(stopAll);

const combined = /^RangeError: Key and value combined cannot be larger than 2097152 bytes/;
const tooBig = /^Error: string or blob too big.*2097152.*SQLITE_TOOBIG/;

it.each<[string, string | RegExp]>([
  ...[
    "string",
    "wide",
    "bytes",
    "object",
    "same",
    "cycle",
    "options",
    "longKey",
    "kvFits",
    "txnFits",
    "sql",
    "params",
  ].map((fits): [string, string] => [fits, "ok"]),
  ...["stringOver", "wideOver", "keyOver", "keyAndValue", "bytesOver", "deep", "many", "kv", "txn"].map(
    (over): [string, RegExp] => [over, combined],
  ),
  ["sqlOver", tooBig],
  ["blob", tooBig],
  ["wideSql", tooBig],
  ["paramsOver", /too many SQL variables: 101 bound, the limit is 100/],
  ["statement", /SQLITE_TOOBIG/],
  ["columns", /too many columns/],
  ["none", /TypeError|Error/],
  ["noValue", /undefined/],
  ["symbol", /DataCloneError/],
  ["shape", "Error: put,exec,DurableObjectStorage,kv+sql,true"],
])("%s", async (name, result) => {
  const { body } = await running.actor(`/_do/lab/x/${name}`);
  if (typeof result === "string") expect(body).toBe(result);
  else expect(body).toMatch(result);
});
