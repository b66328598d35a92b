import { describe, expect, it } from "vitest";
import { must } from "../support/app.ts";
import { blame } from "./forger.ts";
import { metric, proposed } from "./stand.ts";
import type { TamperedStand } from "./tampered-stand.ts";

/** What the server does about it while it runs. */
export function noticing(standOf: () => TamperedStand): void {
  describe("a server whose ledger was rewritten under it", () => {
    const checkpoint = () => standOf().ours.owner("POST", "/v1/ledger/checkpoints", {});
    const learn = (title: string) =>
      proposed(standOf().ours.owner, "record_learning", { title, description: "x" }) as Promise<{
        action_id: string;
      }>;

    it("signs nothing, says what is wrong, and goes on serving and recording", async () => {
      const { server, ours, forger, honest, stored, kept, victim } = standOf();
      await forger.plant(honest.with(victim, blame(honest[victim]!)), stored);
      // It looks when there is something to sign.
      const { action_id } = await learn("after the forgery");
      const refused = await checkpoint();
      expect(refused).toMatchObject({
        status: 500,
        body: {
          error: {
            code: "LEDGER_BROKEN",
            message: `The first ${honest.length} entries of the tree are not those that were signed. No checkpoint was made.`,
            remediation: expect.stringContaining("`ambit ledger verify` names the entries"),
          },
        },
      });
      expect(await metric(server, "ambit_ledger_broken")).toBe(1);
      expect(server.output()).toContain("no checkpoint is made");
      expect((await forger.checkpoints()).length).toBe(stored.length);
      expect((await ours.owner("GET", "/health/ready")).status).toBe(200);
      const list = must(await ours.owner("GET", `/v1/ledger/entries?subject=${action_id}`));
      expect(list.entries[0].entry.kind).toBe("substrate.action.executed");

      // What it exports shows what is wrong, and what was signed remains proven.
      const [from, to] = standOf().around(victim);
      const told = await standOf().verify(ours, kept);
      expect(told.code).toBe(1);
      expect(told.lines[0]).toMatch(new RegExp(`^(changed|rewritten): .*${from} to ${to}`));
      expect(told.lines.at(-1)).toContain(`the first ${from} entries are proven`);

      // Put right, it signs again, and nothing of what was recorded meanwhile is lost.
      await forger.run("update ambit.ledger_entries set entry = $1 where id = $2", [
        honest[victim]!.entry,
        honest[victim]!.id,
      ]);
      await forger.run(
        "update ambit.ledger_leaves set hash = h.hash from honest.ledger_leaves h where h.index = $1 and ambit.ledger_leaves.index = $1",
        [victim],
      );
      await forger.run(
        "update ambit.ledger_tiles t set hash = h.hash from honest.ledger_tiles h where h.level = t.level and h.index = t.index",
      );
      const signed = must(await checkpoint());
      expect(signed.size).toBeGreaterThan(honest.length);
      expect(await metric(server, "ambit_ledger_broken")).toBe(0);
      const mended = await standOf().verify(ours, [...kept, signed]);
      expect(mended.lines[0]).toMatch(/^ok: /);
    });

    it("names the entry that was changed before anything was signed over it", async () => {
      const { forger } = standOf();
      const { action_id } = await learn("never signed");
      const placed = async () =>
        must(await standOf().ours.owner("GET", `/v1/ledger/entries?subject=${action_id}`)).entries[0].index;
      let index: number | null = null;
      while (index === null) index = await placed();
      await forger.run(
        "update ambit.ledger_entries set entry = replace(entry, 'person', 'system') where subject = $1",
        [action_id],
      );
      expect((await checkpoint()).body.error.message).toBe(
        `Entry ${index} of the tree is not the one that was placed there. No checkpoint was made.`,
      );
      const told = await standOf().verify();
      expect(told.lines[0]).toBe(
        `changed: Entry ${index} was altered: its text is not the one whose hash is in the tree.`,
      );
    });
  });
}
