import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decide } from "@ambit/policy";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tablesWith } from "../ledger/secrets.ts";
import { exportOf, Witness } from "../ledger/stand.ts";
import { eventually } from "../support/actors.ts";
import { apiAs } from "../support/api.ts";
import { must } from "../support/app.ts";
import { type Inbox, inboxOf } from "./stand/approvals.ts";
import { ask, call, decisions, openSession, type Told, times } from "./stand/calls.ts";
import { Dice, SEED } from "./stand/dice.ts";
import { listen } from "./stand/streams.ts";
import { answers, startUpstream, toolNamed } from "./stand/upstream.ts";
import { ASKS, allowing, type Grant, limitOf, startWorld, type World } from "./stand/world.ts";

let world: World;
let inbox: Inbox;
let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "ambit-log-"));
  const upstream = await startUpstream(
    ["echo", "pay", "hidden", "fails", "other"].map((name) => toolNamed(name)),
  );
  upstream.on("fails", answers.status(502));
  world = await startWorld({ upstream });
  inbox = inboxOf(world);
});
afterAll(async () => {
  await world?.close();
  await rm(directory, { recursive: true, force: true });
});

const owner = () => world.staff.owner.api;
const POLICY = allowing(
  { pay: { ...ASKS, limits: [limitOf("pay", 2)] }, echo: { limits: [limitOf("echo", 3)] } },
  { hide: ["hidden"] },
);
const rowsOf = (grant: Grant) => decisions(owner(), `&grant_id=${grant.grant_id}`);
const post = async (at: { url: string; token: string }, body: string, headers: object = {}) => {
  const response = await fetch(at.url, {
    ...{ method: "POST", body },
    headers: { "content-type": "application/json", authorization: `Bearer ${at.token}`, ...headers },
  });
  await response.text();
  return response.headers.get("x-request-id")!;
};

describe("one line for each authenticated request", () => {
  it("with all that is to be known of it, and how it ended", async () => {
    const grant = await world.grant(POLICY);
    const at = world.at(grant);
    const told: Record<string, string> = {};
    const note = (name: string, { requestId }: Told) => {
      told[requestId] = name;
    };
    note("allow", await call(at, "echo", { zebra: 1, apple: { deep: 1 }, Mango: [2] }));
    note("deny", await call(at, "hidden", { b: 1, a: 2 }));
    note("hold", await call(at, "pay", { amount: 1 }));
    note("failed", await call(at, "fails", {}, { era: "stateless" }));
    note("allow 2", await call(at, "echo"));
    note("allow 3", await call(at, "echo"));
    note("limit", await call(at, "echo", { late: true }));
    note("list", await ask(at, "tools/list", {}));
    note("ping", await ask(at, "ping", {}));
    told[await post(at, '{"jsonrpc":"2.0","method":"notifications/initialized"}')] = "notification";
    told[await post(at, '[{"jsonrpc":"2.0","id":1,"method":"ping"}]')] = "batch";
    told[await post(at, '{"jsonrpc":"2.0","id":1,"method":"ping"')] = "cut";
    told[await post(at, "{}", { "content-type": "text/plain" })] = "no json";
    const session = await openSession(at);
    const stream = await listen(at);
    stream.cancel();
    told[
      await post(at, '{"jsonrpc":"2.0","id":1,"method":"ping"}', { "mcp-session-id": session.slice(0, -9) })
    ] = "no session";
    const rows = await eventually(async () => {
      const found = await rowsOf(grant);
      const open = found.filter(
        ({ tool, outcome, latency_ms }) => tool !== null && outcome === "allow" && latency_ms === null,
      );
      return open.length === 0 && found;
    }, "the ends of all calls to be written");
    const policy = { policy_id: grant.policy_id, policy_version: 1 };
    const common = { ...policy, grant_id: grant.grant_id, server_id: grant.server_id };
    for (const row of rows) {
      expect(row).toMatchObject(common);
      expect(Math.abs(Date.parse(row.at) - Date.now())).toBeLessThan(30_000);
      expect(row.grant_label).toMatch(/^grant \d+$/);
    }
    const of = (name: string) => rows.filter(({ request_id }) => told[request_id] === name);
    const call_ = { method: "tools/call", approval_id: null, problem: null };
    const none = { upstream_status: null, latency_ms: null };
    const ended = { upstream_status: 200, latency_ms: expect.any(Number) };
    expect(of("allow")).toMatchObject([
      {
        ...call_,
        ...ended,
        tool: "echo",
        outcome: "allow",
        rule: "",
        message: null,
        argument_keys: ["Mango", "apple", "zebra"],
      },
    ]);
    expect(of("deny")).toMatchObject([
      { ...call_, ...none, tool: "hidden", outcome: "deny", rule: "(hidden)", argument_keys: ["a", "b"] },
    ]);
    expect(of("hold")).toMatchObject([
      {
        ...{ ...call_, ...none, tool: "pay", outcome: "hold", rule: "/tools/pay/approve_if/0" },
        ...{
          message: "somebody should look",
          argument_keys: ["amount"],
          approval_id: expect.stringMatching(/^apr_/),
        },
      },
    ]);
    expect(of("limit")).toMatchObject([
      {
        ...call_,
        ...none,
        tool: "echo",
        outcome: "limit",
        rule: "/tools/echo/limits/echo",
        argument_keys: ["late"],
      },
    ]);
    // Of one that was let through and failed there is a second line, which was there before its answer.
    // Both may be on their way to the database at once: which of them got its place first is not said.
    const failed = of("failed").sort((one, other) => (one.outcome < other.outcome ? -1 : 1));
    expect(failed.map(({ outcome }) => outcome)).toEqual(["allow", "error"]);
    expect(failed[0]).toMatchObject({ upstream_status: 502, problem: "refused" });
    expect(failed[1]!.message).toContain("HTTP 502");
    for (const [name, method, outcome, rule] of [
      ["list", "tools/list", "allow", ""],
      ["ping", "ping", "allow", ""],
      ["notification", "notifications/initialized", "allow", ""],
      ["batch", null, "error", "(malformed)"],
      ["cut", null, "error", "(malformed)"],
      ["no json", null, "error", "(malformed)"],
      ["no session", "ping", "error", "(no session)"],
    ] as const) {
      expect([name, of(name)]).toMatchObject([
        name,
        [{ method, outcome, rule, tool: null, argument_keys: null }],
      ]);
    }
    const others = rows
      .filter(({ request_id }) => told[request_id] === undefined)
      .map(({ method }) => method);
    expect(others.sort()).toEqual(["(listen)", "initialize", "initialize"]);
    // Newest first, a page at a time, without one missing or twice.
    const paged: any[] = [];
    for (let before = ""; ; ) {
      const page = must(
        await owner()("GET", `/v1/gateway/decisions?grant_id=${grant.grant_id}&limit=3${before}`),
      );
      paged.push(...page.decisions);
      if (page.next_before === null) break;
      before = `&before=${page.next_before}`;
    }
    expect(paged.map(({ decision_id }) => decision_id)).toEqual(rows.map(({ decision_id }) => decision_id));
    const ids = rows.map(({ decision_id }) => decision_id);
    expect(ids).toEqual([...ids].sort().reverse());
  });

  it("which is written before the answer leaves, whatever the outcome", async () => {
    const grant = await world.grant(POLICY);
    const at = world.at(grant);
    const held = await call(at, "pay", { n: 0 });
    must(await inbox.decide(held.decision.approval_id, "approve"));
    for (const _ of times(3, () => 0)) expect((await call(at, "echo")).outcome).toBe("allow");
    expect((await call(at, "pay", { n: 0 })).outcome).toBe("allow");
    const before = world.upstream.calls("other").length;
    const kinds: [string, () => Promise<Told>][] = [
      ["allow", () => call(at, "other")],
      ["allow", () => call(at, "other", {}, { era: "stateless" })],
      ["deny", () => call(at, "hidden")],
      ["limit", () => call(at, "echo")],
      ["hold", () => call(at, "pay", { n: 1 })],
      ["replay", () => call(at, "pay", { n: 0 })],
      ["error", () => call(at, "fails")],
      ["error", () => call(at, "pay", { n: 0 }, { requestState: "ambit.forged" })],
      ["error", () => ask(at, "tools/call", { name: 7 })],
      ["allow", () => ask(at, "tools/list", {})],
    ];
    const answered: Told[] = [];
    const holder = await world.nodes.database.connect();
    let asked: Promise<Told>[];
    try {
      await holder.query("begin; lock table ambit.ledger_entries in access exclusive mode");
      asked = kinds.map(async ([, make]) => {
        const told = await make();
        answered.push(told);
        return told;
      });
      await eventually(
        () => world.upstream.calls("other").length === before + 2,
        "what is allowed to be on its way",
      );
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(answered.map(({ text }) => text)).toEqual([]);
    } finally {
      await holder.query("rollback");
      holder.release();
    }
    const told = await Promise.all(asked);
    expect(told.map(({ outcome }) => outcome)).toEqual(kinds.map(([outcome]) => outcome));
    const ids = new Set((await rowsOf(grant)).map(({ request_id }) => request_id));
    for (const { requestId } of told) expect(ids).toContain(requestId);
  });

  it("and none for whoever is not let in", async () => {
    const grant = await world.grant(POLICY);
    const other = await world.grant(POLICY, (await world.register()).server_id);
    const revoked = await world.grant(POLICY);
    must(await owner()("DELETE", `/v1/gateway/grants/${revoked.grant_id}`));
    const count = async () =>
      Number(
        (
          await world.nodes.database.query(
            "select count(*) from ambit.ledger_entries where kind like 'gateway.%'",
          )
        ).rows[0].count,
      );
    expect((await call(world.at(grant), "echo")).outcome).toBe("allow");
    await eventually(async () => (await rowsOf(grant))[0].latency_ms !== null, "its end to be written");
    const before = [await count(), world.upstream.arrivals.length];
    const at = world.at(grant);
    const tokens = ["", "x", "amb_gr_", `${grant.token}x`, grant.token.slice(0, -1), world.staff.owner.key];
    for (const token of [...tokens, world.staff.agents[0]!.key, other.token, revoked.token]) {
      for (const method of ["tools/call", "initialize"]) {
        const told = await ask({ ...at, token }, method, { name: "echo", arguments: {} });
        expect([told.status, told.headers.get("www-authenticate") !== null]).toEqual([401, true]);
      }
    }
    const bare = await fetch(at.url, { method: "POST", body: "{}" });
    expect(bare.status).toBe(401);
    expect([await count(), world.upstream.arrivals.length]).toEqual(before);
  });
});

describe("values of arguments", () => {
  let planted = 0;
  const secret = (name: string) => `zq${name}${++planted}x${Math.random().toString(36).slice(2)}`;
  /** Calls of every outcome, each with a value of its own; and those values. */
  async function callsWith(grant: Grant): Promise<string[]> {
    const all: string[] = [];
    const make = async (tool: string, outcome: string) => {
      const value = secret(outcome);
      all.push(value);
      const told = await call(world.at(grant), tool, { value, deep: [{ value }], amount: 1 });
      expect([tool, told.outcome]).toEqual([tool, outcome]);
      return told;
    };
    for (const tool of ["echo", "echo", "echo"]) await make(tool, "allow");
    await make("echo", "limit");
    await make("hidden", "deny");
    await make("fails", "error");
    const { decision } = await make("pay", "hold");
    await make("pay", "hold");
    must(await inbox.decide(decision.approval_id, "approve"));
    const value = all.at(-2)!;
    const run = await call(world.at(grant), "pay", { value, deep: [{ value }], amount: 1 });
    expect(run.outcome).toBe("allow");
    return all;
  }
  const found = async (values: readonly string[]) => {
    const places: string[] = [];
    for (const value of values) {
      const tables = await tablesWith(world.nodes.database as unknown as pg.Client, value);
      places.push(...tables.map((table) => `${table} ${value}`));
    }
    return places;
  };

  it("are nowhere in the database, the log, the exports or what the server prints", async () => {
    const grant = await world.grant(POLICY);
    const values = await callsWith(grant);
    const log = JSON.stringify(await rowsOf(grant));
    const exported = String(
      must(await owner()("GET", `/v1/gateway/decisions/export?grant_id=${grant.grant_id}`)),
    );
    const { entries } = must(await owner()("GET", `/v1/ledger/entries?subject=${grant.grant_id}&limit=100`));
    for (const value of values) {
      for (const text of [log, exported, JSON.stringify(entries), world.nodes.server.output()]) {
        expect(text).not.toContain(value);
      }
    }
    const lines = exported
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.at(-1)).toEqual({ type: "end", decisions: lines.length - 1 });
    expect(lines.slice(0, -1).map(({ decision_id }) => decision_id)).toEqual(
      JSON.parse(log).map((row: any) => row.decision_id),
    );
    expect(await found(values)).toEqual([]);
  });

  it("are kept where a person asked for that, and then sealed", async () => {
    const { server_id } = await world.register({ capture_values: true });
    const grant = await world.grant(POLICY, server_id);
    const values = await callsWith(grant);
    const log = JSON.stringify(await rowsOf(grant));
    const exported = String(
      must(await owner()("GET", `/v1/gateway/decisions/export?grant_id=${grant.grant_id}`)),
    );
    for (const value of values) for (const text of [log, exported]) expect(text).not.toContain(value);
    expect(await found(values)).toEqual([]);
  });
});

describe("the ledger", () => {
  it("has all of it, and verifies by itself", async () => {
    const grant = await world.grant(POLICY);
    const told = [await call(world.at(grant), "echo"), await call(world.at(grant), "hidden")];
    const { public_key } = must(await owner()("GET", "/v1/ledger/key"));
    const witness = new Witness(directory, public_key);
    const text = await exportOf(world.nodes.server, { key: world.staff.owner.key } as never);
    const { lines, code } = await witness.verify(text);
    expect([code, lines.at(-1)?.startsWith("NOT")]).toEqual([0, false]);
    for (const { requestId } of told) expect(text).toContain(requestId);
    const row = text.split("\n").findIndex((line) => line.includes(told[1]!.requestId));
    const forged = text.split("\n");
    forged[row] = forged[row]!.replace("gateway.deny", "gateway.allow");
    expect((await witness.verify(forged.join("\n"))).code).toBe(1);
  });

  it("shows nothing of it to another organisation", async () => {
    const grant = await world.grant(POLICY);
    const told = await call(world.at(grant), "hidden", { argumentname: 1 });
    const stranger = world.nodes.owner;
    const [row] = await rowsOf(grant);
    expect(row.request_id).toBe(told.requestId);
    for (const query of [
      "",
      `&grant_id=${grant.grant_id}`,
      `&server_id=${grant.server_id}`,
      `&tool=hidden`,
    ]) {
      expect(await decisions(stranger, query)).toEqual([]);
    }
    const exports = ["/v1/gateway/decisions/export", "/v1/ledger/export"];
    for (const path of exports) {
      const text = String(must(await stranger("GET", path)));
      for (const mine of [told.requestId, grant.grant_id, grant.server_id, "argumentname"])
        expect(text).not.toContain(mine);
    }
    expect(must(await stranger("GET", `/v1/ledger/entries?subject=${grant.grant_id}`)).entries).toEqual([]);
    expect((await stranger("GET", `/v1/ledger/entries/${row.decision_id}`)).status).toBe(404);
    const nobody = apiAs(world.urls()[0]!, null);
    for (const path of ["/v1/gateway/decisions", ...exports])
      expect((await nobody("GET", path)).status).toBe(401);
  });
});

describe("judging again", () => {
  const document = {
    version: "1",
    default: "deny",
    hide: ["hidden"],
    all_tools: { limits: [limitOf("all", 45)] },
    tools: {
      echo: {
        deny_if: [{ conditions: [{ path: "args.amount", op: "gt", value: 80 }], on_deny: "too much" }],
        limits: [limitOf("spend", 500, { cost: "args.amount" })],
      },
      pay: {
        require: [{ conditions: [{ path: "args.to", op: "regex", value: "^[a-z]+$" }] }],
        approve_if: [{ conditions: [{ path: "args.amount", op: "gte", value: 60 }] }],
        limits: [limitOf("pay", 20)],
      },
    },
  };

  it(`simulate and replay give what the live gateway gave (seed ${SEED})`, async () => {
    const dice = new Dice(SEED);
    const { server_id } = await world.register({ capture_values: true });
    const grant = await world.grant(document, server_id);
    const from = new Date(Date.now() - 1_000).toISOString();
    const made: { tool: string; arguments: object; told: Told }[] = [];
    for (const n of times(90, (turn) => turn)) {
      const tool = dice.pick(["echo", "echo", "pay", "pay", "hidden", "nothing"]);
      const args = {
        ...{ n, amount: dice.pick([1, 10, 59, 60, 79, 80, 81, 200, "81", null, 2.5]) },
        ...{ to: dice.pick(["bob", "Bob", "", 7]) },
      };
      const told = await call(world.at(grant), tool, args, {
        era: dice.pick(["session", "stateless"] as const),
      });
      made.push({ tool, arguments: args, told });
    }
    const live = made.map(({ told }) => told.outcome);
    expect(new Set(live)).toEqual(new Set(["allow", "deny", "limit", "hold"]));
    const simulate = (body: object) =>
      owner()("POST", "/v1/gateway/policies/simulate", { server_id, ...body });

    const calls = made.map(({ tool, arguments: args }) => ({
      tool,
      arguments: args,
      grant_id: grant.grant_id,
    }));
    const given = must(await simulate({ document, calls }));
    expect(given.results.map(({ outcome }: any) => outcome)).toEqual(live);
    expect(given.changed).toEqual([]);
    const rules = made.map(({ told }) => told.decision?.rule ?? "");
    expect(given.results.map(({ rule }: any) => rule)).toEqual(rules);

    const again = must(await owner()("POST", "/v1/gateway/policies/replay", { server_id, from }));
    expect([again.judged, again.changed]).toEqual([made.length, []]);
    const stored = must(await simulate({ document, from }));
    expect([stored.judged, stored.changed]).toEqual([made.length, []]);

    const candidate = { ...document, hide: [], tools: { ...document.tools, echo: {}, pay: {} } };
    const counters = new Map<string, number>();
    const expected = made.map(({ tool, arguments: args }) => {
      const asked = {
        tool,
        args,
        grantId: grant.grant_id,
        sessionId: null,
        serverId: server_id,
        tool_state: "approved",
      };
      const decision = decide(
        candidate as never,
        asked as never,
        ({ key }) => counters.get(key) ?? 0,
        Date.now(),
      );
      for (const { key, cost } of decision.reservations) counters.set(key, (counters.get(key) ?? 0) + cost);
      return decision.outcome;
    });
    const rows = (await rowsOf(grant)).reverse().map(({ decision_id }) => decision_id);
    const other = must(await simulate({ document: candidate, from }));
    expect(
      other.changed.map(({ decision_id, before, after }: any) => [
        decision_id,
        before.outcome,
        after.outcome,
      ]),
    ).toEqual(made.flatMap((_, n) => (expected[n] === live[n] ? [] : [[rows[n], live[n], expected[n]]])));
    expect(await rowsOf(grant), "none of it was a decision").toHaveLength(made.length);
  });
});
