import { createHash } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { exportOf } from "./stand.ts";
import type { TamperedStand } from "./tampered-stand.ts";
import { changedIn } from "./told.ts";

/** A line of an export. */
type Line = any;

const leafOf = (entry: string) =>
  createHash("sha256")
    .update(Buffer.from([0]))
    .update(entry)
    .digest("base64");

/** Whoever has an export changes it. */
export function forgedFile(standOf: () => TamperedStand): void {
  describe("a file that was forged on its way", () => {
    let lines: Line[];
    beforeAll(async () => {
      const text = await exportOf(standOf().server, standOf().ours);
      lines = text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
    });
    /** Where entry `index` stands in the file. */
    const lineOf = (index: number) => lines.findIndex(({ i }) => i === index);
    /** The file with one line changed. */
    const altered = (index: number, change: (line: Line) => Line) =>
      lines.with(lineOf(index), change(structuredClone(lines[lineOf(index)])));
    const blamed = (line: Line): Line => ({
      ...line,
      entry: line.entry.replace('"type":"person"', '"type":"agent"'),
    });
    /** Numbers entries anew, in the order in which they stand, and says in the first line how many there are. */
    const renumbered = (given: Line[]): Line[] => {
      let next = 0;
      const numbered = given.map((line) => (line.i === undefined ? line : { ...line, i: next++ }));
      return numbered.with(0, { ...numbered[0], size: next });
    };
    const isCheckpointUpTo = (size: number) => (line: Line) =>
      line.checkpoint === undefined || Number(line.checkpoint.split("\n")[1]) <= size;

    async function verify(forged: Line[], kept: readonly string[] = []) {
      const told = await standOf().witness.verify(
        `${forged.map((line) => JSON.stringify(line)).join("\n")}\n`,
        kept,
      );
      return { ...told, problems: told.lines.slice(0, -1) };
    }

    it("is good as it comes", async () => {
      expect(await verify(lines)).toMatchObject({ code: 0 });
      expect(renumbered(lines)).toEqual(lines);
    });

    it("names the entry that was changed, and with its hash changed too, those signed with it", async () => {
      const v = standOf().victim;
      const range = standOf().around(v);
      const cases: [forged: Line[], problem: string][] = [
        [
          altered(v, blamed),
          `changed: Entry ${v} was altered: its text is not the one whose hash is in the tree.`,
        ],
        [altered(v, (line) => ({ ...blamed(line), leaf: leafOf(blamed(line).entry) })), changedIn(range)],
        [altered(v, (line) => ({ ...blamed(line), leaf: undefined })), changedIn(range)],
        [altered(v, (line) => ({ i: v, leaf: leafOf(blamed(line).entry) })), changedIn(range)],
        [
          altered(v, (line) => ({ ...line, entry: `${line.entry} ` })),
          `entry_malformed: Entry ${v} was altered: its text is not canonical JSON (RFC 8785).`,
        ],
        [
          altered(v, ({ openings, ...line }) => {
            openings.payload.value.title = "harmless";
            return { ...line, openings };
          }),
          `opening_mismatch: Entry ${v} was altered: the value told as "payload" is not what the entry commits to.`,
        ],
        [
          altered(v, ({ openings, ...line }) => ({
            ...{ ...line, openings: { ...openings, motive: openings.payload } },
          })),
          `opening_mismatch: Entry ${v} was altered: the value told as "motive" is nothing the entry has sealed.`,
        ],
      ];
      for (const [forged, problem] of cases)
        expect(await verify(forged)).toMatchObject({ code: 1, problems: [problem] });
    });

    it("names what was removed, doubled, inserted or put elsewhere", async () => {
      const v = standOf().victim;
      const at = lineOf(v);
      const [from, to] = standOf().around(v);
      const removed = await verify(lines.toSpliced(at, 1));
      expect(removed).toMatchObject({ code: 1, problems: [`missing: Entry ${v} is missing.`] });
      const closedUp = await verify(renumbered(lines.toSpliced(at, 1)));
      expect(closedUp.code).toBe(1);
      expect(closedUp.problems[0]).toBe(
        `removed: Entries ${from} to ${to} are not those that were signed: at least one of them was taken out.`,
      );
      const doubled = await verify(lines.toSpliced(at, 0, lines[at]));
      expect(doubled.problems[0]).toBe(
        `duplicate_index: Entry ${v} comes a second time: it stands again after entry ${v}.`,
      );
      const inserted = await verify(
        renumbered(lines.toSpliced(at, 0, blamed({ ...lines[at], leaf: undefined }))),
      );
      expect(inserted.problems).toContain(
        `inserted: Entries ${from} to ${to + 1} are not those that were signed: only ${to + 1 - from} of them were signed.`,
      );
      const swapped = await verify(lines.with(at, lines[at + 1]).with(at + 1, lines[at]));
      expect(swapped.problems).toContain(
        `reordered: Entry ${v} has changed places: it stands after entry ${v + 1}.`,
      );
      const renamed = await verify(renumbered(lines.with(at, lines[at + 1]).with(at + 1, lines[at])));
      expect(renamed).toMatchObject({ code: 1, problems: [changedIn([from, to])] });
      for (const told of [removed, closedUp, doubled, inserted, swapped, renamed]) {
        expect(told.code).toBe(1);
        expect(told.lines.at(-1)).toMatch(/^NOT ok: /);
      }
    });

    it("misses an end that was cut off, against its own first line, its checkpoints, or one that was kept", async () => {
      const { kept, honest } = standOf();
      const cut = kept[1]!.size;
      const left = lines.filter(({ i }) => i === undefined || i < cut);
      const lost = `entries ${cut} to ${honest.length - 1} of the ledger are not there`;
      expect(await verify(left)).toMatchObject({
        ...{ code: 1, problems: [expect.stringContaining("a checkpoint of the export covers")] },
      });
      const withoutNotes = left.filter(isCheckpointUpTo(cut));
      const byHeader = await verify(withoutNotes);
      expect(byHeader.problems).toEqual([expect.stringContaining(`tail_cut: The end is cut off: ${lost}`)]);
      const clean = renumbered(withoutNotes);
      expect(await verify(clean, [kept[0]!.note, kept[1]!.note])).toMatchObject({ code: 0 });
      const known = await verify(clean, [kept.at(-1)!.note]);
      expect(known).toMatchObject({
        code: 1,
        problems: [expect.stringContaining(`The end is cut off: ${lost}`)],
      });
      const unsigned = await verify(renumbered(lines.filter(isCheckpointUpTo(cut))));
      expect(unsigned.problems).toEqual([
        `unsigned: No signed checkpoint covers entries ${cut} to ${honest.length - 1}: anyone may have added that.`,
      ]);
    });

    it("takes no signature but the ledger's", async () => {
      const { size, note } = standOf().kept[0]!;
      const at = lines.findIndex(({ checkpoint }) => checkpoint === note);
      const signature = note.trimEnd().split(" ").at(-1)!;
      const bytes = Buffer.from(signature, "base64");
      bytes[40]! ^= 1;
      for (const forged of [
        note.replace(signature, bytes.toString("base64")),
        note.replace(`\n${size}\n`, `\n${size - 1}\n`),
        note.replaceAll("ambit.local", "ambit.other"),
      ]) {
        const told = await verify(lines.with(at, { checkpoint: forged }));
        expect(told.problems).toEqual([
          expect.stringMatching(
            `^forged_signature: Line ${at + 1}: the checkpoint is not one of this ledger and key`,
          ),
        ]);
      }
    });

    it("tells of an entry that poses as another organisation's only that it is a hash", async () => {
      const { victim } = standOf();
      const before = await verify(lines);
      const told = await verify(altered(victim, ({ i, leaf }) => ({ i, leaf })));
      expect(told.code).toBe(0);
      const hashes = ({ lines: [first] }: typeof told) => Number(/(\d+) as hashes/.exec(first!)![1]);
      expect(hashes(told)).toBe(hashes(before) + 1);
    });
  });
}
