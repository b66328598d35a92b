import fc from "fast-check";
import { type Json, OPERATORS, type PolicyCall, type Predicate } from "../types.ts";

/** Few names and values, so that rules meet the arguments they speak of; some are there to be mistaken for others. */
const TOOLS = ["pay", "a/b", "til~de", "__proto__", "constructor", "toString"];
const KEYS = ["a", "b", "0", "1", "x.y", "__proto__", "constructor", "length", "*"];
const SCALARS = [null, true, false, 0, -0, 1, 2, 2.5, -1, 100, "", "0", "1", "100", "abc", "b", "évil/~"];
const REGEXES = ["^a", "b+c$", "", "(a|b)*$", "\\d", "(?i)ABC", "^.$"];

const key = fc.constantFrom(...KEYS);
const tool = fc.constantFrom(...TOOLS);
const scalar = fc.constantFrom(...SCALARS);

/** JSON objects as a parser makes them: `__proto__` is a key like any other. */
function objectOf<T>(value: fc.Arbitrary<T>, keys: fc.Arbitrary<string>, maxLength: number) {
  return fc
    .array(fc.tuple(keys, value), { maxLength })
    .map((entries) => Object.fromEntries(entries) as { [key: string]: T });
}

/** The same without what is undefined, as JSON has it. */
function withoutUndefined<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

const json = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    { arbitrary: scalar, weight: 4 },
    { arbitrary: fc.array(tie("value"), { maxLength: 3 }), weight: 2 },
    { arbitrary: objectOf(tie("value"), key, 3), weight: 2 },
  ),
})).value;
const args = objectOf(json, key, 5);

const pathStep = key.chain((name) =>
  fc.constantFrom(
    ...(name === "x.y" ? ['["x.y"]'] : [`.${name}`, `.${name}`, ".*", `[${JSON.stringify(name)}]`]),
  ),
);
const path = fc.array(pathStep, { maxLength: 3 }).map((steps) => `args${steps.join("")}`);
const costPath = path.map((text) => text.replaceAll(".*", ".a"));

const predicate: fc.Arbitrary<Predicate> = fc
  .tuple(
    path,
    fc.constantFrom(...OPERATORS),
    json,
    fc.array(json, { maxLength: 3 }),
    fc.constantFrom(...REGEXES),
  )
  .chain(([at, op, value, list, regex]) => {
    const with_ = (one: unknown) => fc.constant({ path: at, op, value: one } as Predicate);
    if (op === "exists")
      return fc.constantFrom({ path: at, op }, { path: at, op, value: true }, { path: at, op, value: false });
    if (op === "in" || op === "not_in") return with_(list);
    if (op === "regex") return with_(regex);
    if (op === "eq" || op === "neq" || op === "contains") return with_(value);
    return fc.constantFrom(0, 1, 2, 50, -1, 1.5).chain(with_);
  });

const text = fc.constantFrom("no", "ask finance", "");
const rule = (least: number) =>
  fc.record(
    { conditions: fc.array(predicate, { minLength: least, maxLength: 3 }), on_deny: text },
    { requiredKeys: ["conditions"] },
  );
const limitWith = (extra: Record<string, fc.Arbitrary<unknown>>) =>
  fc.record(
    {
      counter: fc.constantFrom("calls", "spend", "a/b~c", "k:1", "__proto__"),
      window: fc.constantFrom("minute", "hour", "day"),
      max: fc.constantFrom(1, 2, 3, 100),
      scope: fc.constantFrom("grant", "session", "server"),
      on_deny: text,
      ...extra,
    },
    { requiredKeys: ["counter", "window", "max", "scope"] },
  );
/** `mark` keeps the counters of tools apart from those of all tools. */
const limitsOf = (mark: string, extra: Record<string, fc.Arbitrary<unknown>> = {}) =>
  fc
    .uniqueArray(limitWith(extra), { maxLength: 2, selector: (one) => (one as { counter: string }).counter })
    .map((all) => all.map((one) => ({ ...one, counter: `${mark}${(one as { counter: string }).counter}` })));

/** Mostly without: a call that the first list denies never meets what comes after. */
const seldom = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ arbitrary: fc.constant(undefined), weight: 2 }, { arbitrary, weight: 1 });
const denyRule = fc.oneof({ arbitrary: rule(1), weight: 9 }, { arbitrary: rule(0), weight: 1 });

const toolPolicy = fc
  .record({
    require: seldom(fc.array(rule(1), { maxLength: 2 })),
    deny_if: seldom(fc.array(denyRule, { maxLength: 3 })),
    approve_if: seldom(fc.array(rule(0), { maxLength: 2 })),
    limits: seldom(limitsOf("", { cost: seldom(costPath) })),
    action: seldom(fc.constantFrom("allow", "allow", "deny", "require_approval", "require_approval")),
    reason: seldom(text),
    rate_limit: seldom(fc.record({ max: fc.constantFrom(1, 3), window: fc.constantFrom(1, 7, 60, 3_601) })),
  })
  .map(withoutUndefined);

/** Valid documents. */
export const documents = fc.record(
  {
    version: fc.constant("1"),
    default: fc.constantFrom("deny", "allow", "allow"),
    hide: fc.array(fc.oneof({ arbitrary: tool, weight: 9 }, { arbitrary: fc.constant("*"), weight: 1 }), {
      maxLength: 1,
    }),
    all_tools: fc.record({ limits: limitsOf("all ") }, { requiredKeys: [] }),
    tools: objectOf(toolPolicy, tool, 7),
  },
  { requiredKeys: ["version", "default", "tools"] },
);

export const calls: fc.Arbitrary<PolicyCall> = fc.record({
  tool: fc.oneof({ arbitrary: tool, weight: 9 }, { arbitrary: fc.constant("unlisted"), weight: 1 }),
  args,
  grantId: fc.constantFrom("gr_1", "gr/2"),
  sessionId: fc.constantFrom(null, "s1", "s:2"),
  serverId: fc.constantFrom("sv_1", "sv~2"),
  tool_state: fc.constantFrom("approved", "approved", "approved", "changed"),
});

/** From 1970 to 2100, with edges of windows among them. */
export const times = fc.oneof(
  fc.integer({ min: 0, max: 4_102_444_800_000 }),
  fc.integer({ min: 0, max: 47_000 }).map((day) => day * 86_400_000),
  fc.integer({ min: 1, max: 47_000 }).map((day) => day * 86_400_000 - 1),
);

/** Values, and texts, for what is no valid document. */
export const anyJson = fc.jsonValue({ maxDepth: 4 });
