import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json, JsonObject } from "../ledger/service.ts";
import { limits } from "./limits.ts";
import { checkTemplate, render } from "./template.ts";

const json = fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.parse(JSON.stringify(value)) as Json);

describe("render", () => {
  it("keeps the kind of a value that stands alone, and writes it into longer texts", () => {
    const variables = { amount: 12.5, who: { name: "Ada", tags: ["a", "b"] }, none: null, on: true };
    const template = {
      alone: "{{amount}}",
      spaced: "{{ who.tags }}",
      inside: "{{who.name}} owes {{amount}}, {{none}}{{on}} {{who.tags}}",
      index: "{{who.tags.1}}",
      list: ["{{on}}", { deep: "{{none}}" }],
      kept: 7,
    };
    expect(render(template, variables)).toEqual({
      alone: 12.5,
      spaced: ["a", "b"],
      inside: 'Ada owes 12.5, true ["a","b"]',
      index: "b",
      list: [true, { deep: null }],
      kept: 7,
    });
  });

  it("gives back any value there is, and changes nothing that names no variable", () => {
    fc.assert(
      fc.property(json, fc.dictionary(fc.string(), json), (value, other) => {
        expect(render({ field: "{{v}}" }, { v: value })).toEqual({ field: value });
        const plain = JSON.parse(JSON.stringify(other).replaceAll("{{", "")) as JsonObject;
        expect(render(plain, {})).toEqual(plain);
      }),
    );
  });

  it("does not look through what was filled in", () => {
    expect(render({ a: "{{x}}", b: "<{{x}}>" }, { x: "{{secret}}", secret: "no" })).toEqual({
      a: "{{secret}}",
      b: "<{{secret}}>",
    });
  });

  it("fails on what is not there, also where JavaScript has something", () => {
    for (const name of [
      "gone",
      "who.gone",
      "constructor",
      "__proto__",
      "who.toString",
      "text.length",
      "who.tags.9",
    ]) {
      expect(() => render({ a: `{{${name}}}` }, { who: { tags: [] }, text: "abc" })).toThrow(
        expect.objectContaining({ code: "RULE_VARIABLE_MISSING", details: { variable: name } }),
      );
    }
  });

  it("stops before a payload gets too large", () => {
    const long = "x".repeat(limits.payloadBytes / 2);
    expect(() => render({ a: "{{long}}" }, { long })).not.toThrow();
    expect(() => render({ a: "{{long}}-{{long}}-{{long}}".repeat(500) }, { long })).toThrow(/larger than/);
    expect(() => render({ a: ["{{long}}", "{{long}}", "{{long}}"] }, { long })).toThrow(/larger than/);
  });
});

describe("checkTemplate", () => {
  it("refuses braces that begin no variable", () => {
    for (const text of ["{{", "{{ }}", "{{a b}}", "{{a", "{{a.}}", "{{1}}", "{{a}} {{b"]) {
      expect(() => checkTemplate({ list: [{ text }] }), text).toThrow(/begins no variable/);
    }
    checkTemplate({ a: "{{a}} and {{ b.c-d.0 }}, {c}, }}", b: [1, null, true] });
  });

  it("bounds size and depth", () => {
    expect(() => checkTemplate({ a: "x".repeat(limits.templateBytes) })).toThrow(/larger/);
    let deep: JsonObject = {};
    for (let n = 0; n <= limits.templateDepth; n++) deep = { deep };
    expect(() => checkTemplate(deep)).toThrow(/nested/);
  });
});
