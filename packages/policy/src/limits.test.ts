import { describe, expect, it } from "vitest";
import { compile } from "./compile.ts";
import { grantCounters } from "./counters.ts";
import { decide } from "./decide.ts";
import { callOf, decideFresh, documentOf, NOW_MS, said } from "./testing/helpers.ts";
import type { Json, PolicyCall, Reservation } from "./types.ts";

const limit = (rest: object = {}) =>
  ({ counter: "c", window: "minute", max: 3, scope: "grant", ...rest }) as Json;
const withLimits = (...all: Json[]) => compile(documentOf({ t: { limits: all } }));
const reserved = (rest: object, call: Partial<PolicyCall> = {}, nowMs = NOW_MS) =>
  decide(withLimits(limit(rest)), callOf("t", {}, call), () => 0, nowMs).reservations[0]!;

describe("windows", () => {
  it.each([
    ["minute", "2026-03-04T05:06:00.000Z", "2026-03-04T05:07:00.000Z"],
    ["hour", "2026-03-04T05:00:00.000Z", "2026-03-04T06:00:00.000Z"],
    ["day", "2026-03-04T00:00:00.000Z", "2026-03-05T00:00:00.000Z"],
  ])("%s is the calendar's, in UTC", (window, start, end) => {
    const { windowStartMs, windowEndMs } = reserved({ window });
    expect(new Date(windowStartMs).toISOString()).toBe(start);
    expect(new Date(windowEndMs).toISOString()).toBe(end);
  });

  it("begins with its first millisecond and ends before the next one's", () => {
    const start = Date.UTC(2026, 2, 5);
    expect(reserved({ window: "day" }, {}, start).windowStartMs).toBe(start);
    expect(reserved({ window: "day" }, {}, start - 1).windowEndMs).toBe(start);
    expect(reserved({ window: "day" }, {}, start + 86_399_999).windowStartMs).toBe(start);
  });

  it("of a rate_limit is so many seconds, counted from the epoch", () => {
    const policy = compile(documentOf({ t: { rate_limit: { max: 1, window: 7 } } }));
    for (const nowMs of [0, 6_999, 7_000, NOW_MS]) {
      const { reservations } = decide(policy, callOf("t"), () => 0, nowMs);
      const start = Math.floor(nowMs / 7_000) * 7_000;
      expect(reservations).toMatchObject([{ windowStartMs: start, windowEndMs: start + 7_000 }]);
    }
  });
});

describe("keys", () => {
  it.each([
    ["grant", null, "grant:gr_1/c/minute"],
    ["grant", "s1", "grant:gr_1/c/minute"],
    ["session", "s1", "session:gr_1:s1/c/minute"],
    ["session", null, "grant:gr_1/c/minute"],
    ["server", "s1", "server:sv_1/c/minute"],
  ])("scope %s, session %s: %s", (scope, sessionId, key) => {
    expect(reserved({ scope }, { sessionId }).key).toBe(key);
  });

  it("name the counter and the window's length, so that tools can share one", () => {
    const policy = compile(
      documentOf({
        a: { limits: [limit()] },
        b: { limits: [limit({ max: 9 })] },
        d: { limits: [limit({ window: "day" })] },
      }),
    );
    const keyOf = (tool: string) => decideFresh(policy, callOf(tool)).reservations[0]!.key;
    expect(keyOf("a")).toBe(keyOf("b"));
    expect(keyOf("a")).not.toBe(keyOf("d"));
  });

  it("can't be mistaken for one another, whatever is in a name", () => {
    const keys = new Set<string>();
    const parts = ["a", "a/b", "a:b", "b", "a~1b", "a~", ":", "/"];
    for (const grantId of parts) {
      for (const sessionId of [null, ...parts]) {
        for (const counter of parts) {
          for (const scope of ["session", "server"]) {
            keys.add(
              reserved({ counter, scope }, { grantId, sessionId, serverId: `${grantId}|${sessionId}` }).key,
            );
          }
        }
      }
    }
    expect(keys.size).toBe(2 * parts.length * (parts.length + 1) * parts.length);
  });

  it("of a grant begin as grantCounters says", () => {
    for (const grantId of ["gr_1", "a/b:c~"]) {
      const { key } = reserved({}, { grantId });
      expect(key.startsWith(grantCounters(grantId))).toBe(true);
      expect(key.startsWith(grantCounters(`${grantId}2`))).toBe(false);
    }
  });
});

describe("cost", () => {
  const policy = withLimits(limit({ max: 100, cost: "args.amount" }));
  const costOf = (amount: Json) => decideFresh(policy, callOf("t", { amount }));

  it.each([0, 1, 99, 100])("%d is counted", (amount) => {
    expect(costOf(amount)).toMatchObject({ outcome: "allow", reservations: [{ cost: amount }] });
  });

  it("-0 is counted as 0", () => {
    expect(Object.is(costOf(-0).reservations[0]!.cost, 0)).toBe(true);
  });

  it("beyond max there is never room", () => {
    expect(said(costOf(101))).toBe("limit /tools/t/limits/c");
    expect(said(costOf(Number.MAX_SAFE_INTEGER))).toBe("limit /tools/t/limits/c");
  });

  it.each([-1, 0.5, 1.5, "5", "", true, null, [5], {}, 2 ** 53, 1e300, Number.NaN, Number.POSITIVE_INFINITY])(
    "%j can't be counted, and is denied",
    (amount) => {
      expect(costOf(amount as Json)).toEqual({
        outcome: "deny",
        rule: "/tools/t/limits/c",
        message: "args.amount must be a whole number, 0 or more",
        reservations: [],
      });
    },
  );

  it("missing is denied, with what the limit says", () => {
    expect(said(decideFresh(policy, callOf("t")))).toBe("deny /tools/t/limits/c");
    const speaking = withLimits(limit({ cost: "args.a.b", on_deny: "Name a price." }));
    expect(decideFresh(speaking, callOf("t", { a: {} }))).toMatchObject({ message: "Name a price." });
  });

  it("is 1 where none is said", () => {
    expect(reserved({}).cost).toBe(1);
  });
});

describe("reserving", () => {
  it("max is inclusive", () => {
    const policy = withLimits(limit({ max: 3 }));
    const outcomes = [0, 1, 2, 3, 4].map((used) => decide(policy, callOf("t"), () => used, NOW_MS).outcome);
    expect(outcomes).toEqual(["allow", "allow", "allow", "limit", "limit"]);
  });

  it("is all or none, in the order of the tool's limits, its rate_limit, then those of all tools", () => {
    const policy = compile(
      documentOf(
        {
          t: {
            limits: [limit({ counter: "one" }), limit({ counter: "two" })],
            rate_limit: { max: 1, window: 5 },
          },
        },
        { all_tools: { limits: [limit({ counter: "three", on_deny: "Everything is busy." })] } },
      ),
    );
    const order = ["one", "two", "rate_limit:t", "three"];
    const asked: Reservation[] = [];
    const free = decide(policy, callOf("t"), (wanted) => asked.push(wanted) * 0, NOW_MS);
    expect(free.reservations.map(({ counter }) => counter)).toEqual(order);
    expect(asked).toEqual(free.reservations);
    for (const [nth, counter] of order.entries()) {
      const full = new Set(order.slice(nth));
      const decision = decide(policy, callOf("t"), (wanted) => (full.has(wanted.counter) ? 3 : 0), NOW_MS);
      expect(decision).toMatchObject({
        outcome: "limit",
        rule: expect.stringContaining(`/limits/${counter}`),
        reservations: [],
      });
    }
    const last = decide(policy, callOf("t"), ({ counter }) => (counter === "three" ? 3 : 0), NOW_MS);
    expect(last).toMatchObject({ rule: "/all_tools/limits/three", message: "Everything is busy." });
  });

  it("tells in how many whole seconds the full window ends, at least 1", () => {
    const after = (window: string, nowMs: number) =>
      decide(withLimits(limit({ window })), callOf("t"), () => 3, nowMs).retryAfterS;
    // 05:06:07.890: 52.11 s are left of the minute.
    expect(after("minute", NOW_MS)).toBe(53);
    expect(after("hour", NOW_MS)).toBe(53 * 60 + 53);
    expect(after("minute", Date.UTC(2026, 0, 1))).toBe(60);
    expect(after("minute", Date.UTC(2026, 0, 1) - 1)).toBe(1);
  });

  it("fails closed when a counter gives no number or can't be asked", () => {
    const policy = withLimits(limit());
    for (const used of [Number.NaN, Number.POSITIVE_INFINITY, undefined, null, "0"]) {
      expect(decide(policy, callOf("t"), () => used as number, NOW_MS).outcome).toBe("limit");
    }
    const down = () => {
      throw new Error("down");
    };
    expect(() => decide(policy, callOf("t"), down, NOW_MS)).toThrow("down");
    expect(decide(compile(documentOf({ t: {} })), callOf("t"), down, NOW_MS).outcome).toBe("allow");
  });

  it("a hold keeps its reservations; a denial has none", () => {
    const policy = compile(
      documentOf({
        t: { action: "require_approval", limits: [limit()] },
        d: { action: "deny", limits: [limit()] },
      }),
    );
    expect(decideFresh(policy, callOf("t"))).toMatchObject({
      outcome: "hold",
      reservations: [{ counter: "c" }],
    });
    expect(decideFresh(policy, callOf("d"))).toMatchObject({ outcome: "deny", reservations: [] });
  });

  it("a judgement knows no counter: it gives what would be reserved", () => {
    const policy = withLimits(limit({ on_deny: "Enough." }));
    expect(policy.judge(callOf("t"), NOW_MS)).toEqual({
      outcome: "allow",
      rule: "",
      message: null,
      reservations: [
        {
          key: "grant:gr_1/c/minute",
          counter: "c",
          windowStartMs: Date.UTC(2026, 2, 4, 5, 6),
          windowEndMs: Date.UTC(2026, 2, 4, 5, 7),
          cost: 1,
          max: 3,
          rule: "/tools/t/limits/c",
          message: "Enough.",
        },
      ],
    });
  });
});
