import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { linesOf } from "./lines.ts";
import type { Report } from "./report.ts";
import { linesOfLog, logOf, VKEY } from "./testing/log.ts";
import { verifyExport } from "./verify.ts";

const only = (report: Report) => {
  expect(report.problems).toHaveLength(1);
  return report.problems[0]!;
};
const LOG = logOf(30, [0, 5, 10, 20]);
const linesWith = (change: (lines: string[], at: (index: number) => number) => void): string[] => {
  const lines = linesOfLog(LOG);
  change(lines, (index) => lines.findIndex((line) => line.startsWith(`{"i":${index},`)));
  return lines;
};

describe("garbage", () => {
  it("is no export, and is not looked at any further", async () => {
    const header = linesOfLog(LOG)[0]!;
    const firsts = [
      "",
      "\u0000\u0001",
      "{}",
      "[]",
      "null",
      header.replace('"v":1', '"v":2'),
      header.slice(0, 40),
    ];
    for (const first of firsts)
      expect(only(await verifyExport([first, "x", "y"], VKEY))).toMatchObject({
        kind: "not_an_export",
        line: 1,
      });
    expect(only(await verifyExport([], VKEY))).toMatchObject({ kind: "not_an_export" });
  });

  it("in a line is told with the number of the line", async () => {
    const garbage = [
      "",
      "\u0000",
      "7",
      "null",
      "[1]",
      "{}",
      '{"i":-1,"entry":"x"}',
      '{"i":1e300,"entry":"x"}',
      '{"i":5}',
      '{"i":5,"entry":7}',
      '{"i":5,"leaf":"AAAA"}',
      '{"i":5,"leaf":"AAAA","entry":"x"}',
      '{"i":5,"leaf":null,"entry":"x"}',
      '{"i":5,"entry":"x","openings":[]}',
      '{"checkpoint":7}',
      '{"i":5,"entry":"x","more":1}',
      `{"i":5,"entry":"${"x".repeat(17 * 1024 * 1024)}"}`,
      "[".repeat(100_000),
      `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`,
    ];
    for (const line of garbage) {
      const report = await verifyExport(
        linesWith((all, at) => all.splice(at(5), 0, line)),
        VKEY,
      );
      expect(only(report)).toMatchObject({ kind: "unreadable_line", line: 9 });
      expect(only(report).message.length).toBeLessThan(200);
    }
  });

  it("without end is read with bounded memory and told in bounded length", async () => {
    function* endless() {
      yield Buffer.from(linesOfLog(LOG)[0]!);
      const chunk = Buffer.alloc(1024 * 1024, "x");
      for (let at = 0; at < 64; at++) yield chunk;
      yield Buffer.from("\n");
      for (let at = 0; at < 5_000; at++)
        yield Buffer.from(`{"i":${at * 2 + 1},"entry":"{}"}\n${"y\n".repeat(10)}`);
    }
    const long = [
      Buffer.from('{"a":"'),
      ...Array.from({ length: 9 }, () => Buffer.from("€")),
      Buffer.from('"}\n7\n8'),
    ];
    const read: string[][] = [];
    for await (const lines of linesOf(long, 20)) read.push(lines);
    expect(read).toEqual([[expect.stringMatching(/^\{"a":"€+"\} *$/), "7"], ["8"]]);
    expect(read[0]![0]!.length).toBeGreaterThan(20);
    let longest = 0;
    async function* measured() {
      for await (const lines of linesOf(endless())) {
        longest = Math.max(longest, ...lines.map((line) => line.length));
        yield lines;
      }
    }
    const report = await verifyExport(measured(), VKEY);
    expect(longest).toBeLessThan(18 * 1024 * 1024);
    expect([report.ok, report.problems.length]).toEqual([false, 1_000]);
    expect(report.omitted).toBeGreaterThan(50_000);
  });

  it("of any kind never breaks the verifier and is never taken for good", async () => {
    const lines = linesOfLog(LOG);
    const bytes = Buffer.from(lines.join(""));
    const start = lines[0]!.length;
    const spot = fc.record({ at: fc.integer({ min: start, max: bytes.length - 2 }), byte: fc.nat(255) });
    await fc.assert(
      fc.asyncProperty(fc.array(spot, { minLength: 1, maxLength: 3 }), async (spots) => {
        const copy = Buffer.from(bytes);
        for (const { at, byte } of spots) copy[at] = byte;
        const report = await verifyExport(linesOf([copy]), VKEY);
        // A line may be written in several ways that mean the same; those are no forgery.
        if (report.ok) expect(meaning(copy)).toEqual(meaning(bytes));
      }),
      { numRuns: 1_500, seed: 4 },
    );
  });
});

const meaning = (bytes: Buffer) =>
  bytes
    .toString()
    .split("\n")
    .slice(1, -1)
    .map((line) => JSON.parse(line));
