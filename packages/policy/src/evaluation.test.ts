import { describe, expect, it } from "vitest";
import { compile } from "./compile.ts";
import { decide } from "./decide.ts";
import { RULES } from "./rule-strings.ts";
import { callOf, decideFresh, documentOf, NOW_MS, said } from "./testing/helpers.ts";
import type { Json, JsonObject, PolicyCall } from "./types.ts";

const is = (path: string, op: string, value: Json) => ({ path, op, value });
const saidOf = (document: unknown, tool: string, args: JsonObject = {}, rest: Partial<PolicyCall> = {}) =>
  said(decideFresh(compile(document), callOf(tool, args, rest)));

it("the rows the document decides, each before the ones below it", () => {
  const limit = (counter: string) => ({ counter, window: "minute", max: 1, scope: "grant" });
  const document = {
    version: "1",
    default: "deny",
    hide: ["hidden"],
    all_tools: { limits: [limit("all")] },
    tools: {
      hidden: {},
      t: {
        require: [{ conditions: [is("args.require", "eq", "ok"), is("args.also", "eq", "ok")] }],
        deny_if: [{ conditions: [is("args.deny", "eq", "yes")] }],
        limits: [{ ...limit("own"), cost: "args.cost" }],
        approve_if: [{ conditions: [is("args.approve", "eq", "yes")] }],
      },
    },
  };
  const policy = compile(document);
  /** Every row fires; then one after the other is mended. */
  const args = { require: "no", also: "no", deny: "yes", cost: -1, approve: "yes" } as Record<string, Json>;
  let call = callOf("hidden", args, { tool_state: "changed" });
  const full: Record<string, number> = { own: 1, all: 1 };
  const next = () => said(decide(policy, call, ({ counter }) => full[counter]!, NOW_MS));
  expect(next()).toBe("deny (hidden)");
  call = { ...call, tool: "unlisted" };
  expect(next()).toBe("deny (default deny)");
  call = { ...call, tool: "t" };
  expect(next()).toBe("deny /tools/t/require/args.require-eq");
  args.require = "ok";
  expect(next()).toBe("deny /tools/t/require/args.also-eq");
  args.also = "ok";
  expect(next()).toBe("deny /tools/t/deny_if/args.deny-eq");
  args.deny = "no";
  expect(next()).toBe("deny (tool changed)");
  call = { ...call, tool_state: "approved" };
  expect(next()).toBe("deny /tools/t/limits/own");
  args.cost = 1;
  expect(next()).toBe("limit /tools/t/limits/own");
  full.own = 0;
  expect(next()).toBe("limit /all_tools/limits/all");
  full.all = 0;
  expect(next()).toBe("hold /tools/t/approve_if/args.approve-eq");
  args.approve = "no";
  expect(next()).toBe("allow");
});

it("the rules that are no document's are exported", () => {
  expect(RULES).toEqual({
    malformed: "(malformed)",
    noPolicy: "(no policy)",
    hidden: "(hidden)",
    defaultDeny: "(default deny)",
    toolChanged: "(tool changed)",
  });
});

describe("hide and default", () => {
  it("a hidden name is denied and not listed, also when it is under tools, also under default allow", () => {
    for (const fallback of ["deny", "allow"]) {
      const document = { version: "1", default: fallback, hide: ["x"], tools: { x: {}, y: {} } };
      expect(saidOf(document, "x")).toBe("deny (hidden)");
      expect(saidOf(document, "y")).toBe("allow");
      expect(compile(document).lists("x")).toBe(false);
      expect(compile(document).lists("y")).toBe(true);
    }
  });

  it("* hides everything; names are exact", () => {
    const all = { version: "1", default: "allow", hide: ["*"], tools: { x: {} } };
    expect(saidOf(all, "x")).toBe("deny (hidden)");
    expect(compile(all).lists("x")).toBe(false);
    expect(saidOf({ ...all, hide: ["x*", "X"] }, "x")).toBe("allow");
  });

  it("{} allows a tool under default deny; an unlisted one is denied and not shown", () => {
    expect(saidOf(documentOf({ t: {} }), "t")).toBe("allow");
    for (const name of ["T", "t ", "toString", "constructor", "__proto__", "hasOwnProperty", ""]) {
      expect(saidOf(documentOf({ t: {} }), name)).toBe("deny (default deny)");
      expect(compile(documentOf({ t: {} })).lists(name)).toBe(false);
    }
  });

  it("an unlisted tool under default allow meets the limits of all tools and the check of its definition", () => {
    const limit = { counter: "all", window: "hour", max: 5, scope: "server" };
    const document = { version: "1", default: "allow", all_tools: { limits: [limit] } };
    const decision = decideFresh(compile(document), callOf("any"));
    expect(decision).toMatchObject({ outcome: "allow", rule: "", reservations: [{ counter: "all" }] });
    expect(saidOf(document, "any", {}, { tool_state: "changed" })).toBe("deny (tool changed)");
    expect(compile(document).lists("constructor")).toBe(true);
  });

  it("tools called like parts of the language are tools like others", () => {
    const document = JSON.parse(
      '{"version":"1","default":"deny","tools":{"__proto__":{"action":"deny"},"constructor":{"action":"require_approval"}}}',
    );
    expect(saidOf(document, "__proto__")).toBe("deny /tools/__proto__/deny_if/0");
    expect(saidOf(document, "constructor")).toBe("hold /tools/constructor/approve_if/0");
  });

  it("what denies every call leaves a tool in the list", () => {
    expect(compile(documentOf({ t: { action: "deny" } })).lists("t")).toBe(true);
  });

  it("a tool whose state is not known to be approved is denied", () => {
    const odd = { tool_state: undefined as unknown as "approved" };
    expect(saidOf(documentOf({ t: {} }), "t", {}, odd)).toBe("deny (tool changed)");
  });
});

describe("rule strings and messages", () => {
  it("require: the first failing predicate, with its rule's on_deny", () => {
    const document = documentOf({
      t: {
        require: [
          { conditions: [is("args.a", "exists", true)], on_deny: "first" },
          { conditions: [is("args.a", "gt", 0), is("args.b", "regex", "^x")], on_deny: "second" },
        ],
      },
    });
    const decision = (args: JsonObject) => decideFresh(compile(document), callOf("t", args));
    expect(decision({})).toEqual({
      outcome: "deny",
      rule: "/tools/t/require/args.a-exists",
      message: "first",
      reservations: [],
    });
    expect(decision({ a: 0 })).toMatchObject({ rule: "/tools/t/require/args.a-gt", message: "second" });
    expect(decision({ a: 1 })).toMatchObject({ rule: "/tools/t/require/args.b-regex", message: "second" });
    expect(decision({ a: 1, b: "xy" })).toMatchObject({ outcome: "allow", rule: "", message: null });
  });

  it.each(["deny_if", "approve_if"])(
    "%s: the first predicate of the first rule that holds; its place without one",
    (list) => {
      const rules = [
        { conditions: [is("args.a", "gt", 1), is("args.b", "eq", "x")], on_deny: "both" },
        { conditions: [is("args.a", "gt", 1)] },
        { conditions: [], on_deny: "always" },
      ];
      const document = documentOf({ t: { [list]: rules as unknown as Json } });
      const decision = (args: JsonObject) => {
        const { rule, message } = decideFresh(compile(document), callOf("t", args));
        return [rule, message];
      };
      expect(decision({ a: 2, b: "x" })).toEqual([`/tools/t/${list}/args.a-gt`, "both"]);
      expect(decision({ a: 2, b: "y" })).toEqual([`/tools/t/${list}/args.a-gt`, null]);
      expect(decision({ a: 1, b: "x" })).toEqual([`/tools/t/${list}/2`, "always"]);
    },
  );

  it("are JSON pointers: ~ and / of names are escaped", () => {
    const limit = { counter: "x/y~z", window: "minute", max: 1, scope: "grant" };
    const document = documentOf(
      {
        "a/b~c": {
          deny_if: [{ conditions: [is('args["k/~"]', "eq", 1)] }],
          limits: [{ ...limit, cost: "args.n" }],
        },
      },
      { all_tools: { limits: [{ ...limit, counter: "m/n" }] } },
    );
    expect(saidOf(document, "a/b~c", { "k/~": 1 })).toBe('deny /tools/a~1b~0c/deny_if/args["k~1~0"]-eq');
    expect(saidOf(document, "a/b~c", {})).toBe("deny /tools/a~1b~0c/limits/x~1y~0z");
    const full = decide(
      compile(document),
      callOf("a/b~c", { n: 0 }),
      ({ counter }) => (counter === "m/n" ? 1 : 0),
      NOW_MS,
    );
    expect(said(full)).toBe("limit /all_tools/limits/m~1n");
  });

  it("an empty require list requires nothing, an empty deny_if denies nothing", () => {
    expect(saidOf(documentOf({ t: { require: [], deny_if: [], approve_if: [], limits: [] } }), "t")).toBe(
      "allow",
    );
  });
});
