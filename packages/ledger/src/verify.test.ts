import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { signCheckpoint } from "./checkpoint.ts";
import { checkpointLine, exportLines, leafLine } from "./export.ts";
import { linesOf } from "./lines.ts";
import type { ProblemKind, Report } from "./report.ts";
import {
  bytesOf,
  KEY,
  leafOf,
  lineOfLeaf,
  linesOfLog,
  logOf,
  NAME,
  noteOf,
  OTHER_KEY,
  type TestLog,
  VKEY,
} from "./testing/log.ts";
import { verifyExport } from "./verify.ts";

const verify = (log: TestLog, checkpoints: string[] = []) =>
  verifyExport(linesOfLog(log), VKEY, { checkpoints });
const kinds = (report: Report) => report.problems.map(({ kind }) => kind);
const only = (report: Report) => {
  expect(report.problems).toHaveLength(1);
  return report.problems[0]!;
};
const LOG = logOf(30, [0, 5, 10, 20]);
/** The log's lines with some replaced; the line of entry i is found by `at`. */
const linesWith = (change: (lines: string[], at: (index: number) => number) => void): string[] => {
  const lines = linesOfLog(LOG);
  change(lines, (index) => lines.findIndex((line) => line.startsWith(`{"i":${index},`)));
  return lines;
};
/** The line with an entry's text alone. */
const withoutHash = (line: string) =>
  line.includes('"entry"') ? edited(line, (leaf) => delete leaf.leaf) : line;
const edited = (line: string, change: (value: any) => void) => {
  const value = JSON.parse(line);
  change(value);
  return `${JSON.stringify(value)}\n`;
};

describe("an export that is as it was signed", () => {
  it("is found to be good, and what was checked is counted", async () => {
    const log = logOf(30, [0, 5, 10, 20]);
    log.leaves[3] = { ...log.leaves[3]!, foreign: true };
    log.leaves[4] = { ...log.leaves[4]!, openings: {} };
    expect(await verify(log, [noteOf(log, 0), noteOf(log, 20), noteOf(log, 7), noteOf(log, 30)])).toEqual({
      ok: true,
      size: 30,
      entries: 29,
      foreign: 1,
      proven: 30,
      checkpoints: 5,
      openings: { checked: 28, erased: 1 },
      problems: [],
      omitted: 0,
    });
    expect((await verify(logOf(0))).ok).toBe(true);
  });

  it("comes out of the writer, whatever the checkpoints", async () => {
    const one = fc.record({ size: fc.nat(40), sizes: fc.array(fc.nat(40)), foreign: fc.array(fc.nat(39)) });
    await fc.assert(
      fc.asyncProperty(one, async ({ size, sizes, foreign }) => {
        const log = logOf(
          size,
          sizes.filter((at) => at <= size),
        );
        for (const index of foreign) {
          const leaf = log.leaves[index];
          if (leaf !== undefined) log.leaves[index] = { ...leaf, foreign: true };
        }
        const lines = linesOfLog(log);
        const parsed = lines.map((line) => JSON.parse(line));
        const written: string[] = [];
        const parts = {
          header: { ...parsed[0] },
          leaves: parsed
            .filter((line) => "i" in line)
            .map(({ i, leaf, ...rest }) => ({ index: i, leaf: Buffer.from(leaf, "base64"), ...rest })),
          checkpoints: log.sizes.map((at) => ({ size: at, note: noteOf(log, at) })),
        };
        for await (const line of exportLines(parts)) written.push(line);
        expect(written).toEqual(lines);
        expect(await verifyExport(lines, VKEY)).toMatchObject({ ok: true, proven: size });
      }),
      { numRuns: 100, seed: 4 },
    );
  });

  it("is read from chunks of any size", async () => {
    const bytes = Buffer.from(linesOfLog(LOG).join(""));
    for (const size of [1, 7, 1_000, bytes.length]) {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
        bytes.subarray(at * size, (at + 1) * size),
      );
      expect(await verifyExport(linesOf(chunks), VKEY)).toMatchObject({ ok: true, proven: 30 });
    }
  });
});

describe("what was changed", () => {
  it("is narrowed down to the entries between two good checkpoints", async () => {
    const log = logOf(30, [5, 10, 20]);
    const leaf = log.leaves[7]!;
    const lines = linesWith((all, at) => {
      all[at(7)] = lineOfLeaf(7, { ...leaf, entry: { ...leaf.entry, subject: "act_8" } });
    });
    const report = await verifyExport(lines, VKEY);
    expect(only(report)).toMatchObject({ kind: "changed", from: 5, to: 9 });
    expect(only(report).message).toBe(
      "Entries 5 to 9 are not those that were signed: at least one of them was changed or has changed places.",
    );
    expect(report.proven).toBe(5);
  });

  it("is named exactly where the text gives it away", async () => {
    const cases: [(entry: string) => string, RegExp][] = [
      [(entry) => `${entry} `, /^Entry 7 was altered: its text is not canonical JSON/],
      [(entry) => entry.slice(1), /^Entry 7 was altered: its text is not JSON/],
      [(entry) => entry.replace('"kind"', '"kinds"'), /^Entry 7 was altered: The entry has no kind/],
      [() => "[]", /^Entry 7 was altered: The entry is not an object/],
    ];
    for (const [change, message] of cases) {
      const lines = linesWith((all, at) => {
        all[at(7)] = edited(all[at(7)]!, (line) => {
          line.entry = change(line.entry);
        });
      });
      const report = await verifyExport(lines, VKEY);
      expect(only(report)).toMatchObject({ kind: "entry_malformed", index: 7 });
      expect(only(report).message).toMatch(message);
      expect((await verifyExport(lines.map(withoutHash), VKEY)).problems).toMatchObject([
        { kind: "entry_malformed", index: 7 },
        { kind: "changed", from: 5, to: 9 },
      ]);
    }
  });

  it("is named exactly where the hash was left as it was, and the rest is still proven", async () => {
    const lines = linesWith((all, at) => {
      for (const index of [7, 12])
        all[at(index)] = edited(all[at(index)]!, (line) => {
          line.entry = line.entry.replace("act_", "act_9");
        });
      all[at(22)] = lineOfLeaf(22, leafOf(22, { seed: "forged" }));
    });
    const report = await verifyExport(lines, VKEY);
    expect(report.problems).toMatchObject([
      { kind: "changed", index: 7 },
      { kind: "changed", index: 12 },
      { kind: "changed", from: 20, to: 29 },
    ]);
    expect(report.problems[0]!.message).toBe(
      "Entry 7 was altered: its text is not the one whose hash is in the tree.",
    );
    expect((await verifyExport(lines.map(withoutHash), VKEY)).problems).toMatchObject([
      { kind: "changed", from: 5, to: 9 },
    ]);
  });

  it("is named exactly where a sealed value does not fit", async () => {
    const changes: ((openings: any) => void)[] = [
      (openings) => (openings.payload.value.amount += 1),
      (openings) => (openings.payload.salt = Buffer.alloc(32).toString("base64")),
      (openings) => (openings.payload = null),
      (openings) => (openings.result = openings.payload),
    ];
    for (const change of changes) {
      const lines = linesWith((all, at) => {
        all[at(7)] = edited(all[at(7)]!, (line) => change(line.openings));
      });
      expect(only(await verifyExport(lines, VKEY))).toMatchObject({ kind: "opening_mismatch", index: 7 });
    }
  });

  it("is found in the hash of an entry that is not told", async () => {
    const log = logOf(30, [5, 10, 20]);
    log.leaves[12] = { ...log.leaves[12]!, foreign: true };
    const lines = linesOfLog(log).map((line) =>
      line.startsWith('{"i":12,') ? leafLine({ index: 12, leaf: bytesOf("x") }) : line,
    );
    expect(only(await verifyExport(lines, VKEY))).toMatchObject({ kind: "changed", from: 10, to: 19 });
  });
});

describe("what was removed, added or moved", () => {
  it("is named by its number", async () => {
    const removed = await verifyExport(
      linesWith((all, at) => all.splice(at(7), 1)),
      VKEY,
    );
    expect(only(removed)).toMatchObject({ kind: "missing", index: 7, message: "Entry 7 is missing." });
    expect(removed.proven).toBe(5);
    const more = await verifyExport(
      linesWith((all, at) => all.splice(at(7), 2)),
      VKEY,
    );
    expect(only(more)).toMatchObject({ kind: "missing", from: 7, to: 8 });

    const again = await verifyExport(
      linesWith((all, at) => all.splice(at(8), 0, all[at(7)]!)),
      VKEY,
    );
    expect(only(again)).toMatchObject({ kind: "duplicate_index", index: 7 });
    const forged = lineOfLeaf(7, leafOf(7, { seed: "forged" }));
    const before = await verifyExport(
      linesWith((all, at) => all.splice(at(7), 0, forged)),
      VKEY,
    );
    expect(before.problems).toMatchObject([
      { kind: "duplicate_index", index: 7 },
      { kind: "changed", from: 5, to: 9 },
    ]);

    const swapped = await verifyExport(
      linesWith((all, at) => {
        const [one, other] = [at(7), at(8)];
        [all[one], all[other]] = [all[other]!, all[one]!];
      }),
      VKEY,
    );
    expect(only(swapped)).toMatchObject({ kind: "reordered", index: 7 });
    expect(only(swapped).message).toBe("Entry 7 has changed places: it stands after entry 8.");
  });

  it("is found when the numbers were mended", async () => {
    const renumbered = (lines: string[]) => {
      let next = 0;
      return lines.map((line) =>
        line.startsWith('{"i":') ? edited(line, (leaf) => (leaf.i = next++)) : line,
      );
    };
    const removed = await verifyExport(renumbered(linesWith((all, at) => all.splice(at(7), 1))), VKEY);
    expect(removed.problems).toMatchObject([
      { kind: "removed", from: 5, to: 9 },
      { kind: "tail_cut", from: 5, to: 29 },
    ]);
    const added = linesWith((all, at) => all.splice(at(7), 0, lineOfLeaf(7, leafOf(7, { seed: "forged" }))));
    expect(only(await verifyExport(renumbered(added), VKEY))).toMatchObject({
      kind: "inserted",
      from: 5,
      to: 10,
    });
    const swapped = linesWith((all, at) => {
      const [one, other] = [at(7), at(8)];
      [all[one], all[other]] = [all[other]!, all[one]!];
    });
    expect(only(await verifyExport(renumbered(swapped), VKEY))).toMatchObject({
      kind: "changed",
      from: 5,
      to: 9,
    });
    const twice = linesWith((all, at) => all.splice(at(8), 0, all[at(7)]!));
    expect((await verifyExport(renumbered(twice), VKEY)).problems).toMatchObject([
      { kind: "duplicate_id", index: 8 },
      { kind: "inserted", from: 5, to: 10 },
    ]);
  });

  it("is found at the end", async () => {
    const appended = [...linesOfLog(LOG), lineOfLeaf(30, leafOf(30))];
    const report = await verifyExport(appended, VKEY);
    expect(only(report)).toMatchObject({ kind: "unsigned", from: 30, to: 30 });
    const moved = linesWith((all) =>
      all.push(
        all.splice(
          all.findIndex((line) => line.includes("checkpoint")),
          1,
        )[0]!,
      ),
    );
    expect(only(await verifyExport(moved, VKEY))).toMatchObject({ kind: "reordered" });
  });

  it("is found entry by entry in a larger gap", async () => {
    const lines = linesWith((all, at) => {
      const [moved] = all.splice(at(6), 3).slice(1, 2);
      all.splice(at(12), 0, moved!);
    });
    const report = await verifyExport(lines, VKEY, { checkpoints: [noteOf(LOG, 9), noteOf(LOG, 20)] });
    expect(report.problems).toMatchObject([
      { kind: "reordered", index: 7 },
      { kind: "missing", index: 6 },
      { kind: "missing", index: 8 },
    ]);
  });

  it("is found again after a root that was right", async () => {
    const lines = linesWith((all, at) => {
      all.splice(at(6), 0, ...all.splice(at(5) - 1, 1));
      all[at(12)] = lineOfLeaf(12, leafOf(12, { seed: "forged" }));
    });
    expect((await verifyExport(lines, VKEY)).problems).toMatchObject([
      { kind: "inserted", from: 0, to: 6 },
      { kind: "changed", from: 10, to: 19 },
    ]);
  });

  it("is found against the first line, though nobody signed that", async () => {
    const lines = linesWith((all) => {
      all[0] = all[0]!.replace('"size":30', '"size":29');
    });
    expect(only(await verifyExport(lines, VKEY))).toMatchObject({ kind: "inserted" });
  });

  it("is found in a ledger that its own owner signed with an entry twice", async () => {
    const log = logOf(30, [5, 10, 20]);
    log.leaves[29] = log.leaves[2]!;
    expect(only(await verify(log))).toMatchObject({ kind: "duplicate_id", index: 29 });
  });
});

describe("a cut tail", () => {
  const cut = (size: number): TestLog => ({
    ...LOG,
    leaves: LOG.leaves.slice(0, size),
    sizes: [...LOG.sizes.filter((at) => at < size), size],
  });

  it("is found against any checkpoint that was kept", async () => {
    expect((await verify(cut(20))).ok).toBe(true);
    const report = await verify(cut(20), [noteOf(LOG, 5), noteOf(LOG, 21)]);
    expect(only(report)).toMatchObject({ kind: "tail_cut", from: 20, to: 20 });
    expect(only(report).message).toBe(
      "The end is cut off: entry 20 of the ledger is not there. The export ends after 20 entries, but a checkpoint you kept covers 21 entries.",
    );
    expect((await verify(cut(20), [noteOf(LOG, 20)])).ok).toBe(true);
    expect(kinds(await verify(cut(0), [noteOf(LOG, 1)]))).toEqual(["tail_cut"]);
  });

  it("is found against the export's own later checkpoints, and its first line", async () => {
    const lines = linesWith((all, at) => all.splice(at(22), 8));
    expect(only(await verifyExport(lines, VKEY))).toMatchObject({ kind: "tail_cut", from: 20, to: 29 });
    const without = linesWith((all, at) => all.splice(at(20)));
    expect(only(await verifyExport(without, VKEY))).toMatchObject({ kind: "tail_cut", from: 20, to: 29 });
    const unsigned = linesWith((all) => all.pop());
    expect(only(await verifyExport(unsigned, VKEY))).toMatchObject({ kind: "unsigned", from: 20, to: 29 });
  });
});

describe("a history that was written anew", () => {
  it("is found against any checkpoint that was kept, even when the right key signed it", async () => {
    const other = logOf(30, [5, 10, 20]);
    other.leaves[12] = leafOf(12, { seed: "another past" });
    expect((await verify(other)).ok).toBe(true);
    const report = await verify(other, [noteOf(LOG, 10), noteOf(LOG, 13), noteOf(LOG, 15)]);
    expect(report.problems).toMatchObject([
      { kind: "rewritten", from: 10, to: 12 },
      { kind: "rewritten", from: 10, to: 14 },
    ]);
    expect(report.problems[0]!.message).toContain(
      "The first 13 entries are not those of the checkpoint you kept",
    );
  });

  it("is found in two checkpoints of one size", async () => {
    const forked = checkpointLine(
      signCheckpoint({ origin: NAME, size: 30, root: bytesOf("x") }, NAME, KEY.privateKey),
    );
    expect(only(await verifyExport([...linesOfLog(LOG), forked], VKEY))).toMatchObject({ kind: "changed" });
  });
});

describe("a forged signature", () => {
  const replaced = (note: string) =>
    linesWith((all) => {
      all[all.findIndex((line) => line.includes(String.raw`\n10\n`))] = checkpointLine(note);
    });

  it("is found, and its checkpoint proves nothing", async () => {
    const good = noteOf(LOG, 10);
    const forgeries = [
      noteOf(LOG, 10, OTHER_KEY),
      good.replace("\n10\n", "\n9\n"),
      good.replace(/.{8}\n$/, "AAAAAAA=\n"),
      good.replaceAll(NAME, "ambit.example/other"),
      "",
      "garbage",
    ];
    for (const note of forgeries) {
      const problem = only(await verifyExport(replaced(note), VKEY));
      expect(problem).toMatchObject({ kind: "forged_signature", line: 14 });
    }
    const foreign = signCheckpoint({ origin: "other", size: 10, root: bytesOf("x") }, NAME, KEY.privateKey);
    expect(only(await verifyExport(replaced(foreign), VKEY)).message).toMatch(/It is of the ledger "other"/);
  });

  it("is found in a whole export that another key signed, whatever its first line says", async () => {
    const log = { ...LOG, key: OTHER_KEY };
    expect(new Set(kinds(await verify(log)))).toEqual(new Set<ProblemKind>(["forged_signature", "unsigned"]));
    const nothing = linesOfLog(LOG).filter((line) => !line.includes('{"checkpoint"'));
    expect(only(await verifyExport(nothing, VKEY))).toMatchObject({ kind: "unsigned", from: 0, to: 29 });
    const empty = linesOfLog(logOf(0)).slice(0, 1);
    expect(only(await verifyExport(empty, VKEY))).toMatchObject({ kind: "unsigned" });
  });
});

describe("what the caller gives wrongly", () => {
  it("is thrown", async () => {
    const lines = linesOfLog(LOG);
    await expect(verifyExport(lines, "no key")).rejects.toMatchObject({ code: "key_malformed" });
    const kept = (note: string) => verifyExport(lines, VKEY, { checkpoints: [note] });
    await expect(kept("x")).rejects.toMatchObject({ code: "checkpoint_malformed" });
    await expect(kept(noteOf(LOG, 5, OTHER_KEY))).rejects.toMatchObject({ code: "unknown_key" });
    await expect(kept(noteOf(LOG, 5).replace("\n5\n", "\n6\n"))).rejects.toMatchObject({
      code: "bad_signature",
    });
  });
});
