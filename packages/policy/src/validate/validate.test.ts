import { describe, expect, it } from "vitest";
import { compile } from "../compile.ts";
import { PolicyInvalid } from "../errors.ts";
import { limits } from "../limits.ts";
import { documentOf } from "../testing/helpers.ts";
import type { Json } from "../types.ts";
import { validate } from "../validate.ts";

const pointersOf = (document: unknown) => validate(document).problems.map(({ pointer }) => pointer);
const messagesOf = (document: unknown) => validate(document).problems.map(({ message }) => message);
const predicate = (op: string, value?: Json) => ({
  path: "args.a",
  op,
  ...(value === undefined ? {} : { value }),
});
const withPredicate = (one: Json, list = "deny_if") => documentOf({ t: { [list]: [{ conditions: [one] }] } });
const limit = (rest: object = {}) => ({ counter: "c", window: "minute", max: 1, scope: "grant", ...rest });
const withLimit = (one: object) => documentOf({ t: { limits: [one as Json] } });
const AT = "/tools/t/deny_if/0/conditions/0";

describe("valid documents", () => {
  it("are those of version 1, from the smallest on", () => {
    expect(validate({ version: "1", default: "deny" })).toEqual({ valid: true, problems: [], warnings: [] });
    const full = {
      version: "1",
      default: "allow",
      hide: ["delete_account", "drop"],
      all_tools: {
        limits: [limit({ counter: "all", window: "hour", scope: "server", on_deny: "Slow down." })],
      },
      tools: {
        list: {},
        create_charge: {
          require: [{ conditions: [{ path: "args.reason", op: "exists" }], on_deny: "Say why." }],
          deny_if: [{ conditions: [predicate("gt", 10_000)] }, { conditions: [] }],
          limits: [
            limit({ window: "day", max: 100_000, cost: "args.amount" }),
            limit({ counter: "d", scope: "session" }),
          ],
        },
        refund: { approve_if: [{ conditions: [predicate("gte", 100)] }] },
        sweet: { action: "require_approval", reason: "Ask.", rate_limit: { max: 10, window: 60 } },
      },
    };
    expect(validate(full)).toEqual({ valid: true, problems: [], warnings: [] });
    expect(compile(full).document).toEqual(full);
    expect(validate({ text: JSON.stringify(full) })).toEqual({ valid: true, problems: [], warnings: [] });
  });

  it.each([
    ["eq", null],
    ["eq", { a: [1] }],
    ["neq", "x"],
    ["neq", false],
    ["lt", 0],
    ["lte", -1.5],
    ["gt", 1e300],
    ["gte", 1],
    ["in", ["a", 1, null]],
    ["not_in", [[]]],
    ["exists", undefined],
    ["exists", true],
    ["exists", false],
    ["regex", "^a+$"],
    ["contains", "x"],
    ["contains", 1],
  ])("may have %s with %j", (op, value) => {
    for (const list of ["require", "deny_if", "approve_if"]) {
      expect(pointersOf(withPredicate(predicate(op, value), list))).toEqual([]);
    }
  });

  it.each([
    "args",
    "args.a.b",
    "args.items.0",
    "args.items.*.url",
    'args["a.b"]',
    'args["a\\"b"].c',
    "args.a-b.$c d",
  ])("may have the path %s", (path) => expect(pointersOf(withPredicate({ path, op: "exists" }))).toEqual([]));
});

describe("problems", () => {
  it.each([
    [null, [""]],
    ["text", [""]],
    [[], [""]],
    [{}, ["/version", "/default"]],
    [{ version: 1, default: "deny" }, ["/version"]],
    [{ version: "2", default: "ask" }, ["/version", "/default"]],
    [{ version: "1", default: "deny", Tools: {}, "a/b": 1 }, ["/Tools", "/a~1b"]],
    [{ version: "1", default: "deny", hide: "x" }, ["/hide"]],
    [{ version: "1", default: "deny", hide: ["a", 1, ""] }, ["/hide/1", "/hide/2"]],
    [{ version: "1", default: "deny", tools: [] }, ["/tools"]],
    [{ version: "1", default: "deny", tools: { a: null, b: [] } }, ["/tools/a", "/tools/b"]],
    [{ version: "1", default: "deny", tools: { "a/~": { allow: true } } }, ["/tools/a~1~0/allow"]],
    [{ version: "1", default: "deny", tools: { "": {} } }, ["/tools/"]],
    [{ version: "1", default: "deny", all_tools: [] }, ["/all_tools"]],
    [{ version: "1", default: "deny", all_tools: { require: [] } }, ["/all_tools/require"]],
    [{ version: "1", default: "deny", constructor: {} }, ["/constructor"]],
    [JSON.parse('{"version":"1","default":"deny","__proto__":{"tools":{}}}'), ["/__proto__"]],
    [Object.create({ version: "1", default: "deny" }), [""]],
    [
      documentOf({ t: { require: {}, deny_if: null, approve_if: 1, limits: "" } }),
      ["/tools/t/require", "/tools/t/deny_if", "/tools/t/approve_if", "/tools/t/limits"],
    ],
    [
      documentOf({ t: { deny_if: [[], { on_deny: 1 }] } }),
      ["/tools/t/deny_if/0", "/tools/t/deny_if/1/on_deny", "/tools/t/deny_if/1/conditions"],
    ],
    [documentOf({ t: { require: [{ conditions: [] }] } }), ["/tools/t/require/0/conditions"]],
    [
      documentOf({ t: { deny_if: [{ conditions: {}, When: 1 }] } }),
      ["/tools/t/deny_if/0/When", "/tools/t/deny_if/0/conditions"],
    ],
    [documentOf({ t: { action: "hide", reason: 1 } }), ["/tools/t/action", "/tools/t/reason"]],
    [
      documentOf({ t: { rate_limit: { max: 0, window: 1.5, per: 1 } } }),
      ["/tools/t/rate_limit/per", "/tools/t/rate_limit/max", "/tools/t/rate_limit/window"],
    ],
    [documentOf({ t: { rate_limit: 10 } }), ["/tools/t/rate_limit"]],
  ])("%j", (document, pointers) => {
    expect(pointersOf(document).sort()).toEqual(pointers.sort());
    expect(() => compile(document)).toThrow(PolicyInvalid);
  });

  it.each([
    [{}, ["/path", "/op"]],
    ["args.a", [""]],
    [{ path: "args.a", op: "equals", value: 1 }, ["/op"]],
    [{ path: "args.a", op: "EQ", value: 1 }, ["/op"]],
    [{ path: "args.a", op: "eq", value: 1, not: true }, ["/not"]],
    [predicate("eq"), ["/value"]],
    [predicate("contains"), ["/value"]],
    [predicate("gt", "10"), ["/value"]],
    [predicate("lte", null), ["/value"]],
    [predicate("in", "a"), ["/value"]],
    [predicate("not_in", { a: 1 }), ["/value"]],
    [predicate("exists", "yes"), ["/value"]],
    [predicate("exists", null), ["/value"]],
    [predicate("regex", 1), ["/value"]],
    [predicate("regex", "("), ["/value"]],
    [predicate("regex", "(?=a)"), ["/value"]],
    [predicate("regex", "(a)\\1"), ["/value"]],
    [predicate("regex", "a{1000}b{1000}".repeat(10)), ["/value"]],
    [predicate("regex", "a".repeat(limits.regexChars + 1)), ["/value"]],
    [{ path: "amount", op: "exists" }, ["/path"]],
    [{ path: "argsx", op: "exists" }, ["/path"]],
    [{ path: "args.", op: "exists" }, ["/path"]],
    [{ path: "args..a", op: "exists" }, ["/path"]],
    [{ path: "args[0]", op: "exists" }, ["/path"]],
    [{ path: "args['a']", op: "exists" }, ["/path"]],
    [{ path: 'args["a]', op: "exists" }, ["/path"]],
    [{ path: 'args["\\x"]', op: "exists" }, ["/path"]],
    [{ path: 'args["a"]b', op: "exists" }, ["/path"]],
    [{ path: 'args.a"b', op: "exists" }, ["/path"]],
    [{ path: 7, op: "exists" }, ["/path"]],
    [{ path: `args${".a".repeat(limits.pathSteps + 1)}`, op: "exists" }, ["/path"]],
  ])("of a predicate: %j", (one, pointers) => {
    expect(pointersOf(withPredicate(one as Json))).toEqual(pointers.map((pointer) => AT + pointer));
  });

  it.each([
    [{}, ["counter", "window", "max", "scope"]],
    [limit({ counter: "" }), ["counter"]],
    [limit({ counter: "a\u0000b" }), ["counter"]],
    [limit({ window: "week" }), ["window"]],
    [limit({ window: 60 }), ["window"]],
    [limit({ max: 0 }), ["max"]],
    [limit({ max: 1.5 }), ["max"]],
    [limit({ max: "1" }), ["max"]],
    [limit({ max: 2 ** 53 }), ["max"]],
    [limit({ scope: "user" }), ["scope"]],
    [limit({ cost: 5 }), ["cost"]],
    [limit({ cost: "amount" }), ["cost"]],
    [limit({ cost: "args.items.*.price" }), ["cost"]],
    [limit({ on_deny: null }), ["on_deny"]],
    [limit({ burst: 2 }), ["burst"]],
  ])("of a limit: %j", (one, keys) => {
    expect(pointersOf(withLimit(one))).toEqual(keys.map((key) => `/tools/t/limits/0/${key}`));
  });

  it("say what may stand there instead", () => {
    expect(messagesOf({ version: 1, default: "ask", x: 1 })).toEqual([
      "unknown key; here may be version, default, hide, all_tools, tools",
      'must be "1"',
      'must be one of "deny", "allow"',
    ]);
    expect(messagesOf(withLimit(limit({ max: 0 })))).toEqual(["must be a whole number, at least 1"]);
    const rate = documentOf({ t: { rate_limit: { max: 1, window: 1e9 } } });
    expect(messagesOf(rate)).toEqual([`must be a whole number, from 1 to ${limits.rateWindowS}`]);
  });

  it("a cost for all tools, whose arguments differ", () => {
    const document = documentOf({}, { all_tools: { limits: [limit({ cost: "args.a" }) as Json] } });
    expect(pointersOf(document)).toEqual(["/all_tools/limits/0/cost"]);
  });

  it("a counter that one call would touch twice, also through all_tools and sugar", () => {
    const twice = documentOf(
      {
        a: { limits: [limit() as Json, limit({ window: "day" }) as Json] },
        b: { limits: [limit({ counter: "all" }) as Json] },
        c: { limits: [limit({ counter: "rate_limit:c" }) as Json], rate_limit: { max: 1, window: 1 } },
        d: { limits: [limit() as Json] },
      },
      { all_tools: { limits: [limit({ counter: "all" }) as Json, limit({ counter: "all" }) as Json] } },
    );
    expect(pointersOf(twice)).toEqual([
      "/all_tools/limits/1/counter",
      "/tools/a/limits/1/counter",
      "/tools/b/limits/0/counter",
      "/tools/c/rate_limit",
    ]);
  });

  it("are all told at once, with where they are", () => {
    const text = `{"version":"1","default":"deny","default":"allow","x":1,"tools":{"t":{"require":[{"conditions":[]}],
      "limits":[{"counter":"c","counter":"c","window":"year","max":0,"scope":"grant"}]}}}`;
    expect(pointersOf({ text })).toEqual([
      "/default",
      "/tools/t/limits/0/counter",
      "/x",
      "/tools/t/require/0/conditions",
      "/tools/t/limits/0/window",
      "/tools/t/limits/0/max",
    ]);
    const thrown = () => compile({ text });
    expect(thrown).toThrow("/default: this key is there twice (and 5 more)");
  });

  it("of the text: what is no JSON, or not the same for every reader", () => {
    expect(pointersOf({ text: "{" })).toEqual([""]);
    expect(pointersOf({ text: '\ufeff{"version":"1","default":"deny"}' })).toEqual([""]);
    const value = (number: string) => ({
      text: `{"version":"1","default":"deny","tools":{"t":{"deny_if":[{"conditions":[{"path":"args.a","op":"gt","value":${number}}]}]}}}`,
    });
    expect(pointersOf(value("9007199254740993"))).toEqual([`${AT}/value`]);
    expect(pointersOf(value("9007199254740992"))).toEqual([]);
  });

  it("of an object: what is no JSON", () => {
    const circle: Record<string, unknown> = { version: "1", default: "deny" };
    circle.tools = { t: circle };
    const wide: Record<string, unknown> = {};
    for (const key of ["a", "b", "c"]) wide[key] = wide;
    const bad: [unknown, string][] = [
      [{ version: "1", default: "deny", tools: () => 1 }, "/tools"],
      [withPredicate(predicate("gt", Number.NaN)), `${AT}/value`],
      [withPredicate(predicate("eq", new Date() as unknown as Json)), `${AT}/value`],
      [withPredicate(predicate("eq", 1n as unknown as Json)), `${AT}/value`],
      [withPredicate(predicate("eq", "\ud800")), `${AT}/value`],
      [undefined, ""],
      [
        {
          get version() {
            throw new Error("no");
          },
        },
        "",
      ],
    ];
    for (const [document, pointer] of bad) expect(pointersOf(document)).toContain(pointer);
    expect(validate(circle).valid).toBe(false);
    expect(validate(wide).valid).toBe(false);
  });

  it("beyond the bounds: size, depth, tools, names, counted problems", () => {
    const large = documentOf({ t: { action: "deny", reason: "x" } }, { hide: Array(70_000).fill("abc") });
    expect(messagesOf(large)).toContain(`larger than ${limits.documentBytes} bytes`);
    expect(messagesOf({ text: JSON.stringify(large) })).toEqual([
      `larger than ${limits.documentBytes} bytes`,
    ]);
    let deep: Json = [];
    for (let level = 0; level < 80; level++) deep = [deep];
    expect(messagesOf(withPredicate(predicate("eq", deep)))).toEqual(["nested more than 64 levels deep"]);
    expect(messagesOf({ text: JSON.stringify(withPredicate(predicate("eq", deep))) })).toEqual([
      "nested more than 64 levels deep",
    ]);
    const tools = Object.fromEntries(Array.from({ length: limits.tools + 1 }, (_, nth) => [`t${nth}`, {}]));
    expect(pointersOf(documentOf(tools))).toEqual(["/tools"]);
    delete tools.t0;
    expect(pointersOf(documentOf(tools))).toEqual([]);
    const many = (length: number) => [{ conditions: Array(length).fill(predicate("exists")) as Json[] }];
    expect(pointersOf(documentOf({ t: { deny_if: many(limits.conditionsPerRule) } }))).toEqual([]);
    expect(messagesOf(documentOf({ t: { deny_if: many(limits.conditionsPerRule + 1) } }))).toEqual([
      `more than ${limits.conditionsPerRule} entries`,
    ]);
    // Each level has the one below it twice: small to hold, endless to write out.
    let doubled: Json = [];
    for (let level = 0; level < 50; level++) doubled = [doubled, doubled];
    expect(messagesOf(withPredicate(predicate("eq", doubled)))).toEqual(["too many values"]);
    expect(pointersOf(documentOf({ ["t".repeat(limits.nameChars + 1)]: {} }))).toHaveLength(1);
    const unknown = Object.fromEntries(Array.from({ length: 600 }, (_, nth) => [`k${nth}`, 1]));
    const { problems } = validate({ version: "1", default: "deny", ...unknown });
    expect(problems).toHaveLength(limits.problems + 1);
    expect(problems.at(-1)).toEqual({ pointer: "", message: "100 more problems" });
  });

  it("of all regular expressions together, found without compiling all of them", () => {
    const regexes = Array.from(
      { length: 400 },
      (_, nth) => predicate("regex", `(?:abc${nth}){999}(?:de){999}`) as Json,
    );
    const started = performance.now();
    const { problems } = validate(
      documentOf({ t: { deny_if: regexes.map((one) => ({ conditions: [one] })) } }),
    );
    expect(performance.now() - started).toBeLessThan(3_000);
    expect(problems.at(-1)!.message).toBe("the document's regular expressions are too large together");
    expect(problems.length).toBeGreaterThan(300);
  });
});

it("a compiled policy does not change with the object it came from", () => {
  const document = { version: "1", default: "deny", tools: { t: {} } };
  const policy = compile(document);
  document.default = "allow";
  document.tools = {} as typeof document.tools;
  expect(policy.lists("t")).toBe(true);
  expect(policy.lists("u")).toBe(false);
  expect(() => Object.assign(policy.document, { default: "allow" })).toThrow(TypeError);
});
