import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ToolDefinition, validate } from "../index.ts";
import { type Classification, classify, suggestPolicy, TOOL_CLASSES } from "./index.ts";

const SEED = { seed: 20260728, numRuns: 400 };
const gravity = ({ class: found }: Classification) => TOOL_CLASSES.indexOf(found);

const WORDS = [
  ...[
    "get",
    "list",
    "deleted",
    "delete",
    "update",
    "run",
    "sql",
    "pay",
    "payment",
    "file",
    "and",
    "x",
    "log",
    "post",
  ],
  ...["manage", "search", "drop", "create", "order", "status", "push", "force", "Read", "RUN", "frob"],
];
const name = fc.oneof(
  fc
    .array(fc.constantFrom(...WORDS), { minLength: 1, maxLength: 5 })
    .chain((words) => fc.constantFrom("_", "-", ".", "").map((by) => words.join(by))),
  fc.string({ unit: "binary", maxLength: 30 }),
);
const description = fc.oneof(
  fc
    .array(fc.constantFrom(...WORDS, "Deletes", "Returns", "a", "the", "not", ".", ",", "or"), {
      maxLength: 12,
    })
    .map((words) => words.join(" ")),
  fc.string({ unit: "binary" }),
);
const leaf = fc.constantFrom<object>(
  ...[
    { type: "string" },
    { enum: ["get", "delete"] },
    { const: "drop" },
    { type: "array", items: { type: "string" } },
  ],
  ...[{ $ref: "#" }, { $ref: "#/properties/action" }, { format: "uri" }, {}],
);
const schema = fc.letrec<{ node: object }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.record({
      type: fc.constant("object"),
      properties: fc.dictionary(
        fc.constantFrom("action", "sql", "code", "url", "a", "__proto__", "method", "html"),
        tie("node"),
        { maxKeys: 4 },
      ),
      required: fc.constantFrom<string[]>([], ["action"], ["sql", "code"]),
    }),
    fc.record({ oneOf: fc.array(tie("node"), { maxLength: 3 }), description }),
    fc.record({ type: fc.constant("array"), items: tie("node") }),
  ),
})).node;
const hint = fc.option(fc.boolean(), { nil: undefined });
const tool: fc.Arbitrary<ToolDefinition> = fc.record({
  name,
  description,
  inputSchema: schema,
  annotations: fc.record({ readOnlyHint: hint, destructiveHint: hint }),
}) as never;

describe("whatever a server sends", () => {
  it("nothing throws, and the answer is whole", () => {
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), tool), (any) => {
        const found = classify(any as never);
        expect(TOOL_CLASSES).toContain(found.class);
        expect(found.evidence.length).toBeGreaterThan(0);
        expect(found.risk).toBe(
          { read: "low", write: "medium", execute: "high", financial: "critical", destructive: "critical" }[
            found.class
          ],
        );
        expect(classify(any as never)).toEqual(found);
      }),
      { ...SEED, numRuns: 1_500 },
    );
  });

  it("a suggested policy is valid, and lists no destructive tool of one action", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof({ weight: 1, arbitrary: fc.jsonValue() }, { weight: 5, arbitrary: tool }), {
          maxLength: 8,
        }),
        (tools) => {
          const policy = suggestPolicy(tools as never);
          expect(validate({ text: JSON.stringify(policy) }).problems).toEqual([]);
          for (const each of tools) {
            const found = classify(each as never);
            const listed = Object.hasOwn(policy.tools!, found.name) && !policy.hide?.includes(found.name);
            if (!listed) continue;
            const policyOf = policy.tools![found.name]!;
            if (found.actions === undefined) expect(found.class).not.toBe("destructive");
            if (found.risk === "critical") expect(policyOf.approve_if?.length).toBeGreaterThan(0);
            if (found.class !== "read") expect(policyOf.limits?.length).toBeGreaterThan(0);
            expect(found.signals.filter(({ kind }) => kind === "instructions")).toEqual([]);
          }
        },
      ),
      SEED,
    );
  });

  it("no evidence that is added makes a tool milder, and grave evidence makes it grave", () => {
    const MORE: readonly (readonly [least: number, (of: any) => unknown])[] = [
      [
        0,
        (of) => ({
          ...of,
          annotations: { ...of.annotations, readOnlyHint: of.annotations.readOnlyHint ?? true },
        }),
      ],
      [1, (of) => ({ ...of, annotations: { ...of.annotations, readOnlyHint: false } })],
      [0, (of) => ({ ...of, annotations: { ...of.annotations, destructiveHint: true } })],
      [4, (of) => ({ ...of, name: `${of.name}_and_delete` })],
      [4, (of) => ({ ...of, description: `${of.description}\nThis action cannot be undone.` })],
      [
        0,
        (of) => ({
          ...of,
          inputSchema: { allOf: [of.inputSchema, { properties: { url: { type: "string" } } }] },
        }),
      ],
    ];
    const plain = tool.map((of) => ({ ...of, name: of.name.slice(0, 100) }));
    fc.assert(
      fc.property(plain, fc.constantFrom(...MORE), (of, [least, more]) => {
        const [before, after] = [classify(of), classify(more(of) as never)];
        expect(gravity(after)).toBeGreaterThanOrEqual(Math.max(gravity(before), least));
      }),
      { ...SEED, numRuns: 1_500 },
    );
  });

  it("an action or an argument that is added makes a tool no milder", () => {
    const actions = fc.uniqueArray(
      fc.constantFrom("list", "get", "create", "run", "refund", "delete", "odd"),
      { minLength: 2 },
    );
    fc.assert(
      fc.property(
        name,
        description,
        actions,
        fc.constantFrom("drop", "eval", "read", "strange"),
        (named, told, some, added) => {
          const of = (list: string[], more = {}) =>
            classify({
              name: named,
              description: told,
              inputSchema: { properties: { action: { enum: list }, ...more } },
            } as never);
          expect(gravity(of([...some, added]))).toBeGreaterThanOrEqual(gravity(of(some)));
          expect(gravity(of(some, { sql: { type: "string" } }))).toBeGreaterThanOrEqual(gravity(of(some)));
        },
      ),
      SEED,
    );
  });
});
