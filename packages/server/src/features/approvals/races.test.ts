import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Metrics } from "../../kernel/metrics.ts";
import { createExpiry } from "./expiry.ts";
import { createApprovalsService } from "./service.ts";
import { approvalsStand, type Member, type Stand } from "./testing/stand.ts";

let stand: Stand;
let ada: Member;
let bob: Member;
let cy: Member;
beforeAll(async () => {
  stand = await approvalsStand();
  [ada, bob, cy] = [await stand.member("owner"), await stand.member("admin"), await stand.member("admin")];
});
afterAll(() => stand.stop());

/** Decides on one of two nodes; `done`, or the code of the refusal. */
async function decide(
  node: Pick<Stand, "service">,
  by: Member,
  id: string,
  decision: "approve" | "reject" = "approve",
): Promise<string> {
  try {
    await node.service.decide(by.key, { id }, { decision, reason: null }, stand.now());
    return "done";
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

const decisive = async (id: string) =>
  (await stand.entries(id)).map(({ kind }) => kind.replace("approval.", "")).slice(1);

describe("two people at once, on two nodes", () => {
  it("one wins, the other is told, and it runs exactly once: fifty times", async () => {
    const other = stand.node();
    let first = 0;
    for (let round = 0; round < 50; round++) {
      const id = await stand.ask({ item: `race ${round}`, price: round });
      const turn = [() => decide(stand, ada, id), () => decide(other, bob, id)];
      const said = await Promise.all((round % 2 === 0 ? turn : turn.reverse()).map((say) => say()));
      expect([...said].sort()).toEqual(["done", "wrong_status"]);
      if ((said[0] === "done") === (round % 2 === 0)) first += 1;
      expect(await stand.tool.runs(id)).toEqual([{ approval_id: id, what: "ran" }]);
      expect(await decisive(id)).toEqual(["approved", "executed"]);
    }
    // Both have won at some time: they were at it at once.
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThan(50);
  });

  it("a yes and a no: one of them holds, never both", async () => {
    const other = stand.node();
    const ends = new Set<string>();
    for (let round = 0; round < 30; round++) {
      const id = await stand.ask({ item: `split ${round}` });
      const turn = [() => decide(stand, ada, id), () => decide(other, bob, id, "reject")];
      const said = await Promise.all((round % 2 === 0 ? turn : turn.reverse()).map((say) => say()));
      expect([...said].sort()).toEqual(["done", "wrong_status"]);
      const runs = (await stand.tool.runs(id)).map(({ what }) => what);
      const written = await decisive(id);
      expect([
        [["ran"], ["approved", "executed"]],
        [["rejected null"], ["rejected"]],
      ]).toContainEqual([runs, written]);
      ends.add(runs[0]!);
    }
    expect(ends.size).toBe(2);
  });

  it("two of three are needed: three at once are two, and it runs once", async () => {
    const nodes = [stand, stand.node(), stand.node()];
    for (let round = 0; round < 20; round++) {
      const id = await stand.ask({ item: `three ${round}`, approvers: 2 });
      const said = await Promise.all([ada, bob, cy].map((by, at) => decide(nodes[at]!, by, id)));
      expect([...said].sort()).toEqual(["done", "done", "wrong_status"]);
      expect(await stand.tool.runs(id)).toHaveLength(1);
      expect(await decisive(id)).toEqual(["approved", "approved", "executed"]);
    }
  });

  it("the same person twice at once counts once", async () => {
    const other = stand.node();
    for (let round = 0; round < 10; round++) {
      const id = await stand.ask({ item: `twice ${round}`, approvers: 2 });
      const said = await Promise.all([decide(stand, ada, id), decide(other, ada, id)]);
      expect([...said].sort()).toEqual(["APPROVAL_TWICE", "done"]);
      expect(await stand.tool.runs(id)).toEqual([]);
    }
  });

  it("a deadlock with another transaction is no answer: it is decided all the same", async () => {
    const { database } = stand.platform;
    const id = await stand.ask({ item: "locked", price: 5 });
    await stand.tool.setPrice("other", 1);
    await stand.tool.setPrice("locked", 1);
    let meet = () => {};
    const waiting = new Promise<void>((resolve) => {
      meet = resolve;
    });
    let tries = 0;
    stand.tool.onApproved = async (tx) => {
      tries += 1;
      meet();
      await tx.query("update ambit.test_prices set price = 2 where item = 'other'");
    };
    const against = database.transaction(async (tx) => {
      await tx.query("update ambit.test_prices set price = 3 where item = 'other'");
      await waiting;
      // Whoever has waited longest looks for deadlocks first, and is the one that is broken off.
      await sleep(600);
      await tx.query("update ambit.test_prices set price = 3 where item = 'locked'");
    });
    expect(await decide(stand, ada, id)).toBe("done");
    stand.tool.onApproved = async () => {};
    await against;
    expect(tries).toBe(2);
    expect(await stand.tool.runs(id)).toEqual([{ approval_id: id, what: "ran" }]);
    expect(await stand.tool.price("locked")).toBe(5);
  });
});

describe("expiry", () => {
  const settled = async (ids: readonly string[]) => {
    const giveUpAt = Date.now() + 15_000;
    for (;;) {
      const rows = await stand.platform.database.query<{ n: number }>(
        "select count(*)::int as n from ambit.approvals where id = any($1) and status = 'pending'",
        [ids],
      );
      if (rows[0]!.n === 0) return;
      if (Date.now() > giveUpAt) throw new Error(`${rows[0]!.n} approvals did not expire`);
      await sleep(20);
    }
  };

  it("each is ended once, by whichever node comes first, also one whose neighbour can't be ended", async () => {
    const requester = (n: number) =>
      ({ type: "app", id: `app ${n}`, accountId: null, label: "an app" }) as const;
    const ids = await Promise.all(
      Array.from({ length: 40 }, (_, n) => stand.ask({ requester: requester(n), expiresInMs: 1_000 })),
    );
    const stuck = await stand.ask({ subject: "stuck", requester: requester(99), expiresInMs: 900 });
    const { expired } = stand.tool;
    stand.tool.expired = (tx, approval) =>
      approval.id === stuck ? Promise.reject(new Error("not now")) : expired(tx, approval);
    const nodes = [stand, stand.node(), stand.node()];
    stand.advance(2_000);
    await Promise.all(nodes.map(({ feature }) => feature.start!()));
    await settled(ids);
    for (const id of ids) {
      expect(await stand.tool.runs(id)).toEqual([{ approval_id: id, what: "expired" }]);
      expect(await decisive(id)).toEqual(["expired"]);
    }
    expect(await stand.service.ofSubject(stand.organizationId, "tool_call", "stuck")).toMatchObject({
      status: "pending",
    });
    stand.tool.expired = expired;
    await settled([stuck]);
    await Promise.all(nodes.map(({ feature }) => feature.stop!()));
    expect(await stand.tool.runs(stuck)).toHaveLength(1);
  });

  it("whoever decides too late is told, and that is when it ends", async () => {
    const id = await stand.ask({ item: "late", price: 1, expiresInMs: 1_000 });
    stand.advance(1_000);
    const view = await stand.service.view(ada.key, id, stand.now());
    expect(view).toMatchObject({ preview: null, cannot: { approve: expect.stringContaining("expired") } });
    await expect(
      stand.service.decide(ada.key, { id }, { decision: "approve", reason: null }, stand.now()),
    ).rejects.toMatchObject({ code: "wrong_status", message: expect.stringContaining("expired at") });
    expect(await stand.tool.runs(id)).toEqual([{ approval_id: id, what: "expired" }]);
    expect(await decisive(id)).toEqual(["expired"]);
    expect(await decide(stand, bob, id)).toBe("wrong_status");
    expect(await decisive(id)).toEqual(["expired"]);
  });

  it("against an approval at the same moment: one of the two, never both", async () => {
    const { service, ticket } = createApprovalsService(
      { ...stand.platform, metrics: new Metrics() },
      stand.deps,
    );
    service.register(stand.tool);
    const expiry = createExpiry(ticket, service.tokens);
    expiry.start();
    const ends = { ran: 0, expired: 0 };
    for (let round = 0; round < 42; round++) {
      const id = await stand.ask({ item: `edge ${round}`, expiresInMs: 5_000 });
      // The decision carries the time at which it was made: just in time.
      const inTime = stand.now();
      stand.advance(5_000);
      const decide = () =>
        stand.service.decide(ada.key, { id }, { decision: "approve", reason: null }, inTime).then(
          () => "ran" as const,
          () => "expired" as const,
        );
      // From well before to well after the other, so that they also meet.
      const leadMs = (round % 14) - 7;
      if (leadMs < 0) expiry.wake();
      await sleep(Math.max(0, -leadMs));
      const decided = decide();
      await sleep(Math.max(0, leadMs));
      expiry.wake();
      const outcome = await decided;
      ends[outcome] += 1;
      await settled([id]);
      expect(await stand.tool.runs(id)).toEqual([{ approval_id: id, what: outcome }]);
      expect(await decisive(id)).toEqual(outcome === "ran" ? ["approved", "executed"] : ["expired"]);
    }
    await expiry.stop();
    expect(Math.min(ends.ran, ends.expired)).toBeGreaterThan(0);
  });
});
