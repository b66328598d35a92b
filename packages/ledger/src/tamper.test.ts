import fc from "fast-check";
import { expect, it } from "vitest";
import { checkpointLine } from "./export.ts";
import type { ProblemKind, Report } from "./report.ts";
import {
  leafOf,
  lineOfLeaf,
  linesOfLog,
  logOf,
  noteOf,
  OTHER_KEY,
  type TestLeaf,
  type TestLog,
  VKEY,
} from "./testing/log.ts";
import { verifyExport } from "./verify.ts";

/*
 * Random ledgers, one forgery each. The forger may do anything but sign with the ledger's key: renumber, drop
 * checkpoints, mend the first line. The verifier has the key, and a checkpoint it kept.
 */

interface Forgery {
  readonly leaves: TestLeaf[];
  /** The entries that a problem must name, or a range around one of them. */
  readonly near: number;
  readonly kinds: readonly ProblemKind[];
}

const swapped = <T>(items: readonly T[], one: number, other: number): T[] =>
  items.map((item, at) => (at === one ? items[other]! : at === other ? items[one]! : item));

/** What each forger does to the leaves at place `at` of a ledger of two entries or more. */
const FORGERS: Record<string, (leaves: readonly TestLeaf[], at: number) => Forgery> = {
  change: (leaves, at) => {
    const { entry } = leaves[at]!;
    const forged = { ...leaves[at]!, entry: { ...entry, data: { ...entry.data, verdict: "rejected" } } };
    return { leaves: leaves.with(at, forged), near: at, kinds: ["changed"] };
  },
  remove: (leaves, at) => ({
    leaves: leaves.toSpliced(at, 1),
    near: at,
    kinds: ["removed", "missing", "tail_cut", "changed"],
  }),
  insert: (leaves, at) => ({
    leaves: leaves.toSpliced(at, 0, leafOf(at, { seed: `forged ${at}` })),
    near: at,
    kinds: ["inserted", "changed", "unsigned", "duplicate_index"],
  }),
  copy: (leaves, at) => ({
    leaves: leaves.toSpliced(at, 0, leaves[(at + 1) % leaves.length]!),
    near: at,
    kinds: ["inserted", "changed", "unsigned", "duplicate_id", "duplicate_index"],
  }),
  reorder: (leaves, at) => {
    const other = (at + 1) % leaves.length;
    return { leaves: swapped(leaves, at, other), near: Math.min(at, other), kinds: ["changed", "reordered"] };
  },
};

/** The forged export: the true checkpoints among other leaves, which have new numbers or their old ones. */
function forgedLines(
  log: TestLog,
  forgery: Forgery,
  renumbered: boolean,
  sizes: readonly number[],
): string[] {
  const lines = linesOfLog({ ...log, leaves: [], sizes: [] });
  const numbers = forgery.leaves.map((leaf, at) => {
    const was = log.leaves.findIndex(({ entry }) => entry.id === leaf.entry.id);
    return renumbered || was < 0 ? at : was;
  });
  lines[0] = lines[0]!.replace('"size":0', `"size":${forgery.leaves.length}`);
  forgery.leaves.forEach((leaf, at) => {
    if (sizes.includes(at)) lines.push(checkpointLine(noteOf(log, at)));
    lines.push(lineOfLeaf(numbers[at]!, leaf));
  });
  for (const size of sizes) if (size >= forgery.leaves.length) lines.push(checkpointLine(noteOf(log, size)));
  return lines;
}

const logs = fc
  .record({
    size: fc.integer({ min: 2, max: 24 }),
    sizes: fc.array(fc.nat(24)),
    foreign: fc.array(fc.nat(23)),
  })
  .map(({ size, sizes, foreign }) => {
    const log = logOf(
      size,
      sizes.filter((at) => at < size),
    );
    for (const at of foreign) if (at < size) log.leaves[at] = { ...log.leaves[at]!, foreign: true };
    return log;
  });

/** Whether the problem names the entry, or a range with it, counting one more at each end for what moved up or down. */
const names = ({ problems }: Report, near: number) =>
  problems.some(({ index, from, to }) => {
    if (index !== undefined) return Math.abs(index - near) <= 1;
    return from !== undefined && to !== undefined && from <= near + 1 && near - 1 <= to;
  });

it("an untouched export is never reported", async () => {
  await fc.assert(
    fc.asyncProperty(logs, fc.nat(), async (log, pick) => {
      const checkpoints = [noteOf(log, pick % (log.leaves.length + 1))];
      const report = await verifyExport(linesOfLog(log), VKEY, { checkpoints });
      expect(report.problems).toEqual([]);
      expect(report).toMatchObject({ ok: true, proven: log.leaves.length });
    }),
    { numRuns: 200, seed: 4 },
  );
});

it.each(Object.keys(FORGERS))(
  "a forgery of the kind '%s' is always reported, with its place",
  async (name) => {
    await fc.assert(
      fc.asyncProperty(logs, fc.nat(), fc.boolean(), async (log, pick, renumbered) => {
        const at = pick % log.leaves.length;
        const forgery = FORGERS[name]!(log.leaves, at);
        const report = await verifyExport(forgedLines(log, forgery, renumbered, log.sizes), VKEY);
        expect(report.ok).toBe(false);
        expect(report.problems.some(({ kind }) => forgery.kinds.includes(kind))).toBe(true);
        expect([report.problems, names(report, forgery.near)]).toEqual([report.problems, true]);
        expect(report.proven).toBeLessThanOrEqual(forgery.near);
      }),
      { numRuns: 150, seed: 4 },
    );
  },
);

it("a cut tail is always reported against a checkpoint that was kept", async () => {
  await fc.assert(
    fc.asyncProperty(logs, fc.nat(), fc.nat(), async (log, pick, other) => {
      const end = pick % log.leaves.length;
      const keptSize = end + 1 + (other % (log.leaves.length - end));
      const sizes = [...log.sizes.filter((size) => size < end), end];
      const lines = linesOfLog({ ...log, leaves: log.leaves.slice(0, end), sizes });
      const report = await verifyExport(lines, VKEY, { checkpoints: [noteOf(log, keptSize)] });
      expect(report.problems).toMatchObject([{ kind: "tail_cut", from: end, to: keptSize - 1 }]);
    }),
    { numRuns: 150, seed: 4 },
  );
});

it("a history signed anew with another key is always reported", async () => {
  await fc.assert(
    fc.asyncProperty(logs, fc.nat(), fc.boolean(), async (log, pick, whole) => {
      const at = pick % log.leaves.length;
      const { leaves } = FORGERS.change!(log.leaves, at);
      const forged = { ...log, leaves };
      const lines = linesOfLog(log);
      const mended = linesOfLog({ ...forged, key: OTHER_KEY }).map((line, place) =>
        whole || line.includes('{"checkpoint"') || line.startsWith(`{"i":${at},`) ? line : lines[place]!,
      );
      const report = await verifyExport(mended, VKEY);
      expect(report.problems.map(({ kind }) => kind)).toContain("forged_signature");
      expect(report.proven).toBe(0);
    }),
    { numRuns: 100, seed: 4 },
  );
});
