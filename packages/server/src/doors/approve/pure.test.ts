import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json } from "../../features/ledger/service.ts";
import { changesOf, fieldsOf } from "./fields.ts";
import { html } from "./html.ts";
import { formRefusal, type Place, placeRefusal } from "./place.ts";
import { cookieValue } from "./session.ts";
import { visible } from "./visible.ts";

const NAMED: Readonly<Record<string, string>> = {
  "&amp;": "&",
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&#39;": "'",
};
const plainText = (text: string) => text.replace(/&(?:amp|lt|gt|quot|#39);/g, (each) => NAMED[each]!);

/** What a mark stands for. */
function meant(mark: string): string {
  if (mark === "↵") return "";
  const [count, what] = mark.split(" ") as [string, string?];
  if (what === "spaces") return " ".repeat(Number(count));
  if (what === "line") return "\n".repeat(Number(count) - 1);
  return mark
    .split(" ")
    .map((each) => String.fromCodePoint(Number.parseInt(each.slice(2), 16)))
    .join("");
}

const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({
    unit: fc.constantFrom("a", "<", "&", "'", '"', " ", "\n", "\r", "\t", "\u202e", "\u0301", "\ud800", "é"),
  }),
);

describe("text of others", () => {
  it("is all there, and nothing of it is markup or out of sight", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const shown = visible(text).text;
        const parts = shown.split(/<b class="mark">([^<]*)<\/b>/);
        const back = parts.map((part, at) => (at % 2 === 1 ? meant(part) : plainText(part))).join("");
        expect(back).toBe(text);
        const plain = parts.filter((_, at) => at % 2 === 0).join("");
        expect(plain).not.toMatch(/[<>"']|&(?!(amp|lt|gt|quot|#39);)/);
        expect(plain).not.toMatch(/[^\P{C}\n]|[\p{Zl}\p{Zp}\u2800]|\p{Default_Ignorable_Code_Point}/u);
        expect(plain).not.toMatch(/ {9}|\n\n\n|\p{M}{4}/u);
      }),
      { seed: 11, numRuns: 3_000 },
    );
  });

  it("in a template is escaped, also in attributes; what is HTML already is not", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const made = html`<p title="${text}">${[text, html`<b>${text}</b>`]}</p>`.text;
        const [, title, first, second] = /^<p title="([^"<>]*)">([^<>"']*)<b>([^<>"']*)<\/b><\/p>$/.exec(
          made,
        )!;
        expect([title, first, second].map((each) => plainText(each!))).toEqual([text, text, text]);
      }),
      { seed: 12 },
    );
  });
});

describe("fields", () => {
  const json = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>;
  const plain = (value: Json): Json => JSON.parse(JSON.stringify(value));

  it("name every leaf once, and its value", () => {
    fc.assert(
      fc.property(json, (given) => {
        const value = plain(given);
        const fields = fieldsOf(value);
        expect(new Set(fields.map(({ path }) => JSON.stringify(path))).size).toBe(fields.length);
        for (const { path, leaf } of fields) {
          const at = path.reduce<unknown>((each, name) => (each as Record<string, unknown>)[name], value);
          expect(at).toEqual("scalar" in leaf ? leaf.scalar : JSON.parse(leaf.empty));
        }
      }),
      { seed: 13 },
    );
  });

  it("two values differ in a field exactly when they differ, and the fields say how", () => {
    fc.assert(
      fc.property(json, json, fc.boolean(), (one, other, same) => {
        const [before, after] = [plain(one), plain(same ? one : other)];
        // Null as a whole stands for nothing there.
        fc.pre(before !== null && after !== null);
        const changes = changesOf(before, after);
        expect(changes.length === 0).toBe(isDeepStrictEqual(before, after));
        const keyed = (value: Json) =>
          new Map(fieldsOf(value).map(({ path, leaf }) => [JSON.stringify(path), leaf]));
        const state = keyed(before);
        for (const change of changes) {
          const key = JSON.stringify(change.path);
          expect(state.get(key) ?? null).toEqual(change.before);
          if (change.after === null) state.delete(key);
          else state.set(key, change.after);
        }
        expect(Object.fromEntries(state)).toEqual(Object.fromEntries(keyed(after)));
      }),
      { seed: 14, numRuns: 500 },
    );
  });
});

describe("where a request comes from", () => {
  const place = (over: Partial<Place>): Place => ({
    host: "api.example.com",
    origin: "https://api.example.com",
    fetchSite: "same-origin",
    localPort: 4000,
    publicUrl: "https://api.example.com",
    ...over,
  });

  it("only our own names count", () => {
    for (const host of ["api.example.com", "API.example.com:443", "localhost:4000", "[::1]:4000"]) {
      expect([host, placeRefusal(place({ host }))]).toEqual([host, null]);
    }
    for (const host of [
      undefined,
      "",
      "shop.api.example.com",
      "example.com",
      "api.example.com.",
      "api.example.com:80",
      "localhost",
      "a b",
      "api.example.com/x",
      "x@api.example.com",
    ]) {
      expect([host, placeRefusal(place({ host }))?.status]).toEqual([host, 404]);
    }
  });

  it("only forms of this very origin count", () => {
    expect(formRefusal(place({}))).toBeNull();
    expect(formRefusal(place({ fetchSite: undefined }))).toBeNull();
    expect(formRefusal(place({ host: "localhost:4000", origin: "http://localhost:4000" }))).toBeNull();
    for (const over of [
      { origin: undefined },
      { origin: "null" },
      { origin: "http://api.example.com" },
      { origin: "https://shop.api.example.com" },
      { origin: "http://localhost:4000" },
      { fetchSite: "same-site" },
      { fetchSite: "none" },
    ]) {
      expect(formRefusal(place(over))?.code).toBe("APPROVE_FOREIGN_FORM");
    }
  });

  it("a cookie that is there twice is not believed", () => {
    expect(cookieValue("a=1; b=2", "b")).toBe("2");
    expect(cookieValue("xb=1; b=2=3", "b")).toBe("2=3");
    expect(cookieValue("b=1; b=2", "b")).toBeNull();
    expect(cookieValue(undefined, "b")).toBeNull();
  });
});
