import { openCheckpoint, verifyConsistency, verifyInclusion } from "@ambit/ledger";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { newUuid } from "../../kernel/ids.ts";
import type { Metrics } from "../../kernel/metrics.ts";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { limits } from "./limits.ts";
import type { Ledger } from "./service.ts";
import { draftOf, eventually, exportAndVerify, ledgerNode } from "./testing/stand.ts";

let test: TestPlatform;
let ledger: Ledger;
let metrics: Metrics;
let org: string;
beforeEach(async () => {
  test = await testPlatform();
  org = test.organizationId;
  ({ ledger, metrics } = ledgerNode(test.platform));
  ledger.start();
});
afterEach(async () => {
  await ledger.stop();
  await test.stop();
});

const write = (count: number) =>
  Promise.all(Array.from({ length: count }, (_, n) => ledger.record(draftOf(org, { data: { n } }))));

describe("checkpoints", () => {
  it("sign everything committed before the call, alike on every node, and stay", async () => {
    const empty = await ledger.checkpoints.current();
    expect(empty.size).toBe(0);
    await write(700);
    const other = ledgerNode(test.platform).ledger;
    const [mine, theirs] = await Promise.all([ledger.checkpoints.current(), other.checkpoints.current()]);
    expect(mine.size).toBe(700);
    expect(theirs.note).toBe(mine.note);
    const { publicKey, origin } = await ledger.checkpoints.signer();
    expect(openCheckpoint(mine.note, publicKey)).toEqual({ origin, size: 700, root: mine.root });
    expect(origin).toMatch(/^ambit\.local\/ledger\/[0-9a-f-]{36}$/);
    const { report } = await exportAndVerify(ledger, org, [empty.note, mine.note]);
    expect(report).toMatchObject({ ok: true, size: 700, proven: 700, checkpoints: 2 });
    expect((await ledger.checkpoints.list(0, 10)).map(({ size }) => size)).toEqual([700]);
  });

  it("come by themselves while the tree grows", async () => {
    await write(3);
    await eventually(async () => (await ledger.checkpoints.latest())?.size === 3);
    await write(2);
    await new Promise((resolve) => setTimeout(resolve, 5 * limits.placeEveryMs));
    // Not more often than the limit says.
    expect((await ledger.checkpoints.latest())?.size).toBe(3);
    expect(await metrics.registry.getSingleMetricAsString("ambit_ledger_checkpoint_size")).toContain(
      "ambit_ledger_checkpoint_size 3",
    );
  });

  it("wait no longer than the limit for entries that nobody places", async () => {
    await ledger.stop();
    await write(1);
    const aborted = ledger.checkpoints.current(AbortSignal.timeout(200));
    await expect(aborted).rejects.toMatchObject({ name: "TimeoutError" });
  });

  it("prove each entry, and that the tree only grew, as the library checks it", async () => {
    const sizes = [0, 1, 255, 256, 257, 700];
    const ids: string[] = [];
    const signed = [];
    for (const size of sizes) {
      ids.push(...(await write(size - ids.length)));
      signed.push(await ledger.checkpoints.current());
    }
    expect(signed.map(({ size }) => size)).toEqual(sizes);
    for (const [at, earlier] of signed.entries()) {
      for (const later of signed.slice(at)) {
        const proof = await ledger.proofs.consistency(earlier.size, later.size);
        expect(proof.fromRoot).toEqual(earlier.root);
        const claim = {
          ...{ from: earlier.size, to: later.size, fromRoot: earlier.root, toRoot: later.root },
          proof: proof.hashes,
        };
        expect(verifyConsistency(claim)).toBe(true);
        if (proof.hashes.length > 0) {
          expect(verifyConsistency({ ...claim, proof: proof.hashes.slice(1) })).toBe(false);
        }
      }
    }
    for (const [at, id] of ids.entries()) {
      if (at % 37 !== 0) continue;
      const index = (await ledger.get(org, id)).index!;
      for (const { size, root } of signed.filter((checkpoint) => checkpoint.size > index)) {
        const proof = await ledger.proofs.inclusion(org, id, size);
        expect(proof).toMatchObject({ index, size });
        const claim = { index, size, root, leaf: proof.leafHash, proof: proof.hashes };
        expect(verifyInclusion(claim)).toBe(true);
        expect(verifyInclusion({ ...claim, index: index + 1 })).toBe(false);
      }
    }
  });

  it("are made for the proof of an entry that none covers yet, and only of the organisation's own", async () => {
    const [id] = await write(1);
    const proof = await ledger.proofs.inclusion(org, id!, undefined);
    expect(proof).toMatchObject({ index: 0, size: 1, hashes: [], checkpoint: { size: 1 } });
    await expect(ledger.proofs.inclusion(newUuid(), id!, undefined)).rejects.toMatchObject({ status: 404 });
    await expect(ledger.proofs.inclusion(org, id!, 99)).rejects.toMatchObject({ status: 404 });
    await expect(ledger.proofs.consistency(1, 2)).rejects.toMatchObject({ status: 404 });
  });
});

describe("a ledger that is not what was signed", () => {
  /** What a superuser, or whoever has the disk, may have done after 600 entries were signed and 200 more came. */
  const TAMPERED: Record<string, string> = {
    "a leaf before the last checkpoint":
      "update ambit.ledger_leaves set hash = sha256('x') where index = 598",
    "a tile before the last checkpoint": "update ambit.ledger_tiles set hash = sha256('x') where index = 1",
    "a tile after it": "update ambit.ledger_tiles set hash = sha256('x') where index = 2",
    "an entry after it":
      "update ambit.ledger_entries set entry = '{}' where seq = (select seq from ambit.ledger_leaves where index = 650)",
    "a leaf after it": "update ambit.ledger_leaves set hash = sha256('x') where index = 650",
    "an entry that is gone":
      "delete from ambit.ledger_entries where seq = (select seq from ambit.ledger_leaves where index = 799)",
    "a leaf that is gone": "delete from ambit.ledger_leaves where index = 640",
    "a tail that is cut":
      "delete from ambit.ledger_leaves where index >= 500; update ambit.ledger_head set tree_size = 500",
    "a checkpoint by someone else":
      "insert into ambit.ledger_checkpoints select 650, replace(note, '600', '650'), at from ambit.ledger_checkpoints where size = 600",
  };
  it("is told as missing what was taken out of what was signed, not as another organisation's", async () => {
    await write(10);
    await ledger.checkpoints.current();
    await test.asSuperuser(
      "delete from ambit.ledger_entries where seq = (select seq from ambit.ledger_leaves where index = 4)",
    );
    const { report } = await exportAndVerify(ledger, org);
    expect(report).toMatchObject({ problems: [{ kind: "missing", index: 4 }], foreign: 0 });
  });

  for (const [what, statements] of Object.entries(TAMPERED)) {
    it(`is not signed: ${what}`, async () => {
      await write(600);
      const kept = await ledger.checkpoints.current();
      expect(kept.size).toBe(600);
      await write(200);
      await eventually(async () => {
        const [row] = await test.platform.database.query<{ size: number }>(
          "select tree_size::int as size from ambit.ledger_head",
        );
        return row!.size === 800;
      });
      await ledger.stop();
      await test.asSuperuser(statements);
      await expect(ledger.checkpoints.sign()).rejects.toMatchObject({ code: "LEDGER_BROKEN" });
      expect(await metrics.registry.getSingleMetricAsString("ambit_ledger_broken")).toContain(" 1");
      const sizes = await test.platform.database.query(
        "select size from ambit.ledger_checkpoints where size > 650",
      );
      expect(sizes).toEqual([]);
      // It is exported as it is, so that whoever verifies it sees what is wrong.
      ledger.start();
      const { report } = await exportAndVerify(ledger, org, [kept.note]);
      expect(report.problems).not.toEqual([]);
    });
  }
});
