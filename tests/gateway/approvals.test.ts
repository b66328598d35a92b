import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../support/actors.ts";
import { apiAs } from "../support/api.ts";
import { must } from "../support/app.ts";
import { keyOfStranger } from "../support/functions.ts";
import { connectClient, connectOlder } from "../support/gateway.ts";
import { approvalOf, becomes, type Inbox, inboxOf } from "./stand/approvals.ts";
import { call, decisions, outcomes, type Told, times } from "./stand/calls.ts";
import { answers, startUpstream, toolNamed } from "./stand/upstream.ts";
import { ASKS, allowing, type Grant, limitOf, startWorld, type World } from "./stand/world.ts";

let world: World;
let inbox: Inbox;
let grant: Grant;

const LIMITS = { limits: [limitOf("pay", 1_000)] };
const POLICY = allowing({ pay: { ...ASKS, ...LIMITS } });

beforeAll(async () => {
  const upstream = await startUpstream([toolNamed("pay"), toolNamed("slow"), toolNamed("echo")]);
  world = await startWorld({ nodes: 2, upstream });
  inbox = inboxOf(world);
});
afterAll(() => world?.close());
beforeEach(async () => {
  // A test that failed on its way may have left the node dead.
  if (!isAlive(world.nodes.server.pid)) await world.nodes.restart();
  grant = await world.grant(POLICY);
});

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

let payments = 0;
/** Arguments that no other call has. */
const fresh = () => ({ to: "bob", amount: ++payments });
const pay = (args: object, node = 0, options = {}): Promise<Told> =>
  call(world.at(grant, node), "pay", args, options);
/** How often the upstream got exactly this. */
const ran = (args: object, tool = "pay"): number =>
  world.upstream.calls(tool).filter((each) => JSON.stringify(each.args) === JSON.stringify(args)).length;
const used = () => inbox.used(grant, "pay/day");
const textOf = (told: Told): string => told.body.result.content[0].text;

describe.each(["session", "stateless"] as const)("a held call (%s)", (era) => {
  it("held on one node and approved on the other runs exactly once, however many repeat it on both", async () => {
    const args = fresh();
    const id = await inbox.hold(grant, "pay", args, 0, { era });
    expect(await inbox.hold(grant, "pay", args, 1, { era })).toBe(id);
    expect(ran(args)).toBe(0);
    await inbox.approve(id, 1);
    expect(ran(args), "approving runs nothing").toBe(0);
    const told = await Promise.all(times(32, (turn) => pay(args, turn, { era })));
    expect(ran(args)).toBe(1);
    expect(outcomes(told)).toEqual({ allow: 1, replay: 31 });
    expect(new Set(told.map(textOf))).toEqual(new Set([JSON.stringify(args)]));
    for (const { decision } of told) if (decision) expect(decision.approval_id).toBe(id);
    expect(await used()).toBe(1);
    expect(await inbox.story(id)).toEqual(["approval.requested", "approval.approved", "gateway.executed"]);
  });
});

describe("what a person decides", () => {
  it("no: the same call is denied with the reason, and its quota given back once", async () => {
    const args = fresh();
    const id = await inbox.hold(grant, "pay", args);
    expect(await used()).toBe(1);
    const decided = await Promise.all(
      times(6, (turn) =>
        inbox.decide(id, "reject", turn % 2 ? world.staff.admin : world.staff.manager, turn),
      ),
    );
    expect(decided.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(await used()).toBe(0);
    const told = await Promise.all(times(4, (turn) => pay(args, turn)));
    expect(outcomes(told)).toEqual({ deny: 4 });
    for (const each of told) {
      expect(textOf(each)).toContain("not today");
      expect(each.decision).toMatchObject({ approval_id: id, rule: "/tools/pay/approve_if/0" });
    }
    expect([ran(args), await used()]).toEqual([0, 0]);
    expect((await inbox.decide(id, "approve")).status).toBe(409);
    await inbox.ages(id, 24 * 3600);
    expect(await inbox.hold(grant, "pay", args), "a day later it may ask again").not.toBe(id);
  });

  it("nothing in time: it expires, its quota is given back once, and approving comes too late", async () => {
    const args = fresh();
    const id = await inbox.hold(grant, "pay", args);
    await inbox.ages(id, 24 * 3600);
    const told = await pay(args, 1);
    expect(told.decision).toMatchObject({ outcome: "deny", approval_id: id });
    expect(textOf(told)).toContain("nobody decided in time");
    await becomes(inbox, id, "expired");
    expect((await inbox.decide(id, "approve")).status).toBe(409);
    await eventually(async () => (await used()) === 0, "the quota to be given back");
    await inbox.ages(id, 600);
    expect(await inbox.hold(grant, "pay", args)).not.toBe(id);
    expect([ran(args), await used()]).toEqual([0, 1]);
  });

  it("while its time runs out: it was approved and runs, or it expired and does not", async () => {
    await Promise.all(
      times(8, async (turn) => {
        const args = fresh();
        const id = await inbox.hold(grant, "pay", args, turn);
        await inbox.ages(id, 24 * 3600 - 0.03 * turn);
        const { status } = await inbox.decide(id, "approve", world.staff.admin, turn);
        const told = await pay(args, turn);
        expect([status, told.outcome, ran(args)]).toEqual(
          status === 200 ? [200, "allow", 1] : [409, "deny", 0],
        );
      }),
    );
  });

  it("yes, and it is not repeated within a day: over, with its quota", async () => {
    const args = fresh();
    const id = await inbox.hold(grant, "pay", args);
    await inbox.approve(id);
    await inbox.ages(id, 24 * 3600);
    const told = await pay(args);
    expect(told.decision).toMatchObject({ outcome: "deny", approval_id: id });
    await eventually(async () => (await used()) === 0, "the quota to be given back");
    expect(ran(args)).toBe(0);
    expect(await inbox.story(id)).toEqual(["approval.requested", "approval.approved", "gateway.lapsed"]);
  });

  it("yes, once: ten minutes after it ran the same call asks again", async () => {
    const args = fresh();
    const id = await inbox.hold(grant, "pay", args);
    await inbox.approve(id);
    expect((await pay(args)).outcome).toBe("allow");
    const replay = await pay(args, 1);
    expect(replay.decision).toMatchObject({ outcome: "replay", approval_id: id });
    await inbox.ages(id, 600);
    expect(await inbox.hold(grant, "pay", args)).not.toBe(id);
    expect(ran(args)).toBe(1);
  });
});

describe("an approval holds for exactly one call", () => {
  it("other arguments, another tool, another grant: another approval", async () => {
    const args = { ...fresh(), note: "rent", nested: { a: 1, b: [1, 2] } };
    const id = await inbox.hold(grant, "pay", args);
    await inbox.approve(id);
    const other = await world.grant(allowing({ pay: ASKS, echo: ASKS }));
    const different: [Grant, string, object][] = [
      [grant, "pay", { ...args, amount: args.amount + 0.5 }],
      [grant, "pay", { ...args, amount: String(args.amount) }],
      [grant, "pay", { ...args, more: null }],
      [grant, "pay", { ...args, nested: { a: 1, b: [2, 1] } }],
      [grant, "pay", { ...args, note: "rent " }],
      [grant, "pay", {}],
      [other, "echo", args],
      [other, "pay", args],
    ];
    const ids = await Promise.all(
      different.map(([by, tool, given], turn) => inbox.hold(by, tool, given, turn)),
    );
    expect(new Set([id, ...ids]).size).toBe(different.length + 1);
    expect(world.upstream.calls().filter((each) => each.args?.note?.startsWith("rent"))).toEqual([]);
    const { nested, note, amount, to } = args;
    expect((await pay({ nested: { b: nested.b, a: 1 }, note, amount, to })).outcome, "in any order").toBe(
      "allow",
    );
  });

  it("and for as long as today's policy would let it pass", async () => {
    const args = fresh();
    const id = await inbox.hold(grant, "pay", args);
    await inbox.approve(id);
    const no = { deny_if: [{ conditions: [], on_deny: "no payments any more" }] };
    await world.edit(grant.policy_id!, allowing({ pay: { ...ASKS, ...LIMITS, ...no } }));
    expect(textOf(await pay(args))).toContain("no payments any more");
    await world.edit(grant.policy_id!, { version: "1", default: "allow", hide: ["pay"] });
    expect((await pay(args)).decision).toMatchObject({ outcome: "deny", rule: "(hidden)" });
    expect(ran(args)).toBe(0);
    await world.edit(grant.policy_id!, POLICY);
    const told = await Promise.all(times(8, () => pay(args)));
    expect(outcomes(told)).toEqual({ allow: 1, replay: 7 });
    expect([ran(args), await used()]).toEqual([1, 1]);
  });

  it("a rule that asks no more lets it run, with the quota it holds", async () => {
    const full = { limits: [limitOf("pay", 1)] };
    await world.edit(grant.policy_id!, allowing({ pay: { ...ASKS, ...full } }));
    const args = fresh();
    await inbox.approve(await inbox.hold(grant, "pay", args));
    await world.edit(grant.policy_id!, allowing({ pay: full }));
    expect((await pay(args)).outcome).toBe("allow");
    expect((await pay(fresh())).outcome).toBe("limit");
    expect([ran(args), await used()]).toEqual([1, 1]);
  });

  it("a call that provably never ran may be tried again under it; one that may have run is not", async () => {
    const flaky = await world.grant(allowing({ echo: { ...ASKS, limits: [limitOf("echo", 10)] } }));
    const echo = (args: object) => call(world.at(flaky), "echo", args);
    const args = fresh();
    await inbox.approve(await inbox.hold(flaky, "echo", args));
    world.upstream.on("echo", answers.status(404));
    expect((await echo(args)).outcome).toBe("error");
    world.upstream.on("echo", answers.rpcError(-32_602));
    expect((await echo(args)).outcome).toBe("error");
    world.upstream.on("echo", answers.toolError);
    expect((await echo(args)).body.result.isError).toBe(true);
    expect((await echo(args)).decision, "that was its one execution").toMatchObject({ outcome: "replay" });
    expect([ran(args, "echo"), await inbox.used(flaky, "echo/day")]).toEqual([3, 1]);
    const lost = fresh();
    await inbox.approve(await inbox.hold(flaky, "echo", lost));
    world.upstream.on("echo", answers.cut);
    expect((await echo(lost)).outcome).toBe("error");
    expect((await echo(lost)).decision, "nobody knows whether it ran").toMatchObject({ outcome: "deny" });
    expect(ran(lost, "echo")).toBe(1);
  });
});

describe("kill -9", () => {
  it("between hold, approval, repetition and replay changes nothing", async () => {
    const args = fresh();
    const id = await inbox.hold(grant, "pay", args);
    await world.nodes.server.kill();
    await inbox.approve(id, 1);
    await world.nodes.restart();
    const told = await Promise.all(times(8, () => pay(args)));
    expect(outcomes(told)).toEqual({ allow: 1, replay: 7 });
    await world.nodes.server.kill();
    expect((await pay(args, 1)).outcome).toBe("replay");
    await world.nodes.restart();
    expect((await pay(args)).outcome).toBe("replay");
    expect([ran(args), await used()]).toEqual([1, 1]);
  });

  it("during the execution leaves it unknown: told once, never run again", async () => {
    world.upstream.on("slow", answers.silence);
    const slow = await world.grant(allowing({ slow: { ...ASKS, limits: [limitOf("slow", 10)] } }));
    const args = fresh();
    const id = await inbox.hold(slow, "slow", args);
    await inbox.approve(id);
    const lost = call(world.at(slow), "slow", args).catch(() => null);
    await eventually(() => ran(args, "slow") === 1, "the call to be running");
    await world.nodes.server.kill();
    await lost;
    const waiting = call(world.at(slow, 1), "slow", args);
    await new Promise((resolve) => setTimeout(resolve, 300));
    // Its node has given no sign of life for two minutes.
    await inbox.ages(id, 120);
    const told = await waiting;
    expect(told.decision).toMatchObject({ outcome: "deny", approval_id: id });
    expect(textOf(told)).toContain("may or may not have run");
    await world.nodes.restart();
    const again = await Promise.all(times(4, (turn) => call(world.at(slow, turn), "slow", args)));
    const ids = new Set(again.map(approvalOf));
    expect(ids.size).toBe(1);
    expect(ids.has(id)).toBe(false);
    expect(ran(args, "slow")).toBe(1);
    expect(await inbox.story(id)).toEqual(["approval.requested", "approval.approved", "gateway.unknown"]);
    expect(await inbox.used(slow, "slow/day"), "what may have run stays counted").toBe(2);
  });
});

describe("requestState", () => {
  const opening = { era: "stateless", opensUrls: true } as const;
  const state = async (args: object, by = grant, tool = "pay"): Promise<string> => {
    const told = await call(world.at(by), tool, args, opening);
    expect(told.outcome, told.text).toBe("ask");
    const { params } = told.body.result.inputRequests.approval;
    expect(params).toMatchObject({ mode: "url" });
    expect(params.url).toMatch(new RegExp(`^${world.nodes.server.apiUrl}/approve/apr_[0-9a-z]{26}$`));
    return told.body.result.requestState;
  };
  const idOf = async (args: object) => inbox.hold(grant, "pay", args, 1);
  const refused = (told: Told) => {
    expect([told.status, told.body.error?.code], told.text).toEqual([400, -32_602]);
  };

  it("is good once, for this call of this grant, on any node", async () => {
    const args = fresh();
    const first = await state(args);
    const second = await state(args);
    const id = await idOf(args);
    const early = await call(world.at(grant, 1), "pay", args, { ...opening, requestState: first });
    expect(early.outcome, "it is asked again while nobody has decided").toBe("ask");
    refused(await pay(args, 0, { ...opening, requestState: first }));
    await inbox.approve(id);
    refused(await pay(args, 1, { ...opening, requestState: first }));
    expect(ran(args)).toBe(0);
    expect((await pay(args, 1, { ...opening, requestState: second })).outcome).toBe("allow");
    refused(await pay(args, 1, { ...opening, requestState: second }));
    const third = early.body.result.requestState;
    expect((await pay(args, 0, { ...opening, requestState: third })).outcome).toBe("replay");
    expect(ran(args)).toBe(1);
    const [sent] = world.upstream.calls("pay").filter((each) => each.args.amount === args.amount);
    expect(Object.keys(sent!.message.params), "it is no business of the server").toEqual([
      "name",
      "arguments",
      "_meta",
    ]);
  });

  it("one used at once by many runs it once", async () => {
    const args = fresh();
    const one = await state(args);
    await inbox.approve(await idOf(args));
    const told = await Promise.all(times(16, (turn) => pay(args, turn, { ...opening, requestState: one })));
    expect(outcomes(told)).toEqual({ allow: 1, error: 15 });
    expect(ran(args)).toBe(1);
  });

  it("forged, of another call, of another grant: refused, and nothing runs", async () => {
    const args = fresh();
    const other = await world.grant(POLICY);
    const good = await state(args);
    await inbox.approve(await idOf(args));
    const elsewhere = [await state(fresh()), await state(args, other)];
    const flipped = times(6, (turn) => {
      const at = Math.floor(((turn + 1) * good.length) / 8);
      return `${good.slice(0, at)}${good[at] === "A" ? "B" : "A"}${good.slice(at + 1)}`;
    });
    const forged = [...elsewhere, ...flipped, good.slice(0, -4), "ambit.", "ambit.v1.a.b.c"];
    for (const requestState of [...forged, `ambit.${"x".repeat(5_000)}`]) {
      refused(await pay(args, 0, { ...opening, requestState }));
    }
    refused(await call(world.at(other), "pay", args, { ...opening, requestState: good }));
    refused(await pay({ ...args, amount: 0 }, 0, { ...opening, requestState: good }));
    expect([ran(args), ran({ ...args, amount: 0 })]).toEqual([0, 0]);
    expect((await pay(args, 0, { ...opening, requestState: good })).outcome, "the good one still is").toBe(
      "allow",
    );
  });
});

describe("the official clients", () => {
  it("that can open a page is sent there, and its call comes back with the result", async () => {
    const args = fresh();
    const opened: any[] = [];
    const client = await connectClient(
      { ...grant, proxy_url: world.at(grant).url },
      "stateless",
      { capabilities: { elicitation: { url: {} } } },
      (made) =>
        made.setRequestHandler("elicitation/create", async ({ params }: any) => {
          opened.push(params);
          await inbox.approve(params.url.split("/").at(-1), 1);
          return { action: "accept" as const };
        }),
    );
    const result: any = await client.callTool({ name: "pay", arguments: args });
    expect(result.content[0].text).toBe(JSON.stringify(args));
    expect(opened).toHaveLength(1);
    expect(ran(args)).toBe(1);
    await client.close();
  });

  it("that can't is told in words, with the approval's id, and may repeat the call", async () => {
    const place = { ...grant, proxy_url: world.at(grant).url };
    const clients = [
      await connectClient(place, "session"),
      await connectClient(place, "stateless"),
      await connectOlder(place),
    ];
    for (const client of clients) {
      const args = fresh();
      const made = (): Promise<any> => client.callTool({ name: "pay", arguments: args });
      const held = await made();
      expect(held.isError).toBe(true);
      const { approval_id, approval_url, outcome } = held._meta["ambit/decision"];
      expect([outcome, approval_url]).toEqual([
        "hold",
        `${world.nodes.server.apiUrl}/approve/${approval_id}`,
      ]);
      expect(held.content[0].text).toContain(approval_id);
      await inbox.approve(approval_id);
      expect((await made()).content[0].text).toBe(JSON.stringify(args));
      expect((await made())._meta["ambit/decision"].outcome).toBe("replay");
      expect(ran(args)).toBe(1);
      await client.close();
    }
  });
});

describe("who may decide", () => {
  it("people with the right to policies, and not whoever answers for the grant", async () => {
    const { staff, nodes } = world;
    const args = fresh();
    const id = await inbox.hold(grant, "pay", args);
    const stranger = { ...staff.owner, key: await keyOfStranger(nodes.database) };
    const self = { ...staff.owner, key: grant.token };
    const { key } = must(
      await staff.admin.api("POST", "/api-keys", { name: "agent", kind: "agent", scope: "both" }),
    );
    const agent = { ...staff.admin, name: "agent of admin", key };
    const statuses = [
      [agent, 403],
      [staff.viewer, 403],
      [staff.developer, 403],
      ...staff.agents.map((agent) => [agent, 403] as const),
      [staff.appKey, 403],
      [staff.owner, 403],
      [stranger, 404],
      [self, 401],
    ] as const;
    for (const [by, status] of statuses) {
      expect([by.name, (await inbox.decide(id, "approve", by)).status]).toEqual([by.name, status]);
    }
    expect((await apiAs(world.urls()[0]!, null)("POST", `/v1/approvals/${id}/approve`, {})).status).toBe(401);
    expect((await inbox.get(id)).status).toBe("pending");
    expect((await pay(args)).outcome).toBe("hold");
    must(await inbox.decide(id, "approve", staff.manager));
    expect((await pay(args)).outcome).toBe("allow");
  });

  it("no grant on Ambit's own tools, whatever its policy", async () => {
    const { server_id } = must(await world.staff.owner.api("GET", "/v1/gateway/servers/ambit"));
    const builtin = await world.grant({ version: "1", default: "allow" }, server_id);
    const args = fresh();
    const approval_id = await inbox.hold(grant, "pay", args);
    const manage = (action: string, more: object = {}) =>
      call({ ...world.at(builtin), url: `${world.urls()[0]}/mcp/ambit/` }, "manage_approvals", {
        ...{ action, approval_id },
        ...more,
      });
    expect((await manage("get")).body.result.structuredContent.status).toBe("pending");
    for (const told of [await manage("approve"), await manage("reject", { reason: "no" })]) {
      expect(told.body.result.isError).toBe(true);
      expect(told.text).toContain("AUTH_PERSON_REQUIRED");
    }
    expect((await inbox.get(approval_id)).status).toBe("pending");
  });

  it("sees who asks, the arguments, the rule and the risk; nobody else's are shown", async () => {
    const args = { ...fresh(), memo: "for the roof" };
    const id = await inbox.hold(grant, "pay", args);
    const shown = await inbox.get(id);
    expect(shown).toMatchObject({ kind: "tool_call", status: "pending" });
    expect(shown.request).toMatchObject({ tool: "pay", arguments: args, rule: "/tools/pay/approve_if/0" });
    expect(JSON.stringify(shown)).toContain(grant.grant_id);
    expect(shown.request.risk).toMatchObject({ risk: expect.any(String) });
    const told = await pay(args);
    expect(told.text).not.toContain("roof");
    const rows = await decisions(world.staff.owner.api, `&grant_id=${grant.grant_id}`);
    expect(JSON.stringify(rows)).not.toContain("roof");
  });
});

describe("many holds", () => {
  it("of one grant are twenty at most, on two nodes at once; the rest is refused and holds nothing", async () => {
    const told = await Promise.all(times(40, (turn) => pay(fresh(), turn)));
    expect(outcomes(told)).toEqual({ hold: 20, limit: 20 });
    expect(await used()).toBe(20);
    const ids = told.filter(({ outcome }) => outcome === "hold").map(approvalOf);
    must(await inbox.decide(ids[0]!, "reject"));
    expect((await pay(fresh())).outcome).toBe("hold");
    expect((await pay(fresh(), 1)).outcome).toBe("limit");
    expect(await used()).toBe(20);
  });

  it("end with their grant, and give their quota back", async () => {
    const ids = await Promise.all(times(6, (turn) => inbox.hold(grant, "pay", fresh(), turn)));
    await inbox.approve(ids[0]!);
    expect(await used()).toBe(6);
    must(await world.staff.owner.api("DELETE", `/v1/gateway/grants/${grant.grant_id}`));
    await becomes(inbox, ids[5]!, "cancelled");
    await eventually(async () => (await used()) === 0, "all of the quota to be given back");
    expect((await inbox.decide(ids[1]!, "approve")).status).toBe(409);
  });
});
