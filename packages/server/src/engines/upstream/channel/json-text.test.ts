import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addMembers, memberSpan, removeMember, replaceMembers } from "./json-text.ts";

const seed = 20_261_122;

/** JSON text of a value with spaces wherever they may be. */
function spaced(value: unknown, space: () => string): string {
  if (Array.isArray(value))
    return `[${value.map((one) => space() + spaced(one, space) + space()).join(",")}${space()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(
    ([key, one]) => `${space()}${JSON.stringify(key)}${space()}:${space()}${spaced(one, space)}${space()}`,
  );
  return `{${members.join(",")}${space()}}`;
}

const key = fc.constantFrom("id", "result", "a", 'a"b', "a\\", "ä", "_meta", "params", "", "__proto__");
const { object } = fc.letrec((tie) => ({
  object: fc.dictionary(key, tie("value"), { maxKeys: 5, noNullPrototype: false }),
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(1, -2.5e30, true, null, "", 'te"xt', "back\\", '\\"}', "{", "]"),
    fc.array(tie("value"), { maxLength: 3 }),
    tie("object"),
  ),
}));
const spaces = fc.infiniteStream(fc.constantFrom("", "", " ", "\n\t", "\r "));
const given = fc.tuple(object as fc.Arbitrary<Record<string, unknown>>, spaces, key, key);
const textOf = (value: unknown, stream: Iterator<string>) => spaced(value, () => stream.next().value ?? "");

describe("members of a JSON text", () => {
  it("are found where JSON.parse finds them", () => {
    fc.assert(
      fc.property(given, ([value, stream, first, second]) => {
        const text = textOf(value, stream);
        for (const path of [[first], [first, second]]) {
          const span = memberSpan(text, path);
          let wanted: unknown = value;
          for (const name of path) {
            const inside = typeof wanted === "object" && wanted !== null && !Array.isArray(wanted);
            wanted = inside && Object.hasOwn(wanted as object, name) ? (wanted as any)[name] : undefined;
          }
          if (wanted === undefined) expect(span).toBe(null);
          else expect(JSON.parse(text.slice(span!.start, span!.end))).toEqual(wanted);
        }
      }),
      { seed, numRuns: 1_000 },
    );
  });

  it("are replaced, added and removed, and nothing else changes by a byte", () => {
    fc.assert(
      fc.property(given, ([value, stream, name]) => {
        const text = textOf(value, stream);
        const replaced = replaceMembers(text, [{ path: [name], value: '"new"' }]);
        const removed = removeMember(text, [name]);
        const added = addMembers(text, [], '"fresh":1');
        expect(JSON.parse(added!)).toEqual({ fresh: 1, ...value });
        if (!Object.hasOwn(value, name)) {
          expect([replaced, removed]).toEqual([null, null]);
          return;
        }
        const span = memberSpan(text, [name])!;
        expect(replaced).toBe(`${text.slice(0, span.start)}"new"${text.slice(span.end)}`);
        const left = Object.entries(value).filter(([key]) => key !== name);
        expect(Object.entries(JSON.parse(removed!))).toEqual(left);
      }),
      { seed, numRuns: 1_000 },
    );
  });

  it("keeps what JavaScript can't hold", () => {
    const text = '{"result":{"n":12345678901234567890.10,"e":1E+2, "\\u0061":1.0} , "jsonrpc":"2.0","id":5}';
    expect(replaceMembers(text, [{ path: ["id"], value: '"five"' }])).toBe(text.replace("5}", '"five"}'));
    expect(addMembers(text, ["result"], '"x":1')).toBe(text.replace('{"n"', '{"x":1,"n"'));
    expect(memberSpan(text, ["result", "a"])).not.toBe(null);
  });

  it("says nothing of a name that is there twice", () => {
    for (const text of ['{"id":1,"id":2}', '{"id":1,"\\u0069d":2}', '{"a":{"id":1,"id":2}}']) {
      const path = text.startsWith('{"a"') ? ["a", "id"] : ["id"];
      expect(memberSpan(text, path)).toBe(null);
      expect(replaceMembers(text, [{ path, value: "3" }])).toBe(null);
      expect(removeMember(text, path)).toBe(null);
    }
  });
});
