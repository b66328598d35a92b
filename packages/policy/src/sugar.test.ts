import { expect, it } from "vitest";
import { compile } from "./compile.ts";
import { callOf, decideFresh, documentOf, said } from "./testing/helpers.ts";
import type { Json, JsonObject } from "./types.ts";

const decision = (tool: Json, args: JsonObject = {}) =>
  decideFresh(compile(documentOf({ "a/t": tool })), callOf("a/t", args));

it("action allow is {}", () => {
  expect(said(decision({ action: "allow" }))).toBe("allow");
  const rule = { conditions: [{ path: "args.a", op: "gt", value: 1 }] };
  expect(said(decision({ action: "allow", deny_if: [rule] }, { a: 2 }))).toBe(
    "deny /tools/a~1t/deny_if/args.a-gt",
  );
});

it("action deny is a first deny_if without conditions, after require", () => {
  const denied = decision({
    action: "deny",
    reason: "Not here.",
    deny_if: [{ conditions: [], on_deny: "later" }],
  });
  expect(denied).toEqual({
    outcome: "deny",
    rule: "/tools/a~1t/deny_if/0",
    message: "Not here.",
    reservations: [],
  });
  expect(decision({ action: "deny" }).message).toBeNull();
  const require = [{ conditions: [{ path: "args.a", op: "exists" }] }];
  expect(said(decision({ action: "deny", require }))).toBe("deny /tools/a~1t/require/args.a-exists");
});

it("action require_approval is a first approve_if without conditions, after everything else", () => {
  const limits = [{ counter: "c", window: "minute", max: 1, scope: "grant", cost: "args.n" }];
  const held = decision({ action: "require_approval", reason: "Finance decides.", limits }, { n: 1 });
  expect(held).toMatchObject({
    outcome: "hold",
    rule: "/tools/a~1t/approve_if/0",
    message: "Finance decides.",
    reservations: [{ cost: 1 }],
  });
  expect(said(decision({ action: "require_approval", limits }))).toBe("deny /tools/a~1t/limits/c");
});

it("rate_limit is a limit of the session, on a counter named after the tool", () => {
  const policy = compile(documentOf({ "a/t": { rate_limit: { max: 10, window: 90 }, reason: "Slowly." } }));
  const keyOf = (sessionId: string | null) =>
    decideFresh(policy, callOf("a/t", {}, { sessionId })).reservations;
  expect(keyOf("s1")).toMatchObject([
    {
      key: "session:gr_1:s1/rate_limit:a~1t/90s",
      counter: "rate_limit:a/t",
      cost: 1,
      max: 10,
      rule: "/tools/a~1t/limits/rate_limit:a~1t",
      message: "Slowly.",
    },
  ]);
  expect(keyOf(null)).toMatchObject([{ key: "grant:gr_1/rate_limit:a~1t/90s" }]);
});

it("the reason belongs to the action where there is one that speaks", () => {
  const tool = { rate_limit: { max: 1, window: 1 }, reason: "Ask.", action: "require_approval" };
  expect(decision(tool)).toMatchObject({ message: "Ask.", reservations: [{ message: null }] });
});
