import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Frontier, keyPairFromSeed, leafHash, parseVerifierKey, signCheckpoint } from "@ambit/ledger";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createSigner } from "../../packages/server/src/features/ledger/signer.ts";
import { parseMasterKey } from "../../packages/server/src/kernel/config.ts";
import { Secrets } from "../../packages/server/src/kernel/secrets.ts";
import type { Kept, SizedNote } from "./forger.ts";
import { type TamperedStand, tamperedStand } from "./tampered-stand.ts";

let stand: TamperedStand;
beforeAll(async () => {
  stand = await tamperedStand();
}, 60_000);
afterEach(() => stand.forger.restore());
afterAll(() => stand.stop());

type Told = Awaited<ReturnType<TamperedStand["verify"]>>;
/** Nothing is wrong. */
const expectGood = (told: Told) => {
  expect(told.lines[0]).toMatch(/^ok: /);
  expect(told.code).toBe(0);
};
/** Exactly this is wrong. */
const expectFound = ({ lines, code }: Told, ...problems: (string | RegExp)[]) => {
  expect(lines.slice(0, -1)).toEqual(
    problems.map((problem) => (typeof problem === "string" ? problem : expect.stringMatching(problem))),
  );
  expect(lines.at(-1)).toMatch(/^NOT ok: /);
  expect(code).toBe(1);
};

/** The same entry with somebody else to blame. */
const blame = (row: Kept): Kept => {
  const entry = row.entry.replace('"type":"person"', '"type":"agent"');
  expect(entry).not.toBe(row.entry);
  return { ...row, entry };
};
/** An entry that never was, made of one that was. */
const invent = (row: Kept): Kept => {
  const id = `${row.id.slice(0, -5)}zzzzz`;
  return { ...row, id, entry: row.entry.replaceAll(row.id, id) };
};
const rangeOf = (index: number) => stand.around(index).join(" to ");
const changedIn = (range: string) =>
  `changed: Entries ${range} are not those that were signed: at least one of them was changed or has changed places.`;
const seqOf = (index: number) => `(select seq from ambit.ledger_leaves where index = ${index})`;

describe("a ledger nobody has touched", () => {
  it("verifies with nothing but the export, the public key and what was kept, for each organisation", async () => {
    const { ours, theirs, kept, honest } = stand;
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
      const told = await stand.verify(organization, kept);
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
    const { forger, honest, victim } = stand;
    await forger.run(`update ambit.ledger_entries set entry = $1 where seq = ${seqOf(victim)}`, [
      blame(honest[victim]!).entry,
    ]);
    expectFound(
      await stand.verify(),
      `changed: Entry ${victim} was altered: its text is not the one whose hash is in the tree.`,
    );
  });

  it("changed together with its hash and the tree above it is found among those signed with it", async () => {
    const { forger, honest, stored, victim, theirs } = stand;
    const forged = honest.with(victim, blame(honest[victim]!));
    await forger.plant(forged, stored);
    expectFound(await stand.verify(), changedIn(rangeOf(victim)));
    // Whoever sees of it no more than the hash finds it too.
    expectFound(await stand.verify(theirs), changedIn(rangeOf(victim)));
    await forger.restore();
    await forger.run("update ambit.ledger_leaves set hash = $1 where index = $2", [
      leafHash(forged[victim]!.entry),
      victim,
    ]);
    await forger.run(`update ambit.ledger_entries set entry = $1 where seq = ${seqOf(victim)}`, [
      forged[victim]!.entry,
    ]);
    expectFound(await stand.verify(), changedIn(rangeOf(victim)));
  });

  it("removed is named, and when the rest has closed up, found among those signed with it", async () => {
    const { forger, honest, stored, kept, victim } = stand;
    const missing = `missing: Entry ${victim} is missing.`;
    await forger.run(`delete from ambit.ledger_entries where seq = ${seqOf(victim)}`);
    expectFound(await stand.verify(), missing);
    await forger.run("delete from ambit.ledger_leaves where index = $1", [victim]);
    expectFound(await stand.verify(), missing);

    const [from] = stand.around(victim);
    const [last, size] = [honest.length - 1, honest.length];
    await forger.plant(honest.toSpliced(victim, 1), stored);
    const gone = `tail_cut: 1 entry is not there, at the end or elsewhere among entries ${from} to ${last}. The export ends after ${last} entries, but a checkpoint`;
    expectFound(
      await stand.verify(),
      changedIn(rangeOf(victim)),
      `${gone} of the export covers ${size} entries.`,
    );
    // The checkpoint that covers more than there is has been thrown away.
    await forger.plant(honest.toSpliced(victim, 1), stored.slice(0, -1));
    expectFound(
      await stand.verify(stand.ours, kept.slice(-1)),
      changedIn(rangeOf(victim)),
      `${gone} you kept covers ${size} entries.`,
    );
  });

  it("inserted, or put elsewhere, is found among those signed with it", async () => {
    const { forger, honest, stored, victim } = stand;
    await forger.plant(honest.toSpliced(victim, 0, invent(honest[victim]!)), stored);
    expectFound(await stand.verify(), changedIn(rangeOf(victim)));
    const [one, other] = [honest[victim]!, honest[victim + 2]!];
    await forger.plant(honest.with(victim, other).with(victim + 2, one), stored);
    expectFound(await stand.verify(), changedIn(rangeOf(victim)));
  });

  it("at the end and cut off is missed against every checkpoint that was kept and covers it", async () => {
    const { forger, honest, stored, kept, ours } = stand;
    for (const cut of [kept[2]!.size, kept[2]!.size + 5, kept[0]!.size - 3]) {
      const left = stored.filter(({ size }) => size <= cut);
      await forger.plant(honest.slice(0, cut), left);
      // Of what it is not told nobody can say that it is missing.
      expectGood(await stand.verify(ours));
      for (const one of kept) {
        const told = await stand.verify(ours, [one]);
        if (one.size <= cut) expectGood(told);
        else
          expectFound(
            told,
            `tail_cut: The end is cut off: entries ${cut} to ${one.size - 1} of the ledger are not there. The export ends after ${cut} entries, but a checkpoint you kept covers ${one.size} entries.`,
          );
      }
    }
    // The forger forgot the stored checkpoint.
    const cut = kept[2]!.size + 5;
    await forger.plant(honest.slice(0, cut), stored);
    expectFound(await stand.verify(), /^tail_cut: .*a checkpoint of the export covers/);
  });
});

describe("forged in the database, what an entry", () => {
  it("had sealed is found when it is another value, or another entry's", async () => {
    const { forger, victim } = stand;
    const mismatch = `opening_mismatch: Entry ${victim} was altered: the value told as "payload" is not what the entry commits to.`;
    await forger.run(`update ambit.ledger_openings set openings =
        openings || jsonb_build_object('payload', replace(openings ->> 'payload', 'secret', 'harmless'))
      where seq = ${seqOf(victim)}`);
    expectFound(await stand.verify(), mismatch);
    await forger.restore();
    await forger.run(`update ambit.ledger_openings set openings = openings || jsonb_build_object('payload',
        (select o.openings -> 'payload' from ambit.ledger_openings o join ambit.ledger_entries e using (seq)
         where e.kind = 'substrate.action.executed' and o.organization_id = ambit.ledger_openings.organization_id
           and o.seq <> ambit.ledger_openings.seq limit 1))
      where seq = ${seqOf(victim)}`);
    expectFound(await stand.verify(), mismatch);
    // What is gone may have been erased: it is counted, and nothing is wrong.
    await forger.restore();
    const before = await stand.verify();
    await forger.run(`delete from ambit.ledger_openings where seq = ${seqOf(victim)}`);
    const after = await stand.verify();
    expectGood(after);
    expect(after.lines[0]).not.toBe(before.lines[0]);
  });
});

describe("a forged checkpoint", () => {
  const rootOf = (rows: readonly Kept[]) => {
    const tree = new Frontier();
    for (const { entry } of rows) tree.append(leafHash(entry));
    return tree.root();
  };
  type Sign = (size: number, root: Buffer) => string;
  /** Every stored checkpoint, made for these entries and signed like this. */
  const resign = (rows: readonly Kept[], sign: Sign): SizedNote[] =>
    stand.stored.map(({ size }) => ({ size, note: sign(size, rootOf(rows.slice(0, size))) }));
  /** Signs in the ledger's name with a key of somebody else. */
  const stranger: Sign = (size, root) => {
    const { name: origin } = parseVerifierKey(stand.publicKey);
    return signCheckpoint({ origin, size, root }, origin, keyPairFromSeed(Buffer.alloc(32, 7)).privateKey);
  };
  /** Signs with the ledger's own key, for whoever has the master key's file has that too. */
  const thief: Sign = (size, root) => {
    const path = join(stand.server.dataDir, "master.key");
    const secrets = new Secrets(parseMasterKey(path, readFileSync(path, "utf8")));
    const { name: origin } = parseVerifierKey(stand.publicKey);
    return createSigner(secrets, origin.split("/").at(-1)!).sign(size, root);
  };
  const FORGED = /^forged_signature: Line \d+: the checkpoint is not one of this ledger and key\. /;

  it("is found when another key signed it, or when its signature is of something else", async () => {
    const { forger, honest, stored, kept, victim } = stand;
    const at = stored.findIndex(({ size }) => size === kept[1]!.size);
    const byStranger = resign(honest, stranger);
    await forger.plant(honest, stored.with(at, byStranger[at]!));
    expectFound(await stand.verify(), FORGED);
    const [from, to] = [stored[at]!.size - 1, stored[at + 1]!.size];
    const lines = stored[at]!.note.split("\n");
    const other = lines.with(2, rootOf(honest.slice(0, from)).toString("base64")).join("\n");
    await forger.plant(honest, stored.with(at, { size: from + 1, note: other }));
    expectFound(await stand.verify(), /^forged_signature: .*is not of this text\./);
    expect(to).toBeGreaterThan(from);
    // All of the past anew, with a key of the forger's own: nothing is signed any more.
    const forged = honest.with(victim, blame(honest[victim]!));
    await forger.plant(forged, resign(forged, stranger));
    const told = await stand.verify();
    expectFound(told, ...stored.map(() => FORGED), new RegExp(`^unsigned: .*0 to ${honest.length - 1}`));
  });

  it("by whoever has the signing key too shows against a checkpoint that was kept, and against nothing else", async () => {
    const { forger, honest, stored, kept, victim, ours } = stand;
    const forged = honest.with(victim, blame(honest[victim]!));
    expect(resign(honest, thief)).toEqual(stored);
    await forger.plant(forged, resign(forged, thief));
    expectGood(await stand.verify());
    expectGood(await stand.verify(ours, kept.slice(0, 2)));
    const told = await stand.verify(ours, kept);
    const [agreed, ...others] = kept.slice(1).map(({ size }) => size);
    const rewritten = (size: number) =>
      `rewritten: The first ${size} entries are not those of the checkpoint you kept: among entries ${agreed} to ${size - 1} something was rewritten since.`;
    expectFound(told, ...others.map(rewritten));
  });
});
