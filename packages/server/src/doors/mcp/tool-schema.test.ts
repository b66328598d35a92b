import { AjvJsonSchemaValidator } from "@modelcontextprotocol/server/validators/ajv";
import fc from "fast-check";
import { expect, it } from "vitest";
import { z } from "zod";
import { platformOperation } from "../../kernel/operation.ts";
import { actionForm, inputSchemaOf, outputSchemaOf } from "./tool-schema.ts";

interface Kind {
  readonly schema: z.ZodType;
  readonly value: fc.Arbitrary<unknown>;
}

const KINDS: readonly Kind[] = [
  { schema: z.string(), value: fc.string() },
  {
    schema: z.string().min(2).max(4),
    value: fc.string({ minLength: 2, maxLength: 4, unit: "grapheme-ascii" }),
  },
  { schema: z.enum(["a", "b"]), value: fc.constantFrom("a", "b") },
  { schema: z.enum(["b", "c"]).describe("b or c"), value: fc.constantFrom("b", "c") },
  { schema: z.coerce.number().int().min(1).max(9).default(3), value: fc.integer({ min: 1, max: 9 }) },
  { schema: z.array(z.string()).describe("texts"), value: fc.array(fc.string()) },
  { schema: z.record(z.string(), z.unknown()), value: fc.dictionary(fc.string(), fc.jsonValue()) },
  { schema: z.unknown(), value: fc.jsonValue() },
  { schema: z.boolean().nullable(), value: fc.constantFrom(true, false, null) },
];

const field = fc.record({ kind: fc.constantFrom(...KINDS), optional: fc.boolean() });
const action = fc.dictionary(fc.constantFrom("one", "two", "three", "app_id"), field, { maxKeys: 4 });

function operationOf(name: string, fields: Record<string, { kind: Kind; optional: boolean }>) {
  const shape = Object.fromEntries(
    Object.entries(fields).map(([key, { kind, optional }]) => [
      key,
      optional ? kind.schema.optional() : kind.schema,
    ]),
  );
  return platformOperation({
    name,
    title: name,
    summary: name,
    input: z.object(shape),
    output: z.object(shape),
    right: "public",
    risk: "read",
    idempotent: true,
    run: async () => ({}),
  });
}

const validator = new AjvJsonSchemaValidator();

it("accepts in the merged schemas whatever one of the actions accepts or gives, and no unknown argument", () => {
  const property = fc.property(fc.array(action, { minLength: 1, maxLength: 4 }), fc.gen(), (actions, gen) => {
    const forms = actions.map((fields, index) => actionForm(operationOf(`t.${index}`, fields), `a${index}`));
    const input = inputSchemaOf(forms);
    const accepts = validator.getValidator(input);
    const holds = validator.getValidator(outputSchemaOf(forms));
    actions.forEach((fields, index) => {
      const args: Record<string, unknown> = {};
      for (const [key, { kind, optional }] of Object.entries(fields)) {
        if (!optional || gen(fc.boolean)) args[key] = gen(() => kind.value);
      }
      expect(holds(args).valid).toBe(true);
      expect(accepts({ ...args, action: `a${index}` }).valid).toBe(true);
      expect(accepts({ ...args, action: `a${index}`, other: 1 }).valid).toBe(false);
      expect(accepts(args).valid).toBe(false);
      for (const name of input.required as string[]) {
        const { [name]: _left, ...rest } = { ...args, action: `a${index}` } as Record<string, unknown>;
        expect(accepts(rest).valid).toBe(false);
      }
    });
  });
  fc.assert(property, { numRuns: 150 });
});

it("keeps what all actions say alike, and says which action means what", () => {
  const describe = (text: string) => ({
    kind: { schema: z.string().describe(text), value: fc.string() },
    optional: false,
  });
  const same = [operationOf("t.a", { one: describe("x") }), operationOf("t.b", { one: describe("x") })];
  expect(
    inputSchemaOf(same.map((operation) => actionForm(operation, operation.name))).properties,
  ).toMatchObject({
    one: { type: "string", description: "x" },
  });
  const apart = [operationOf("t.a", { one: describe("x") }), operationOf("t.b", { one: describe("y") })];
  expect(
    inputSchemaOf(apart.map((operation) => actionForm(operation, operation.name))).properties,
  ).toMatchObject({
    one: { description: "t.a: x. t.b: y" },
  });
});
