import { describe, expect, it } from "vitest";
import { z } from "zod";
import { type AnyOperation, type McpForm, platformOperation } from "../../kernel/operation.ts";
import { buildCatalogue } from "./catalogue.ts";

const operation = (
  name: string,
  mcp: McpForm,
  input: z.ZodObject = z.object({}),
  output: z.ZodType = z.object({}),
): AnyOperation =>
  platformOperation({
    name,
    title: name,
    summary: name,
    input,
    output,
    right: "public",
    risk: "read",
    idempotent: true,
    mcp,
    run: async () => ({}) as never,
  });

describe("declarations that contradict each other stop the start", () => {
  it.each<[string, AnyOperation[], RegExp]>([
    [
      "a tool with and without action",
      [operation("a.x", { tool: "t" }), operation("a.y", { tool: "t", action: "y" })],
      /needs an action/,
    ],
    [
      "two equal actions",
      [operation("a.x", { tool: "t", action: "x" }), operation("a.y", { tool: "t", action: "x" })],
      /two actions x/,
    ],
    [
      "two equal actions, one of them from elsewhere",
      [
        operation("a.x", { tool: "t", action: "x" }),
        operation("b.x", { tool: "u", action: "x", also: [{ tool: "t", action: "x" }] }),
      ],
      /two actions x/,
    ],
    [
      "a tool without action that another operation joins",
      [operation("a.x", { tool: "t" }), operation("a.y", { tool: "u", also: [{ tool: "t", action: "y" }] })],
      /needs an action/,
    ],
    [
      "an alias that is another's tool",
      [operation("a.x", { tool: "t" }), operation("a.y", { tool: "u", aliases: ["t"] })],
      /names two operations/,
    ],
    [
      "an alias of two operations",
      [operation("a.x", { tool: "t", aliases: ["z"] }), operation("a.y", { tool: "u", aliases: ["z"] })],
      /names two operations/,
    ],
    [
      "a field that hides the action",
      [operation("a.x", { tool: "t", action: "x" }, z.object({ action: z.string() }))],
      /rename it/,
    ],
    [
      "an output that is a list",
      [operation("a.x", { tool: "t" }, z.object({}), z.array(z.string()))],
      /object at its root/,
    ],
  ])("%s", (_what, operations, message) => {
    expect(() => buildCatalogue(operations, [])).toThrow(message);
  });
});

it("takes an alias that is already the operation's own name as said", () => {
  const { merged, verbs } = buildCatalogue([operation("a.x", { tool: "t", aliases: ["t", "a_x"] })], []);
  expect([...merged.callable.keys()]).toEqual(["t", "a_x"]);
  expect([...verbs.callable.keys()]).toEqual(["a_x", "t"]);
});

it("offers an operation in every tool that gathers it, once as a verb", () => {
  const both = operation(
    "rules.list",
    { tool: "all", action: "list_rules", also: [{ tool: "rules", action: "list" }], rename: { n: "limit" } },
    z.object({ limit: z.number() }),
  );
  const { merged, verbs } = buildCatalogue([both, operation("a.x", { tool: "all", action: "x" })], []);
  expect(merged.listed.map((tool) => tool.name)).toEqual(["all", "rules"]);
  for (const [tool, action] of [
    ["all", "list_rules"],
    ["rules", "list"],
  ] as const) {
    const form = merged.callable.get(tool)!.forms.get(action)!;
    expect(form.operation).toBe(both);
    expect(form.fieldOf.get("n")).toBe("limit");
    expect(merged.spell(tool, action)).toBe(`${tool} (action "${action}")`);
    expect(verbs.spell(tool, action)).toBe("rules_list");
  }
  expect(merged.spell("rules", "list_rules")).toBeNull();
  expect([...verbs.callable.keys()]).toEqual(["rules_list", "a_x"]);
});

it("is the same list whatever the order of the declarations", () => {
  const operations = ["c", "a", "b"].map((name) => operation(`x.${name}`, { tool: name }));
  const names = buildCatalogue(operations, []).merged.listed.map((tool) => tool.name);
  expect(names).toEqual(["a", "b", "c"]);
  expect(buildCatalogue(operations.toReversed(), []).merged.listed).toEqual(
    buildCatalogue(operations, []).merged.listed,
  );
});
