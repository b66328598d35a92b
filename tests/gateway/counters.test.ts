import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addServer } from "../support/gateway.ts";
import { type Inbox, inboxOf } from "./stand/approvals.ts";
import { call, decisions, openSession, outcomes, type Told, times } from "./stand/calls.ts";
import {
  answers,
  resultOf,
  sendJson,
  startUpstream,
  textResult,
  toolNamed,
  type Upstream,
} from "./stand/upstream.ts";
import { allowing, type Grant, limitOf, startWorld, type World } from "./stand/world.ts";

let world: World;
let inbox: Inbox;
/** Comes and goes. */
let second: Upstream;
/** Calls that are never answered, from the beginning of the suite on. */
let silent: Grant;
let unanswered: Promise<Told[]>;

beforeAll(async () => {
  const upstream = await startUpstream(
    ["pay", "send", "flaky", "silent", "late"].map((name) => toolNamed(name)),
  );
  second = await startUpstream([toolNamed("flaky")]);
  world = await startWorld({ nodes: 2, upstream, ports: [second.port] });
  inbox = inboxOf(world);
  upstream.on("silent", answers.silence);
  silent = await world.grant(allowing({ silent: { limits: [limitOf("silent", 10)] } }));
  unanswered = Promise.all(
    times(2, (turn) => call(world.at(silent, turn), "silent", {}, { era: turn ? "session" : "stateless" })),
  );
  unanswered.catch(() => {});
});
afterAll(async () => {
  await world?.close();
  await second?.close();
});

/** 64 calls at once, at both nodes in turn. */
const manyAtOnce = (grant: Grant, tool: string, args: (turn: number) => object = () => ({}), options = {}) =>
  Promise.all(times(64, (turn) => call(world.at(grant, turn), tool, args(turn), options)));
const allowed = (told: readonly Told[]) => told.filter(({ outcome }) => outcome === "allow").length;
const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);
/** Counters as they are stored, of all windows. */
const counters = async (like: string): Promise<{ key: string; startMs: number; used: number }[]> => {
  const { rows } = await world.nodes.database.query(
    "select key, window_start, used from ambit.gateway_counters where key like $1 order by key, window_start",
    [like],
  );
  return rows.map(({ key, window_start, used }) => ({
    key,
    startMs: window_start.getTime(),
    used: Number(used),
  }));
};

describe("64 calls at once on two nodes", () => {
  it.each(["minute", "hour", "day"])("admit exactly max of a grant's (window %s)", async (window) => {
    const grant = await world.grant(allowing({ pay: { limits: [limitOf("few", 20, { window })] } }));
    const before = world.upstream.calls("pay").length;
    const startedAt = new Date();
    const told = await manyAtOnce(grant, "pay");
    // The minute may have ended meanwhile: then there was room twice.
    if (window === "minute" && startedAt.getUTCMinutes() !== new Date().getUTCMinutes()) return;
    expect(outcomes(told)).toEqual({ allow: 20, limit: 44 });
    expect(world.upstream.calls("pay").length - before).toBe(20);
    expect(await inbox.used(grant, `few/${window}`)).toBe(20);
    for (const { decision, outcome } of told) {
      if (outcome !== "limit") continue;
      expect(decision.rule).toBe("/tools/pay/limits/few");
      expect(decision.retry_after_s).toBeGreaterThanOrEqual(1);
      expect(decision.retry_after_s).toBeLessThanOrEqual(86_400);
    }
  });

  it("with one place left admit one", async () => {
    const grant = await world.grant(allowing({ pay: { limits: [limitOf("one", 5, { cost: "args.n" })] } }));
    expect((await call(world.at(grant), "pay", { n: 4 })).outcome).toBe("allow");
    expect(outcomes(await manyAtOnce(grant, "pay", () => ({ n: 1 })))).toEqual({ allow: 1, limit: 63 });
    expect(await inbox.used(grant, "one/day")).toBe(5);
  });

  it("and calls that go on coming admit exactly max all together", async () => {
    const grant = await world.grant(allowing({ pay: { limits: [limitOf("many", 400)] } }));
    const callers = times(64, async (caller) => {
      const told: Told[] = [];
      for (const turn of times(9, (n) => n)) told.push(await call(world.at(grant, caller + turn), "pay"));
      return told;
    });
    expect(outcomes((await Promise.all(callers)).flat())).toEqual({ allow: 400, limit: 176 });
    expect(await inbox.used(grant, "many/day")).toBe(400);
  });

  it("count each session by itself, and the grant where there is none", async () => {
    const limits = [limitOf("each", 7, { scope: "session" })];
    const grant = await world.grant(allowing({ pay: { limits } }));
    const [one, other] = [await openSession(world.at(grant)), await openSession(world.at(grant, 1))];
    const told = await Promise.all([
      ...[one, other].map((session) => manyAtOnce(grant, "pay", () => ({}), { session })),
      manyAtOnce(grant, "pay", () => ({}), { era: "stateless" }),
    ]);
    expect(told.map(allowed)).toEqual([7, 7, 7]);
    expect(await inbox.used(grant, "each/day")).toBe(7);
  });

  it("count all grants of a server together, where that is the scope, and each by itself where not", async () => {
    const document = allowing({
      pay: { limits: [limitOf("all", 30, { scope: "server" }), limitOf("own", 25)] },
    });
    const { server_id } = await world.register();
    const grants = await Promise.all(times(3, () => world.grant(document, server_id)));
    const told = await Promise.all(grants.map((grant) => manyAtOnce(grant, "pay")));
    expect(sum(told.map(allowed))).toBe(30);
    expect(Math.max(...told.map(allowed))).toBeLessThanOrEqual(25);
    const own = await Promise.all(grants.map((grant) => inbox.used(grant, "own/day")));
    expect(own, "who is refused for one limit uses nothing of the other").toEqual(told.map(allowed));
    expect((await counters(`server:${server_id}/%`)).map(({ used }) => used)).toEqual([30]);
  });

  it("spend exactly what fits", async () => {
    const limits = [limitOf("spend", 100, { cost: "args.amount" })];
    const grant = await world.grant(allowing({ pay: { limits } }));
    const costOf = (turn: number) => 1 + ((turn * 7) % 11);
    const told = await manyAtOnce(grant, "pay", (turn) => ({ amount: costOf(turn) }));
    const spent = sum(told.map(({ outcome }, turn) => (outcome === "allow" ? costOf(turn) : 0)));
    expect(spent).toBeLessThanOrEqual(100);
    for (const [turn, { outcome }] of told.entries()) {
      if (outcome === "limit")
        expect(spent + costOf(turn), "what was refused did not fit").toBeGreaterThan(100);
    }
    expect(await inbox.used(grant, "spend/day")).toBe(spent);
  });

  it("reserve all of a tool's limits and of all tools', or none", async () => {
    const grant = await world.grant(
      allowing(
        {
          pay: { limits: [limitOf("count", 12), limitOf("spend", 40, { cost: "args.amount" })] },
          send: { limits: [limitOf("count", 12), limitOf("mails", 5, { window: "hour" })] },
        },
        { all_tools: { limits: [limitOf("any", 14), limitOf("any hour", 60, { window: "hour" })] } },
      ),
    );
    const costOf = (turn: number) => 1 + (turn % 9);
    const [paid, sent] = await Promise.all([
      manyAtOnce(grant, "pay", (turn) => ({ amount: costOf(turn) })),
      manyAtOnce(grant, "send"),
    ]);
    const [payments, mails] = [allowed(paid), allowed(sent)];
    const spent = sum(paid.map(({ outcome }, turn) => (outcome === "allow" ? costOf(turn) : 0)));
    const used = Object.fromEntries(
      await Promise.all(
        ["count/day", "spend/day", "mails/hour", "any/day", "any hour/hour"].map(async (name) => [
          name,
          await inbox.used(grant, name),
        ]),
      ),
    );
    const both = payments + mails;
    expect(used).toEqual({
      ...{ "count/day": both, "spend/day": spent, "mails/hour": mails },
      ...{ "any/day": both, "any hour/hour": both },
    });
    expect([both, mails <= 5, spent <= 40]).toEqual([12, true, true]);
  });

  it("refuse what has no cost that can be counted, and count nothing", async () => {
    const limits = [limitOf("spend", 1_000, { cost: "args.amount" }), limitOf("calls", 1_000)];
    const grant = await world.grant(allowing({ pay: { limits } }));
    const odd = [{}, { amount: null }, { amount: "5" }, { amount: -1 }, { amount: 0.5 }, { amount: [5] }];
    const before = world.upstream.calls("pay").length;
    for (const args of [...odd, { amount: 2 ** 53 }, { amount: 1e300 }]) {
      const told = await call(world.at(grant), "pay", args);
      expect([told.outcome, told.decision?.rule]).toEqual(["deny", "/tools/pay/limits/spend"]);
    }
    expect(world.upstream.calls("pay").length).toBe(before);
    expect([await inbox.used(grant, "spend/day"), await inbox.used(grant, "calls/day")]).toEqual([0, 0]);
  });
});

describe("a call that failed", () => {
  const flaky = () =>
    world.grant(
      allowing({ flaky: { limits: [limitOf("tries", 64), limitOf("cost", 640, { cost: "args.n" })] } }),
    );
  const usedOf = async (grant: Grant) => [
    await inbox.used(grant, "tries/day"),
    await inbox.used(grant, "cost/day"),
  ];
  const eight = (grant: Grant, options = {}) =>
    Promise.all(times(8, (turn) => call(world.at(grant, turn), "flaky", { n: 3 }, options)));

  it.each([
    ...[401, 403, 404, 429].map((status) => [`HTTP ${status}`, answers.status(status), true] as const),
    ...[-32_601, -32_602].map((code) => [`JSON-RPC ${code}`, answers.rpcError(code), true] as const),
    ...[500, 502, 503].map((status) => [`HTTP ${status}`, answers.status(status), false] as const),
    ...[-32_603, -32_000].map((code) => [`JSON-RPC ${code}`, answers.rpcError(code), false] as const),
    ["a broken connection", answers.cut, false] as const,
    ["a tool's error", answers.toolError, false] as const,
  ])("with %s", async (_name, answer, givenBack) => {
    const grant = await flaky();
    world.upstream.on("flaky", answer);
    const told = await Promise.all([eight(grant), eight(grant, { era: "stateless" })]);
    for (const each of told.flat()) expect(["error", "allow"], each.text).toContain(each.outcome);
    expect(await usedOf(grant)).toEqual(givenBack ? [0, 0] : [16, 48]);
  });

  it("because the server can't be reached uses nothing", async () => {
    const { port, url } = second;
    const server = await addServer(world.staff.owner.api, { transport: "http", url });
    const grant = await world.grant(allowing({ flaky: { limits: [limitOf("tries", 5)] } }), server.server_id);
    for (const node of [0, 1]) expect((await call(world.at(grant, node), "flaky")).outcome).toBe("allow");
    await second.close();
    for (const _ of [1, 2, 3]) {
      const told = await Promise.all(times(3, (turn) => call(world.at(grant, turn), "flaky")));
      expect(outcomes(told)).toEqual({ error: 3 });
    }
    expect(await inbox.used(grant, "tries/day")).toBe(2);
    second = await startUpstream([toolNamed("flaky")], port);
    expect(outcomes(await manyAtOnce(grant, "flaky"))).toEqual({ allow: 3, limit: 61 });
  });

  it("because its client went away stays counted", async () => {
    const grant = await flaky();
    world.upstream.on("flaky", answers.silence);
    const before = world.upstream.calls("flaky").length;
    const leaving = new AbortController();
    const gone = call(world.at(grant), "flaky", { n: 3 }, { signal: leaving.signal }).catch(() => "gone");
    while (world.upstream.calls("flaky").length === before) await sleep(5);
    leaving.abort();
    expect(await gone).toBe("gone");
    await sleep(1_500);
    expect(await usedOf(grant)).toEqual([1, 3]);
  });
});

describe("the edge of a window", () => {
  it("every window admits max, and no window more", async () => {
    const sugar = { pay: { rate_limit: { max: 5, window: 1 } } };
    const grant = await world.grant({ version: "1", default: "deny", tools: sugar });
    const told: Told[] = [];
    const until = Date.now() + 4_200;
    for (let turn = 0; Date.now() < until; turn++) {
      told.push(...(await Promise.all(times(4, (each) => call(world.at(grant, turn + each), "pay")))));
      await sleep(20);
    }
    const stored = await counters(`grant:${grant.grant_id}/%`);
    expect(stored.every(({ startMs }) => startMs % 1_000 === 0)).toBe(true);
    expect(stored.every(({ used }) => used <= 5)).toBe(true);
    expect(
      stored.slice(1, -1).map(({ used }) => used),
      "windows that were there from edge to edge",
    ).toEqual(stored.slice(1, -1).map(() => 5));
    expect(stored.length).toBeGreaterThanOrEqual(4);
    expect(sum(stored.map(({ used }) => used))).toBe(allowed(told));
  });

  it("what is given back late goes into the window it came from, and makes no room in the present one", async () => {
    const sugar = { late: { rate_limit: { max: 3, window: 2 } } };
    const grant = await world.grant({ version: "1", default: "deny", tools: sugar });
    const fail: (() => void)[] = [];
    world.upstream.on("late", (arrival, response) => {
      if (arrival.args.fails) fail.push(() => answers.status(404)(arrival, response));
      else sendJson(response, resultOf(arrival, textResult("in time")));
    });
    await sleep(2_000 - (Date.now() % 2_000) + 30);
    const early = times(3, () => call(world.at(grant), "late", { fails: true }));
    while (fail.length < 3) await sleep(5);
    await sleep(2_000 - (Date.now() % 2_000) + 30);
    const now = await Promise.all(times(3, (turn) => call(world.at(grant, turn), "late")));
    for (const answer of fail) answer();
    await Promise.all(early);
    const more = await Promise.all(times(3, (turn) => call(world.at(grant, turn), "late")));
    expect([allowed(now), outcomes(more)]).toEqual([3, { limit: 3 }]);
    expect((await counters(`grant:${grant.grant_id}/%`)).map(({ used }) => used)).toEqual([0, 3]);
  });
});

describe("while counters can't be asked", () => {
  it("limited calls are denied and never sent, all others go on; afterwards all the room is there", async () => {
    const limits = [limitOf("few", 8)];
    const grant = await world.grant(allowing({ pay: { limits } }));
    expect((await call(world.at(grant), "pay")).outcome).toBe("allow");
    expect((await call(world.at(grant, 1), "send")).outcome).toBe("allow");
    const before = world.upstream.calls("pay").length;
    const holder = await world.nodes.database.connect();
    try {
      await holder.query("begin");
      await holder.query("lock table ambit.gateway_counters in access exclusive mode");
      const [limited, others] = await Promise.all([
        Promise.all(times(16, (turn) => call(world.at(grant, turn), "pay"))),
        Promise.all(times(16, (turn) => call(world.at(grant, turn), "send"))),
      ]);
      expect([outcomes(limited), outcomes(others)]).toEqual([{ deny: 16 }, { allow: 16 }]);
      for (const { decision, text } of limited) {
        expect(decision.rule).toBe("/tools/pay/limits/few");
        expect(text).toContain("can't be counted");
      }
    } finally {
      await holder.query("rollback");
      holder.release();
    }
    expect(world.upstream.calls("pay").length).toBe(before);
    await expect.poll(() => inbox.used(grant, "few/day"), { timeout: 5_000 }).toBe(1);
    expect(outcomes(await manyAtOnce(grant, "pay"))).toEqual({ allow: 7, limit: 57 });
    const rows = await decisions(world.staff.owner.api, `&grant_id=${grant.grant_id}&outcome=deny`);
    expect(rows).toHaveLength(16);
  });
});

it("what was sent and never answered stays counted", { timeout: 90_000 }, async () => {
  const told = await unanswered;
  expect(outcomes(told)).toEqual({ error: 2 });
  for (const each of told) expect(each.text).toContain("timeout");
  expect(await inbox.used(silent, "silent/day")).toBe(2);
  const rows = await decisions(world.staff.owner.api, `&grant_id=${silent.grant_id}&outcome=error`);
  expect(rows).toHaveLength(2);
});
