import type { PolicyDocument } from "@ambit/policy";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import { type GatewayStand, gatewayStand, type StandGrant } from "./testing/stand.ts";
import { decisionOf, forwarded, heldBy, mayHaveRun, neverRan, ran, runs } from "./testing/verdicts.ts";

let stand: GatewayStand;
let owner: KeyPrincipal;
beforeAll(async () => {
  stand = await gatewayStand();
  owner = await stand.member("owner");
});
afterAll(() => stand.stop());

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
/** `pay` waits for a person above 100, and may be called ten times a day. */
const PAY: PolicyDocument = {
  version: "1",
  default: "deny",
  tools: {
    pay: {
      limits: [{ counter: "pay", window: "day", max: 10, scope: "grant" }],
      approve_if: [
        {
          conditions: [{ path: "args.amount", op: "gt", value: 100 }],
          on_deny: "large payments are looked at",
        },
      ],
    },
  },
};
const RULE = "/tools/pay/approve_if/args.amount-gt";
const withTool = (pay: NonNullable<PolicyDocument["tools"]>[string]): PolicyDocument => ({
  ...PAY,
  tools: { pay },
});

let grant: StandGrant;
beforeEach(async () => {
  grant = await stand.grant(PAY);
});
const LARGE = { amount: 500, to: "bob", note: "rent" };
const pay = (more: object = {}) => stand.call(grant, "pay", LARGE, more);
const used = () => stand.used(`grant:${grant.id}/pay/day`);
const approve = (id: string) => stand.decide(owner, id, "approve");
const kinds = async (subject: string) => (await stand.entries(subject)).map(({ kind }) => kind);

describe("a call that needs a person", () => {
  it("waits, with what a person has to know, and holds its quota once", async () => {
    const first = await pay();
    const id = heldBy(first);
    expect(decisionOf(first)).toMatchObject({
      rule: RULE,
      approval_url: `http://127.0.0.1:4000/approve/${id}`,
      text: expect.stringContaining("large payments are looked at"),
    });
    expect(heldBy(await pay())).toBe(id);
    // The order of fields is nothing a caller means.
    expect(heldBy(await stand.call(grant, "pay", { note: "rent", to: "bob", amount: 500 }))).toBe(id);
    expect(await used()).toBe(1);

    const view = await stand.approvals.view(owner, id, stand.now());
    expect(view.approval).toMatchObject({
      ...{ kind: "tool_call", status: "pending", reason: `large payments are looked at (${RULE})` },
      title: expect.stringMatching(/^Call pay on server /),
      requester: {
        type: "grant",
        id: grant.id,
        accountId: stand.maker.accountId,
        label: expect.stringMatching(/^laptop/),
      },
      request: { tool: "pay", arguments: LARGE, rule: RULE, policy_version: 1 },
    });
    expect(view.preview).toMatchObject({
      call: { tool: "pay", arguments: LARGE },
      today: { outcome: "hold", rule: RULE, policy_version: 1 },
    });
    expect(await kinds(grant.id)).toEqual(["gateway.hold", "gateway.hold", "gateway.hold"]);
    const [entry] = await stand.entries(grant.id);
    expect(entry!.data).toMatchObject({ approval_id: id, argument_keys: ["amount", "note", "to"] });
  });

  it("is shown with the risk of its tool", async () => {
    stand.servers.lists([{ name: "pay", description: "Pays an invoice." }]);
    const id = heldBy(await pay());
    stand.servers.lists([]);
    const view = await stand.approvals.view(owner, id, stand.now());
    expect(view.approval.request).toMatchObject({ risk: { class: "financial", risk: "critical" } });
    expect(view.preview).toMatchObject({ risk: null });
  });

  it("keeps its arguments sealed, and its hash keyed", async () => {
    await pay();
    const rows = await stand.platform.database.query<{ row: string }>(
      `select to_jsonb(h)::text as row from ambit.gateway_holds h where grant_id = $1
       union all select to_jsonb(a)::text from ambit.approvals a where requester ->> 'id' = $1`,
      [grant.id],
    );
    expect(rows).toHaveLength(2);
    for (const { row } of rows) expect(row).not.toMatch(/bob|rent|500/);
    const call = { grantId: grant.id, serverId: grant.serverId, tool: "pay", args: LARGE };
    const { secrets } = stand.platform;
    expect(stand.holds.keyOf(call)).toMatch(/^[\w-]{43}$/);
    expect(stand.holds.keyOf(call)).not.toBe(stand.holds.keyOf({ ...call, grantId: "gra_another" }));
    expect(secrets.derive("gateway-call", "x")).not.toBe(secrets.derive("another", "x"));
  });

  it("runs once when it is repeated after its approval, and gives its result to repeats", async () => {
    const id = heldBy(await pay());
    const approval = await approve(id);
    expect(approval).toMatchObject({ status: "approved", failure: null, result: { status: "approved" } });
    const verdict = forwarded(await pay());
    expect(verdict.call.keepsResult).toBe(true);
    await runs(verdict, ran("paid"));
    expect(await used()).toBe(1);

    stand.advance(10 * MINUTE_MS - 1);
    const again = await pay();
    expect(again.kind).toBe("replay");
    expect(JSON.parse((again as { result: string }).result)).toEqual({
      content: [{ type: "text", text: "paid" }],
      _meta: {
        "x/kept": 1,
        "ambit/decision": { outcome: "replay", rule: RULE, approval_id: id },
      },
    });
    expect(await kinds(grant.id)).toEqual(["gateway.hold", "gateway.allow", "gateway.replay"]);
    expect((await kinds(id)).slice(-1)).toEqual(["gateway.executed"]);

    stand.advance(1);
    const another = heldBy(await pay());
    expect(another).not.toBe(id);
    expect(await used()).toBe(2);
    await stand.tidy();
    const [row] = await stand.platform.database.query(
      "select result from ambit.gateway_holds where approval_id = $1",
      [id],
    );
    expect(row).toEqual({ result: null });
  });

  it("is denied with the reason once it was rejected, for a day; its quota is given back once", async () => {
    const id = heldBy(await pay());
    await stand.decide(owner, id, "reject", "not this month");
    expect(await used()).toBe(0);
    stand.advance(24 * HOUR_MS - 1);
    const refused = decisionOf(await pay());
    expect(refused).toMatchObject({ outcome: "deny", rule: RULE, approval_id: id });
    expect(refused.text).toBe("Denied by policy: a person rejected this call: not this month");
    expect(await used()).toBe(0);
    stand.advance(1);
    expect(heldBy(await pay())).not.toBe(id);
    expect(await used()).toBe(1);
  });

  it("expires when nobody decides; its quota is given back once", async () => {
    const id = heldBy(await pay());
    stand.advance(24 * HOUR_MS);
    // Not written down yet, and over all the same.
    expect(decisionOf(await pay()).text).toContain("nobody decided in time");
    await stand.expire();
    await stand.tidy();
    expect(await used()).toBe(0);
    expect(decisionOf(await pay())).toMatchObject({ outcome: "deny", approval_id: id });
    stand.advance(10 * MINUTE_MS);
    expect(heldBy(await pay())).not.toBe(id);
  });

  it("expires when it is approved and not repeated within a day", async () => {
    const id = heldBy(await pay());
    await approve(id);
    stand.advance(24 * HOUR_MS);
    expect(decisionOf(await pay()).text).toContain("not repeated in time");
    expect(await used()).toBe(1);
    await Promise.all([stand.tidy(), stand.node().tidy()]);
    await stand.tidy();
    expect(await used()).toBe(0);
    expect((await kinds(id)).slice(-1)).toEqual(["gateway.lapsed"]);
    expect(decisionOf(await pay()).text).toContain("not repeated in time");
    stand.advance(10 * MINUTE_MS);
    expect(heldBy(await pay())).not.toBe(id);
  });

  it("is another call with other arguments", async () => {
    const id = heldBy(await pay());
    await approve(id);
    const other = heldBy(await stand.call(grant, "pay", { ...LARGE, amount: 501 }));
    expect(other).not.toBe(id);
    expect(
      heldBy(
        await stand.call(grant, "pay", { ...LARGE, amount: "500" as never, more: 1 }).catch(() => pay()),
      ),
    );
    expect((await pay()).kind).toBe("forward");
  });

  it("that never ran may be tried again under the same approval, with the same quota", async () => {
    const id = heldBy(await pay());
    await approve(id);
    for (let tries = 0; tries < 3; tries++) {
      await runs(await pay(), neverRan);
      expect(await used()).toBe(1);
    }
    await runs(await pay(), ran("paid"));
    expect((await pay()).kind).toBe("replay");
    expect(await used()).toBe(1);
    const errors = (await stand.entries(grant.id)).filter(({ kind }) => kind === "gateway.error");
    expect(errors).toHaveLength(3);
    expect(errors[0]!.data).toMatchObject({ approval_id: id, message: expect.stringContaining("connect") });
  });

  it("that may have run is not run again", async () => {
    const id = heldBy(await pay());
    await approve(id);
    await runs(await pay(), mayHaveRun);
    expect(decisionOf(await pay())).toMatchObject({ outcome: "deny", approval_id: id });
    expect(await used()).toBe(1);
    stand.advance(10 * MINUTE_MS);
    expect(heldBy(await pay())).not.toBe(id);
  });

  it("that asks for more before it runs goes on under the same approval", async () => {
    const id = heldBy(await pay());
    await approve(id);
    const question = { resultType: "input_required", inputRequests: { sure: {} }, requestState: "theirs" };
    await runs(await pay(), { ...ran(""), result: JSON.stringify(question) });
    await runs(await pay(), ran("paid"));
    expect((await pay()).kind).toBe("replay");
    expect(await used()).toBe(1);
  });

  it("is not approved by the member who made the grant", async () => {
    const id = heldBy(await pay());
    expect(await codeOf(stand.decide(stand.maker, id, "approve"))).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
    expect(await codeOf(stand.decide(stand.maker, id, "reject", "a mistake of mine"))).toBe("done");
  });

  it("waits for one that is running, and gets its result", async () => {
    await approve(heldBy(await pay()));
    const running = forwarded(await pay());
    const repeat = pay();
    await new Promise((resolve) => setTimeout(resolve, 250));
    await running.call.settle(ran("paid"));
    expect((await repeat).kind).toBe("replay");
  });
});

describe("today's policy", () => {
  it("denies an approved call that it does not allow any more", async () => {
    const id = heldBy(await pay());
    await approve(id);
    await stand.edit(grant, withTool({ deny_if: [{ conditions: [], on_deny: "no more payments" }] }));
    expect(decisionOf(await pay())).toMatchObject({ outcome: "deny", rule: "/tools/pay/deny_if/0" });
    stand.servers.setTool("pay", "changed");
    await stand.edit(grant, PAY);
    expect(decisionOf(await pay())).toMatchObject({ outcome: "deny", rule: "(tool changed)" });
    stand.servers.setTool("pay", "approved");
    expect((await pay()).kind).toBe("forward");
  });

  it("is in the preview", async () => {
    const id = heldBy(await pay());
    const hashOf = async () => (await stand.approvals.view(owner, id, stand.now())).previewHash;
    const before = await hashOf();
    stand.advance(1_000);
    expect(await hashOf()).toBe(before);
    await stand.edit(grant, withTool({ deny_if: [{ conditions: [] }] }));
    const { preview } = await stand.approvals.view(owner, id, stand.now());
    expect(preview).toMatchObject({ today: { outcome: "deny", policy_version: 2 } });
    expect(await hashOf()).not.toBe(before);
  });

  it("that asks no person any more lets it run with the quota it holds", async () => {
    const full = (max: number, asks: boolean) =>
      withTool({
        limits: [{ counter: "pay", window: "day", max, scope: "grant" }],
        ...(asks ? { approve_if: [{ conditions: [] }] } : {}),
      });
    await stand.edit(grant, full(1, true));
    await approve(heldBy(await pay()));
    await stand.edit(grant, full(1, false));
    // Another call has no room; this one holds the room.
    expect(decisionOf(await stand.call(grant, "pay", { amount: 1 })).outcome).toBe("limit");
    const verdict = forwarded(await pay());
    expect(verdict.call.keepsResult).toBe(true);
    await runs(verdict, ran("paid"));
    expect(await used()).toBe(1);
    expect(decisionOf(await pay()).outcome).toBe("limit");
  });

  it("that has no room for a call does not ask a person", async () => {
    await stand.edit(grant, {
      ...PAY,
      tools: {
        pay: { ...PAY.tools!.pay, limits: [{ counter: "pay", window: "day", max: 1, scope: "grant" }] },
      },
    });
    heldBy(await pay());
    expect(decisionOf(await stand.call(grant, "pay", { amount: 900 })).outcome).toBe("limit");
    expect(await used()).toBe(1);
  });
});

describe("many at once", () => {
  it("make one approval and hold the quota once, on two nodes", async () => {
    const limits = [{ counter: "pay", window: "day", max: 100, scope: "grant" }] as const;
    await stand.edit(grant, withTool({ ...PAY.tools!.pay, limits }));
    const node = stand.node();
    const ids = await Promise.all(
      Array.from({ length: 12 }, async (_, n) => heldBy(await pay(n % 2 === 0 ? {} : { node }))),
    );
    expect(new Set(ids).size).toBe(1);
    expect(await used()).toBe(1);
  });

  it("run an approved call once, on two nodes, and all get its result", async () => {
    await approve(heldBy(await pay()));
    const node = stand.node();
    let executions = 0;
    const verdicts = await Promise.all(
      Array.from({ length: 12 }, async (_, n) => {
        const verdict = await pay(n % 2 === 0 ? {} : { node });
        if (verdict.kind === "forward") {
          executions += 1;
          await runs(verdict, ran("paid"));
        }
        return verdict.kind;
      }),
    );
    expect(executions).toBe(1);
    expect(verdicts.filter((kind) => kind === "replay")).toHaveLength(11);
    expect(await used()).toBe(1);
  });

  it("wait at most twenty at a time for a grant", async () => {
    const generous = await stand.grant({
      version: "1",
      default: "deny",
      tools: { ask: { approve_if: [{ conditions: [] }] } },
    });
    const all = await Promise.all(Array.from({ length: 24 }, (_, n) => stand.call(generous, "ask", { n })));
    const outcomes = all.map((verdict) => decisionOf(verdict).outcome).sort();
    expect(outcomes).toEqual([...Array(20).fill("hold"), ...Array(4).fill("limit")]);
    const refused = decisionOf(await stand.call(generous, "ask", { n: 99 }));
    expect(refused).toMatchObject({ outcome: "limit", rule: "/tools/ask/approve_if/0" });
  });

  it("give back the quota of what could not be held", async () => {
    const document = withTool({
      limits: [{ counter: "pay", window: "day", max: 100, scope: "grant" }],
      approve_if: [{ conditions: [] }],
    });
    await stand.edit(grant, document);
    for (let n = 0; n < 20; n++) heldBy(await stand.call(grant, "pay", { n }));
    expect(decisionOf(await stand.call(grant, "pay", { n: 20 })).outcome).toBe("limit");
    expect(await used()).toBe(20);
    const other = await stand.grant(document);
    const half = decisionOf(await stand.call(other, "pay", { text: "\ud800" }));
    expect(half).toMatchObject({ outcome: "deny" });
    const huge = decisionOf(await stand.call(other, "pay", { text: "x".repeat(300_000) }));
    expect(huge).toMatchObject({ outcome: "deny" });
    const nul = decisionOf(await stand.call(other, "pay", { text: "\0" }));
    expect(nul).toMatchObject({ outcome: "deny" });
    expect(await stand.used(`grant:${other.id}/pay/day`)).toBe(0);
  });
});

describe("a node that goes away", () => {
  it("between hold and repetition changes nothing", async () => {
    const id = heldBy(await pay());
    const second = stand.node();
    expect(heldBy(await pay({ node: second }))).toBe(id);
    await second.approvals.decide(owner, { id }, { decision: "approve", reason: null }, stand.now());
    const third = stand.node();
    await runs(await pay({ node: third }), ran("paid"));
    expect((await pay({ node: stand.node() })).kind).toBe("replay");
    expect(await used()).toBe(1);
  });

  it("while the call runs leaves it unknown: told once, never run again", async () => {
    const id = heldBy(await pay());
    await approve(id);
    const dead = stand.node();
    forwarded(await pay({ node: dead }));
    stand.advance(2 * MINUTE_MS);
    const told = decisionOf(await pay());
    expect(told).toMatchObject({ outcome: "deny", approval_id: id });
    expect(told.text).toContain("may or may not have run");
    expect((await kinds(id)).slice(-1)).toEqual(["gateway.unknown"]);
    const next = heldBy(await pay());
    expect(next).not.toBe(id);
    expect(await used()).toBe(2);
  });

  it("is not gone while it says that it runs the call", async () => {
    await approve(heldBy(await pay()));
    const slow = stand.node();
    const running = forwarded(await pay({ node: slow }));
    for (let minutes = 0; minutes < 5; minutes++) {
      stand.advance(MINUTE_MS);
      await slow.showLife();
      await stand.tidy();
    }
    await running.call.settle(ran("paid at last"));
    expect((await pay()).kind).toBe("replay");
  });

  it("and comes back with the result is believed; with the news that nothing ran too", async () => {
    const id = heldBy(await pay());
    await approve(id);
    const running = forwarded(await pay());
    stand.advance(2 * MINUTE_MS);
    await stand.tidy();
    await running.call.settle(ran("paid"));
    expect((await pay()).kind).toBe("replay");

    const other = { amount: 700 };
    const second = heldBy(await stand.call(grant, "pay", other));
    await approve(second);
    const lost = forwarded(await stand.call(grant, "pay", other));
    stand.advance(2 * MINUTE_MS);
    await stand.tidy();
    const before = await used();
    await lost.call.settle(neverRan);
    await lost.call.settle(neverRan);
    expect(await used()).toBe(before - 1);
    expect((await kinds(second)).slice(-1)).toEqual(["gateway.cancelled"]);
  });
});

describe("a grant or a server that is no more", () => {
  it("has nothing that waits, and its quota back", async () => {
    const waiting = heldBy(await pay());
    const approved = heldBy(await stand.call(grant, "pay", { amount: 600 }));
    await approve(approved);
    expect(await used()).toBe(2);
    await stand.grants.revoke(stand.organizationId, grant.id, stand.now());
    await stand.sweep();
    await stand.node().sweep();
    expect(await used()).toBe(0);
    expect((await stand.approvals.view(owner, waiting, stand.now())).approval.status).toBe("cancelled");
    expect(await stand.holds.cancelOfGrant(grant.id)).toBe(0);
    const ends = (await stand.entries(approved)).map(({ kind }) => kind);
    expect(ends.filter((kind) => kind === "gateway.cancelled")).toHaveLength(1);
    await expect(pay()).rejects.toMatchObject({ code: "GATEWAY_GRANT_INVALID", status: 401 });
    expect(await codeOf(approve(waiting))).toBe("wrong_status");
  });

  it("because its time is over counts as well", async () => {
    const over = await stand.grant(PAY, { expiresAtMs: stand.now() + MINUTE_MS });
    const id = heldBy(await stand.call(over, "pay", LARGE));
    await stand.sweep();
    expect(await stand.used(`grant:${over.id}/pay/day`)).toBe(1);
    stand.advance(MINUTE_MS);
    await stand.sweep();
    expect(await stand.used(`grant:${over.id}/pay/day`)).toBe(0);
    expect((await stand.approvals.view(owner, id, stand.now())).approval.status).toBe("cancelled");
  });

  it("is cancelled by server as well", async () => {
    heldBy(await pay());
    expect(await stand.holds.cancelOfServer(grant.serverId)).toBe(1);
    expect(await used()).toBe(0);
    // Nothing was decided about it: it may be asked for again.
    heldBy(await pay());
  });
});

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error) => error.code,
  );
