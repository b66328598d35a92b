import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apiAs } from "../support/api.ts";
import { must } from "../support/app.ts";
import { addPolicy, connectClient } from "../support/gateway.ts";
import { call, decisions, type Told, tally, times } from "./stand/calls.ts";
import { callStreaming, drips, listen, type Open } from "./stand/streams.ts";
import { startUpstream, toolNamed } from "./stand/upstream.ts";
import { allowing, type Grant, limitOf, startWorld, type World } from "./stand/world.ts";

/** What is promised, and what a busy machine may add to it. */
const SECOND_MS = 1_000;
const SLACK_MS = 500;

let world: World;

beforeAll(async () => {
  const upstream = await startUpstream([toolNamed("pay"), toolNamed("drip"), toolNamed("other")]);
  upstream.on("drip", drips);
  world = await startWorld({ nodes: 2, upstream });
});
afterAll(() => world?.close());

const OPEN = allowing({});
const owner = () => world.staff.owner.api;
const ofGrant = ({ grant_id }: Grant) => `/v1/gateway/grants/${grant_id}`;

/** GET and POST streams of a grant, open on both nodes. */
async function openStreams(grant: Grant): Promise<Open[]> {
  const all = await Promise.all(
    [0, 1].flatMap((node) => [
      listen(world.at(grant, node)),
      callStreaming(world.at(grant, node), "drip", { progress: true }),
    ]),
  );
  await expect.poll(() => all.filter(({ text }) => text.includes("progress")).length).toBe(2);
  return all;
}

/** When a node took the token for the last time, asked again and again until it surely takes it no more. */
async function lastTakenAt(grant: Grant, node: number, untilMs: number): Promise<number> {
  let last = 0;
  for (let atMs = Date.now(); atMs < untilMs; atMs = Date.now()) {
    const told = await call(world.at(grant, node), "pay");
    if (told.status !== 401) {
      expect(told.outcome).toBe("allow");
      last = atMs;
    }
    // Wrong tokens may be tried a hundred times a minute.
    await sleep(120);
  }
  return last;
}

/** What ends a grant; resolves with when it counts from, and where it was done. */
const ENDS: Record<string, (grant: Grant) => Promise<unknown>> = {
  "revoking it": (grant) => owner()("DELETE", ofGrant(grant)),
  "rotating it": (grant) => owner()("POST", `${ofGrant(grant)}/rotate`, {}),
  "deleting its server": ({ server_id }) => owner()("DELETE", `/v1/gateway/servers/${server_id}`),
};

describe("a grant ends within a second, on both nodes, on open streams too", () => {
  const ends = async (grant: Grant, streams: Open[], fromMs: number) => {
    const untilMs = fromMs + SECOND_MS + SLACK_MS;
    const ended = Promise.all(streams.map((stream) => stream.ended));
    const [here, there] = await Promise.all([0, 1].map((node) => lastTakenAt(grant, node, untilMs + 100)));
    for (const atMs of [here!, there!, ...(await ended)])
      expect(atMs - fromMs).toBeLessThan(SECOND_MS + SLACK_MS);
  };

  it.each(Object.keys(ENDS))("%s", async (how) => {
    const { server_id } = await world.register();
    const grant = await world.grant(OPEN, server_id);
    const streams = await openStreams(grant);
    must((await ENDS[how]!(grant)) as never);
    const fromMs = Date.now();
    // On the node that made the change it holds from the next request on.
    expect((await call(world.at(grant), "pay")).status).toBe(401);
    await ends(grant, streams, fromMs);
  });

  it("its time running out", async () => {
    const grant = await world.grant(OPEN);
    const expiresMs = Date.now() + 1_500;
    must(await owner()("PATCH", ofGrant(grant), { expires_at: new Date(expiresMs).toISOString() }));
    const streams = await openStreams(grant);
    await sleep(expiresMs - Date.now() - 150);
    const { outcome } = await call(world.at(grant), "pay");
    if (Date.now() < expiresMs) expect(outcome, "not before").toBe("allow");
    await ends(grant, streams, expiresMs);
  });

  it("its maker leaving the organisation", async () => {
    const { organizationId } = world.staff;
    const members = `/v1/organizations/${organizationId}/members`;
    const made = must(await owner()("POST", members, { email: "leaver@example.com", role: "admin" }));
    const leaver = apiAs(world.urls()[0]!, made.key);
    const path = `/v1/gateway/servers/${world.server.server_id}/grants`;
    const policy_id = await addPolicy(owner(), world.server.server_id, OPEN);
    const issued = must(await leaver("POST", path, { label: "of the leaver", policy_id }));
    const grant = { ...issued, server_id: world.server.server_id, policy_id };
    const streams = await openStreams(grant);
    must(await owner()("DELETE", `${members}/${made.account_id}`));
    await ends(grant, streams, Date.now());
  });

  it("with all that is under way: the server hears that nobody waits any more", async () => {
    const grant = await world.grant(OPEN);
    let closed = 0;
    world.upstream.on("other", (_arrival, response) => {
      response.on("close", () => {
        closed += 1;
      });
    });
    const before = world.upstream.calls("other").length;
    const waiting = times(4, (turn) => call(world.at(grant, turn), "other"));
    while (world.upstream.calls("other").length < before + 4) await sleep(5);
    must(await owner()("DELETE", ofGrant(grant)));
    expect(tally((await Promise.all(waiting)).map(({ status }) => String(status)))).toEqual({ "401": 4 });
    await expect.poll(() => closed).toBe(4);
  });
});

describe("an edit of a policy", () => {
  const says = (what: string) => allowing({ pay: { deny_if: [{ conditions: [], on_deny: what }] } });

  it("holds from the next request on, and within a second on other nodes", async () => {
    const grant = await world.grant(says("first"));
    for (const round of times(12, (turn) => turn)) {
      const here = round % 2;
      await world.edit(grant.policy_id!, says(`round ${round}`), here);
      const fromMs = Date.now();
      expect((await call(world.at(grant, here), "pay")).text).toContain(`round ${round}"`);
      if (round > 3) continue;
      for (;;) {
        const { text } = await call(world.at(grant, 1 - here), "pay");
        if (text.includes(`round ${round}"`)) break;
        expect(Date.now() - fromMs).toBeLessThan(SECOND_MS + SLACK_MS);
        await sleep(15);
      }
    }
  });

  it("and of which policy a grant has", async () => {
    const grant = await world.grant(says("one"));
    const other = await addPolicy(owner(), grant.server_id, says("other"));
    const pay = async () => (await call(world.at(grant), "pay")).text;
    for (const [policy_id, text] of [
      [other, "other"],
      [null, "no policy"],
      [grant.policy_id, "one"],
    ]) {
      must(await owner()("PUT", `${ofGrant(grant)}/policy`, { policy_id }));
      expect(await pay()).toContain(text);
    }
  });

  it.each(["session", "stateless"] as const)("no client reconnects (%s)", async (era) => {
    const grant = await world.grant(OPEN);
    const client = await connectClient({ ...grant, proxy_url: world.at(grant).url }, era);
    const names = async () => (await client.listTools()).tools.map(({ name }) => name);
    const pay = async () => JSON.stringify(await client.callTool({ name: "pay", arguments: {} }));
    const before = world.upstream.arrivals.filter(({ method }) => method === "initialize").length;
    expect(await names()).toEqual(["pay", "drip", "other"]);
    await world.edit(grant.policy_id!, { version: "1", default: "allow", hide: ["pay"] });
    expect(await names()).toEqual(["drip", "other"]);
    expect(await pay()).toContain("(hidden)");
    await world.edit(grant.policy_id!, { version: "1", default: "deny", tools: { pay: {} } });
    expect(await names()).toEqual(["pay"]);
    expect(await pay()).not.toContain("ambit/decision");
    await world.edit(grant.policy_id!, says("not today"));
    expect(await pay()).toContain("not today");
    expect(world.upstream.arrivals.filter(({ method }) => method === "initialize")).toHaveLength(before);
    await client.close();
  });

  /** Every version names itself wherever it speaks. */
  const versioned = (version: number) =>
    allowing({
      pay: {
        deny_if: [
          { conditions: [{ path: "args.v", op: "eq", value: version % 3 }], on_deny: `denied by ${version}` },
        ],
        limits: [limitOf(`c${version}`, 4, { on_deny: `limited by ${version}` })],
      },
    });

  it("while calls are made: each is judged and counted by one version, and by none that is over for a second", async () => {
    const grant = await world.grant(versioned(1));
    const heldSince = new Map([[1, 0]]);
    const told: { node: number; v: number; answer: Told }[] = [];
    let editing = true;
    const callers = times(8, async (turn) => {
      for (let n = turn; editing; n++) {
        const [node, v] = [n % 2, n % 3];
        const answer = await call(world.at(grant, node), "pay", { v, [`k${v}`]: 1 });
        told.push({ node, v, answer });
      }
    });
    for (let version = 2; version <= 60; version++) {
      // Two in a row on each node.
      const node = Math.floor(version / 2) % 2;
      expect(await world.edit(grant.policy_id!, versioned(version), node)).toBe(version);
      heldSince.set(version, Date.now());
      await sleep(version % 5 === 0 ? 150 : 15);
    }
    editing = false;
    await Promise.all(callers);
    const rows = await decisions(owner(), `&grant_id=${grant.grant_id}&tool=pay`);
    expect(rows).toHaveLength(told.length);
    const allowed = new Map<number, number>();
    for (const row of rows) {
      const { policy_version: version, outcome, message, rule, argument_keys, at } = row;
      const denies = argument_keys.includes(`k${version % 3}`);
      expect(outcome === "deny", JSON.stringify(row)).toBe(denies);
      if (outcome === "deny")
        expect([rule, message]).toEqual(["/tools/pay/deny_if/args.v-eq", `denied by ${version}`]);
      else if (outcome === "limit")
        expect([rule, message]).toEqual([`/tools/pay/limits/c${version}`, `limited by ${version}`]);
      else allowed.set(version, (allowed.get(version) ?? 0) + 1);
      const over = heldSince.get(version + 1);
      if (over !== undefined) expect(Date.parse(at) - over).toBeLessThan(SECOND_MS + SLACK_MS);
    }
    const used = must(await owner()("GET", ofGrant(grant))).used;
    expect(Object.fromEntries(used.map((each: any) => [each.counter, each.used]))).toEqual(
      Object.fromEntries([...allowed].map(([version, count]) => [`c${version}/day`, count])),
    );
    expect(new Set(rows.map(({ policy_version }) => policy_version)).size).toBeGreaterThan(20);
    expect(tally(rows.map(({ outcome }) => outcome))).toMatchObject({
      ...{ allow: expect.any(Number), deny: expect.any(Number), limit: expect.any(Number) },
    });
    // What the callers were told is what was written down.
    const byId = new Map(rows.map((row) => [row.request_id, row]));
    for (const { answer } of told) expect(byId.get(answer.requestId)?.outcome).toBe(answer.outcome);
  });
});
