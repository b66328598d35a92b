import { leafHash } from "@ambit/ledger";
import { describe, expect, it } from "vitest";
import { blame, type Kept } from "./forger.ts";
import { exportOf } from "./stand.ts";
import type { TamperedStand } from "./tampered-stand.ts";
import { changedIn, expectFound, expectGood } from "./told.ts";

/** An entry that never was, made of one that was. */
const invent = (row: Kept): Kept => {
  const id = `${row.id.slice(0, -5)}zzzzz`;
  return { ...row, id, entry: row.entry.replaceAll(row.id, id) };
};
const seqOf = (index: number) => `(select seq from ambit.ledger_leaves where index = ${index})`;

/** Whoever has the database changes entries. */
export function forgedEntries(standOf: () => TamperedStand): void {
  describe("a ledger nobody has touched", () => {
    it("verifies with nothing but the export, the public key and what was kept, for each organisation", async () => {
      const { ours, theirs, kept, honest } = standOf();
      const kinds = new Set(honest.map(({ kind }) => kind));
      for (const kind of [
        ...["substrate.action.executed", "substrate.action.proposed", "substrate.action.rejected"],
        ...["approval.requested", "approval.approved", "approval.rejected", "approval.executed"],
        ...["audit.keys.create", "audit.substrate.set_capability_policy"],
      ])
        expect(kinds).toContain(kind);
      for (const [organization, other] of [
        [ours, theirs],
        [theirs, ours],
      ] as const) {
        const told = await standOf().verify(organization, kept);
        expectGood(told);
        const foreign = honest.filter(({ organization_id }) => organization_id === other.id).length;
        expect(told.lines[0]).toContain(
          `${honest.length} entries (${honest.length - foreign} in full, ${foreign} as hashes)`,
        );
      }
    });
  });

  describe("forged in the database, an entry that was", () => {
    it("changed is named", async () => {
      const { forger, honest, victim } = standOf();
      await forger.run(`update ambit.ledger_entries set entry = $1 where seq = ${seqOf(victim)}`, [
        blame(honest[victim]!).entry,
      ]);
      expectFound(
        await standOf().verify(),
        `changed: Entry ${victim} was altered: its text is not the one whose hash is in the tree.`,
      );
    });

    it("changed together with its hash and the tree above it is found among those signed with it", async () => {
      const { forger, honest, stored, victim, theirs } = standOf();
      const forged = honest.with(victim, blame(honest[victim]!));
      await forger.plant(forged, stored);
      expectFound(await standOf().verify(), changedIn(standOf().around(victim)));
      // Whoever sees of it no more than the hash finds it too.
      expectFound(await standOf().verify(theirs), changedIn(standOf().around(victim)));
      await forger.restore();
      await forger.run("update ambit.ledger_leaves set hash = $1 where index = $2", [
        leafHash(forged[victim]!.entry),
        victim,
      ]);
      await forger.run(`update ambit.ledger_entries set entry = $1 where seq = ${seqOf(victim)}`, [
        forged[victim]!.entry,
      ]);
      expectFound(await standOf().verify(), changedIn(standOf().around(victim)));
    });

    it("removed is named, and when the rest has closed up, found among those signed with it", async () => {
      const { forger, honest, stored, kept, victim } = standOf();
      const missing = `missing: Entry ${victim} is missing.`;
      await forger.run(`delete from ambit.ledger_entries where seq = ${seqOf(victim)}`);
      expectFound(await standOf().verify(), missing);
      await forger.run("delete from ambit.ledger_leaves where index = $1", [victim]);
      expectFound(await standOf().verify(), missing);

      const [from] = standOf().around(victim);
      const [last, size] = [honest.length - 1, honest.length];
      await forger.plant(honest.toSpliced(victim, 1), stored);
      const gone = `tail_cut: 1 entry is not there, at the end or elsewhere among entries ${from} to ${last}. The export ends after ${last} entries, but a checkpoint`;
      expectFound(
        await standOf().verify(),
        changedIn(standOf().around(victim)),
        `${gone} of the export covers ${size} entries.`,
      );
      // The checkpoint that covers more than there is has been thrown away.
      await forger.plant(honest.toSpliced(victim, 1), stored.slice(0, -1));
      expectFound(
        await standOf().verify(standOf().ours, kept.slice(-1)),
        changedIn(standOf().around(victim)),
        `${gone} you kept covers ${size} entries.`,
      );
    });

    it("inserted, or put elsewhere, is found among those signed with it", async () => {
      const { forger, honest, stored, victim } = standOf();
      await forger.plant(honest.toSpliced(victim, 0, invent(honest[victim]!)), stored);
      expectFound(await standOf().verify(), changedIn(standOf().around(victim)));
      const [one, other] = [honest[victim]!, honest[victim + 2]!];
      await forger.plant(honest.with(victim, other).with(victim + 2, one), stored);
      expectFound(await standOf().verify(), changedIn(standOf().around(victim)));
    });

    it("at the end and cut off is missed against every checkpoint that was kept and covers it", async () => {
      const { server, witness, forger, honest, stored, kept, ours } = standOf();
      for (const cut of [kept[2]!.size + 5, kept[0]!.size - 3]) {
        const left = stored.filter(({ size }) => size <= cut);
        await forger.plant(honest.slice(0, cut), left);
        const text = await exportOf(server, ours);
        // Of what it is not told nobody can say that it is missing.
        expectGood(await witness.verify(text));
        for (const { size, note } of kept) {
          const told = await witness.verify(text, [note]);
          if (size <= cut) expectGood(told);
          else
            expectFound(
              told,
              `tail_cut: The end is cut off: entries ${cut} to ${size - 1} of the ledger are not there. The export ends after ${cut} entries, but a checkpoint you kept covers ${size} entries.`,
            );
        }
      }
      // The forger forgot the stored checkpoint.
      const cut = kept[2]!.size + 5;
      await forger.plant(honest.slice(0, cut), stored);
      expectFound(await standOf().verify(), /^tail_cut: .*a checkpoint of the export covers/);
    });
  });

  describe("forged in the database, what an entry", () => {
    it("had sealed is found when it is another value, or another entry's", async () => {
      const { forger, victim } = standOf();
      const mismatch = `opening_mismatch: Entry ${victim} was altered: the value told as "payload" is not what the entry commits to.`;
      await forger.run(`update ambit.ledger_openings set openings =
        openings || jsonb_build_object('payload', replace(openings ->> 'payload', 'secret', 'harmless'))
      where seq = ${seqOf(victim)}`);
      expectFound(await standOf().verify(), mismatch);
      await forger.restore();
      await forger.run(`update ambit.ledger_openings set openings = openings || jsonb_build_object('payload',
        (select o.openings -> 'payload' from ambit.ledger_openings o join ambit.ledger_entries e using (seq)
         where e.kind = 'substrate.action.executed' and o.organization_id = ambit.ledger_openings.organization_id
           and o.seq <> ambit.ledger_openings.seq limit 1))
      where seq = ${seqOf(victim)}`);
      expectFound(await standOf().verify(), mismatch);
      // What is gone may have been erased: it is counted, and nothing is wrong.
      await forger.restore();
      const before = await standOf().verify();
      await forger.run(`delete from ambit.ledger_openings where seq = ${seqOf(victim)}`);
      const after = await standOf().verify();
      expectGood(after);
      expect(after.lines[0]).not.toBe(before.lines[0]);
    });
  });
}
