import { expect, it } from "vitest";
import { compile } from "../compile.ts";
import { documentOf } from "../testing/helpers.ts";
import type { Json, JsonObject, PolicyDocument, ToolDefinition } from "../types.ts";
import { validate } from "../validate.ts";

const TOOLS: ToolDefinition[] = [
  {
    name: "pay",
    inputSchema: {
      type: "object",
      required: ["amount", "items", "to"],
      properties: {
        amount: { type: "integer" },
        note: { type: "string" },
        to: { type: "string" },
        free: { type: "object" },
        odd: { anyOf: [{ type: "string" }, { type: "number" }] },
        items: {
          type: "array",
          items: { type: "object", required: ["url"], properties: { url: { type: "string" }, tag: {} } },
        },
      },
    },
  },
  { name: "none", inputSchema: { type: "object" } },
  { name: "open", inputSchema: { type: "object", additionalProperties: true } },
  { name: "unknown" },
];
const warned = (document: PolicyDocument, tools?: ToolDefinition[]) => {
  const { problems, warnings } = validate(document, tools);
  expect(problems).toEqual([]);
  expect(() => compile(document)).not.toThrow();
  return warnings.map(({ pointer, message }) => `${pointer}: ${message.split(":")[0]}`);
};
const rule = (path: string, op = "eq", value: Json = "x") => ({ conditions: [{ path, op, value }] });
const pay = (policy: Json) => warned(documentOf({ pay: policy }), TOOLS);

it("a tool both hidden and listed; stars that stand for nothing", () => {
  expect(warned(documentOf({ a: {}, b: {} }, { hide: ["b", "x_*"] }))).toEqual([
    "/hide/1: names of tools are exact",
    "/tools/b: both hidden and listed",
  ]);
  expect(warned(documentOf({ "get_*": {} }))).toEqual(["/tools/get_*: names of tools are exact"]);
  expect(warned(documentOf({ a: {} }, { hide: ["*"] }))).toEqual(["/tools: everything is hidden"]);
});

it("what sugar makes pointless", () => {
  const limit = { counter: "c", window: "minute", max: 1, scope: "grant" };
  const denied = { action: "deny", limits: [limit], approve_if: [], rate_limit: { max: 1, window: 1 } };
  expect(warned(documentOf({ t: denied }))).toEqual([
    "/tools/t/limits: never asked",
    "/tools/t/rate_limit: never asked",
    "/tools/t/approve_if: never asked",
  ]);
  expect(warned(documentOf({ t: { action: "require_approval", approve_if: [] } }))).toEqual([
    "/tools/t/approve_if: never asked",
  ]);
  expect(warned(documentOf({ t: { reason: "Why." } }))).toEqual(["/tools/t/reason: never told"]);
  expect(warned(documentOf({ t: { reason: "Why.", rate_limit: { max: 1, window: 1 } } }))).toEqual([]);
});

it("lists nothing is in", () => {
  expect(warned(documentOf({ t: { deny_if: [rule("args.a", "in", [])] } }))).toEqual([
    "/tools/t/deny_if/0/conditions/0/value: nothing is in an empty list",
  ]);
});

it("names the server's last tools/list does not have", () => {
  const document = documentOf({ gone: { deny_if: [rule("args.a")] }, pay: {} }, { hide: ["away", "*"] });
  expect(warned(document, TOOLS)).toEqual([
    "/tools: everything is hidden",
    "/hide/0: the server has no such tool",
    "/tools/gone: the server has no such tool",
  ]);
  const without = warned(document).filter((warning) => warning.includes("server"));
  expect(without).toEqual([]);
});

it("arguments the tool does not declare, in rules and costs", () => {
  const cost = { counter: "c", window: "minute", max: 1, scope: "grant", cost: "args.price" };
  expect(
    pay({
      require: [rule("args.reason", "exists", true)],
      deny_if: [rule("args.amonut"), rule("args.items.*.href"), rule("args.items.0.url")],
      approve_if: [rule("args.constructor")],
      limits: [cost],
    }),
  ).toEqual([
    "/tools/pay/require/0/conditions/0/path: the tool declares no such argument",
    "/tools/pay/deny_if/0/conditions/0/path: the tool declares no such argument",
    "/tools/pay/deny_if/1/conditions/0/path: the tool declares no such argument",
    "/tools/pay/approve_if/0/conditions/0/path: the tool declares no such argument",
    "/tools/pay/limits/0/cost: the tool declares no such argument",
  ]);
  expect(warned(documentOf({ none: { deny_if: [rule("args.a")] } }), TOOLS)).toHaveLength(1);
});

it("nothing of arguments the schema leaves open", () => {
  expect(pay({ require: [rule("args.free.any"), rule("args.odd.x"), rule("args.items.*.tag.y")] })).toEqual(
    [],
  );
  expect(warned(documentOf({ unknown: { deny_if: [rule("args.a")] } }), TOOLS)).toEqual([]);
  expect(warned(documentOf({ open: { require: [rule("args.a")] } }), TOOLS)).toEqual([]);
});

it("a deny_if or approve_if that reads an optional argument without a matching exists", () => {
  const optional = (list: string) =>
    `/tools/pay/${list}/0/conditions/0/path: the argument is optional, and this is false without it`;
  expect(pay({ deny_if: [rule("args.note", "contains")] })).toEqual([optional("deny_if")]);
  expect(pay({ approve_if: [rule("args.note", "regex")] })).toEqual([optional("approve_if")]);
  expect(pay({ require: [rule("args.note")] })).toEqual([]);
  expect(pay({ deny_if: [rule("args.to")] })).toEqual([]);
  expect(pay({ deny_if: [rule("args.items.*.url")] })).toEqual([]);
  const withExists = (policy: JsonObject) => pay({ ...policy, approve_if: [rule("args.note", "contains")] });
  const exists = (value: boolean) => [rule("args.note", "exists", value)];
  expect(withExists({ deny_if: exists(false) })).toEqual([]);
  expect(withExists({ require: exists(true) })).toEqual([]);
  expect(withExists({ require: [rule("args.note", "regex")] })).toEqual([]);
  expect(withExists({ require: [rule("args.to", "exists", true)] })).toEqual([optional("approve_if")]);
  const cost = { counter: "c", window: "day", max: 1, scope: "grant", cost: "args.note" };
  expect(pay({ limits: [cost] })).toEqual(["/tools/pay/limits/0/cost: the argument is optional"]);
});

it("operators that do not go with the declared type", () => {
  expect(pay({ deny_if: [rule("args.to", "gt", 1), rule("args.amount", "regex", "9")] })).toEqual([
    "/tools/pay/deny_if/0/conditions/0/value: the argument is declared as string",
    "/tools/pay/deny_if/1/conditions/0/value: the argument is declared as number",
  ]);
  expect(pay({ deny_if: [rule("args.to", "neq", "me"), rule("args.amount", "not_in", [1, "2"])] })).toEqual(
    [],
  );
  expect(pay({ deny_if: [rule("args.to", "not_in", [1])] })).toEqual([
    "/tools/pay/deny_if/0/conditions/0/value: false for values of other types, which pass",
  ]);
});

it("are told of the valid parts of an invalid document too", () => {
  const document = documentOf({ gone: {}, pay: { deny_if: [rule("args.amonut")] }, none: { limits: 1 } });
  const { problems, warnings } = validate(document, TOOLS);
  expect(problems.map(({ pointer }) => pointer)).toEqual(["/tools/none/limits"]);
  expect(warnings.map(({ pointer }) => pointer)).toEqual([
    "/tools/gone",
    "/tools/pay/deny_if/0/conditions/0/path",
  ]);
});
