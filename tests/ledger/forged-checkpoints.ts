import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Frontier, keyPairFromSeed, leafHash, parseVerifierKey, signCheckpoint } from "@ambit/ledger";
import { describe, expect, it } from "vitest";
import { createSigner } from "../../packages/server/src/features/ledger/signer.ts";
import { parseMasterKey } from "../../packages/server/src/kernel/config.ts";
import { Secrets } from "../../packages/server/src/kernel/secrets.ts";
import { blame, type Kept, type SizedNote } from "./forger.ts";
import type { TamperedStand } from "./tampered-stand.ts";
import { expectFound, expectGood } from "./told.ts";

/** Whoever has the database, and perhaps the key, changes what was signed. */
export function forgedCheckpoints(standOf: () => TamperedStand): void {
  describe("a forged checkpoint", () => {
    const rootOf = (rows: readonly Kept[]) => {
      const tree = new Frontier();
      for (const { entry } of rows) tree.append(leafHash(entry));
      return tree.root();
    };
    type Sign = (size: number, root: Buffer) => string;
    /** Every stored checkpoint, made for these entries and signed like this. */
    const resign = (rows: readonly Kept[], sign: Sign): SizedNote[] =>
      standOf().stored.map(({ size }) => ({ size, note: sign(size, rootOf(rows.slice(0, size))) }));
    /** Signs in the ledger's name with a key of somebody else. */
    const stranger: Sign = (size, root) => {
      const { name: origin } = parseVerifierKey(standOf().publicKey);
      return signCheckpoint({ origin, size, root }, origin, keyPairFromSeed(Buffer.alloc(32, 7)).privateKey);
    };
    /** Signs with the ledger's own key, for whoever has the master key's file has that too. */
    const thief: Sign = (size, root) => {
      const path = join(standOf().server.dataDir, "master.key");
      const secrets = new Secrets(parseMasterKey(path, readFileSync(path, "utf8")));
      const { name: origin } = parseVerifierKey(standOf().publicKey);
      return createSigner(secrets, origin.split("/").at(-1)!).sign(size, root);
    };
    const FORGED = /^forged_signature: Line \d+: the checkpoint is not one of this ledger and key\. /;

    it("is found when another key signed it, or when its signature is of something else", async () => {
      const { forger, honest, stored, kept, victim } = standOf();
      const at = stored.findIndex(({ size }) => size === kept[1]!.size);
      const byStranger = resign(honest, stranger);
      await forger.plant(honest, stored.with(at, byStranger[at]!));
      expectFound(await standOf().verify(), FORGED);
      const [from, to] = [stored[at]!.size - 1, stored[at + 1]!.size];
      const lines = stored[at]!.note.split("\n");
      const other = lines.with(2, rootOf(honest.slice(0, from)).toString("base64")).join("\n");
      await forger.plant(honest, stored.with(at, { size: from + 1, note: other }));
      expectFound(await standOf().verify(), /^forged_signature: .*is not of this text\./);
      expect(to).toBeGreaterThan(from);
      // All of the past anew, with a key of the forger's own: nothing is signed any more.
      const forged = honest.with(victim, blame(honest[victim]!));
      await forger.plant(forged, resign(forged, stranger));
      const told = await standOf().verify();
      expectFound(told, ...stored.map(() => FORGED), new RegExp(`^unsigned: .*0 to ${honest.length - 1}`));
    });

    it("by whoever has the signing key too shows against a checkpoint that was kept, and against nothing else", async () => {
      const { forger, honest, stored, kept, victim, ours } = standOf();
      const forged = honest.with(victim, blame(honest[victim]!));
      expect(resign(honest, thief)).toEqual(stored);
      await forger.plant(forged, resign(forged, thief));
      expectGood(await standOf().verify());
      expectGood(await standOf().verify(ours, kept.slice(0, 2)));
      const told = await standOf().verify(ours, kept);
      const [agreed, ...others] = kept.slice(1).map(({ size }) => size);
      const rewritten = (size: number) =>
        `rewritten: The first ${size} entries are not those of the checkpoint you kept: among entries ${agreed} to ${size - 1} something was rewritten since.`;
      expectFound(told, ...others.map(rewritten));
    });
  });
}
