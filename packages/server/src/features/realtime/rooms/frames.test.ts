import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { fitting, pack, readBatch, standing, writeBatch } from "./batch.ts";
import { depthOf, jsonText, roomFrames } from "./frames.ts";
import { limits } from "./limits.ts";

const depth = (value: unknown): number =>
  typeof value === "object" && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depth)) : 0;

describe("frames of clients", () => {
  const schema = z.discriminatedUnion("type", [...roomFrames]);
  const joins = (channel: unknown) => schema.safeParse({ type: "broadcast_join", channel }).success;

  it("name rooms and channels with whole characters that can be seen", () => {
    expect(["a", "private:1", "Büro 7", "😀", "x".repeat(limits.nameChars)].map(joins)).not.toContain(false);
    const bad = ["", "a\nb", "a\u0000", "\ud83d", "x".repeat(limits.nameChars + 1), 7, null, undefined];
    expect(bad.map(joins)).not.toContain(true);
  });

  it("are measured in depth as they are nested, whatever their texts hold", () => {
    const key = fc.constantFrom("a", '"', "[", "{\\", "]}");
    const value = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 6 },
        fc.oneof(key, fc.integer(), fc.constant(null)),
        fc.array(tie("tree"), { maxLength: 3 }),
        fc.dictionary(key, tie("tree"), { maxKeys: 3 }),
      ),
    })).tree;
    fc.assert(
      fc.property(value, (tree) => {
        expect(depthOf(JSON.stringify(tree))).toBe(depth(tree));
      }),
      { seed: 5, numRuns: 500 },
    );
    const nested = (levels: number) => JSON.parse("[".repeat(levels) + "]".repeat(levels));
    expect(jsonText(nested(limits.jsonDepth))).toHaveLength(2 * limits.jsonDepth);
    expect([jsonText(nested(limits.jsonDepth + 1)), jsonText(nested(100_000))]).toEqual([null, null]);
  });
});

describe("batches", () => {
  it("come out as they were put in, whatever they hold", () => {
    const message = fc.tuple(fc.string(), fc.jsonValue());
    fc.assert(
      fc.property(fc.string(), fc.nat(), fc.array(message), (node, number, messages) => {
        const text = writeBatch(
          node,
          number,
          messages.map(([topic, body]) => pack(topic, body)),
        );
        expect(text).not.toContain("\u0000");
        const plain = JSON.parse(JSON.stringify({ node, number, messages }));
        expect(readBatch(text)).toEqual(plain);
      }),
      { seed: 11 },
    );
    for (const other of ["", "{}", "7", "null", '{"n":"a","s":1,"m":[7]}', '{"n":"a","s":-0.5,"m":[]}'])
      expect(readBatch(other)).toBe(null);
  });

  it("take as many messages as fit, in order, and always one", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50), { minLength: 1 }), fc.nat(100), (sizes, most) => {
        const count = fitting(sizes, most);
        const sum = (n: number) => sizes.slice(0, n).reduce((all, size) => all + size, 0);
        expect(count).toBeGreaterThan(0);
        expect(count === 1 || sum(count) <= most).toBe(true);
        expect(count === sizes.length || sum(count + 1) > most).toBe(true);
      }),
      { seed: 12 },
    );
  });

  it("know their place from their number", () => {
    expect([standing(undefined, 7), standing(7, 8), standing(7, 9), standing(7, 7), standing(7, 1)]).toEqual([
      ...["next", "next", "gap", "again", "again"],
    ]);
  });
});
