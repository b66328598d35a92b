import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readTools } from "./definitions.ts";
import { limits } from "./limits.ts";

const hashOf = (definition: unknown) => readTools([definition])[0]!.hash;
const code = (tools: readonly unknown[]) => {
  try {
    readTools(tools);
    return null;
  } catch (error) {
    return (error as { code?: string }).code;
  }
};

/** The same JSON with the fields of every object in another order. */
const reversed = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, each]) => [key, reversed(each)]),
  );
};

describe("definitions", () => {
  it("have one hash in whatever order their fields come, and another for every other value anywhere", () => {
    const json = fc.jsonValue({ maxDepth: 4, noUnicodeString: false });
    fc.assert(
      fc.property(json, json, (inner, other) => {
        const definition = { name: "a", description: "b", inputSchema: { type: "object", extra: inner } };
        expect(hashOf(reversed(definition))).toBe(hashOf(definition));
        const changed = { ...definition, inputSchema: { type: "object", extra: other } };
        if (JSON.stringify(sorted(inner)) !== JSON.stringify(sorted(other))) {
          expect(hashOf(changed)).not.toBe(hashOf(definition));
        }
      }),
      { seed: 7, numRuns: 200 },
    );
  });

  it("cover every field: title, annotations, output schema, _meta and fields nobody knows", () => {
    const base = { name: "a", description: "b" };
    const all = [
      base,
      { ...base, title: "A" },
      { ...base, annotations: { readOnlyHint: true } },
      { ...base, outputSchema: { type: "object" } },
      { ...base, _meta: { ui: "x" } },
      { ...base, unknown: 1 },
      { ...base, description: "b " },
    ];
    expect(new Set(all.map(hashOf)).size).toBe(all.length);
  });

  it("are refused as a list when one has no usable name, shares one, or is no JSON", () => {
    const wrong: unknown[] = [
      ...[null, 1, "a", [], {}, { name: 1 }, { name: "" }, { name: "a\nb" }, { name: "a\u0000" }],
      ...[{ name: "\ud800" }, { name: "n".repeat(limits.toolNameChars + 1) }],
      ...[
        { name: "a", x: "\udfff" },
        { name: "a", x: Number.POSITIVE_INFINITY },
        { name: "a", x: undefined },
      ],
    ];
    for (const each of wrong) expect(code([{ name: "good" }, each])).toBe("GATEWAY_TOOLS_UNREADABLE");
    expect(code([{ name: "a" }, { name: "b" }, { name: "a" }])).toBe("GATEWAY_TOOLS_UNREADABLE");
    expect(code([{ name: "a" }, { name: "a", description: "other" }])).toBe("GATEWAY_TOOLS_UNREADABLE");
    expect(code([{ name: "__proto__" }, { name: "constructor" }, { name: "A" }, { name: "a" }])).toBeNull();
  });

  it("are bounded in number and size", () => {
    const many = Array.from({ length: limits.tools }, (_, n) => ({ name: `t${n}` }));
    expect(code(many)).toBeNull();
    expect(code([...many, { name: "one more" }])).toBe("QUOTA_GATEWAY_TOOLS");
    const large = (bytes: number) => "x".repeat(bytes - JSON.stringify({ name: "a", x: "" }).length);
    expect(code([{ name: "a", x: large(limits.definitionBytes) }])).toBeNull();
    expect(code([{ name: "a", x: large(limits.definitionBytes + 1) }])).toBe("QUOTA_GATEWAY_TOOLS");
    const heavy = Array.from({ length: 33 }, (_, n) => ({ name: `t${n}`, x: "x".repeat(250_000) }));
    expect(code(heavy.slice(0, 32))).toBeNull();
    expect(code([...heavy, ...heavy.map(({ x }, n) => ({ name: `u${n}`, x }))])).toBe("QUOTA_GATEWAY_TOOLS");
  });
});

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, each]) => [key, sorted(each)]);
}
