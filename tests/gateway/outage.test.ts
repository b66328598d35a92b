import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { eventually } from "../support/actors.ts";
import { type Inbox, inboxOf } from "./stand/approvals.ts";
import { call, decisions, outcomes, type Told, times } from "./stand/calls.ts";
import { startUpstream, toolNamed } from "./stand/upstream.ts";
import { startWire, type Wire } from "./stand/wire.ts";
import { allowing, type Grant, limitOf, startWorld, type World } from "./stand/world.ts";

let wire: Wire;
let world: World;
let inbox: Inbox;

beforeAll(async () => {
  wire = await startWire(inject("postgres"));
  const upstream = await startUpstream([toolNamed("pay"), toolNamed("look")]);
  world = await startWorld({ nodes: 2, upstream, through: wire.address });
  inbox = inboxOf(world);
});
afterAll(async () => {
  wire?.mend();
  await world?.close();
  await wire?.close();
});

/** What a client takes for a result of the tool. */
const isResult = ({ outcome }: Told) => outcome === "allow";
const grantOf = (max: number) => world.grant(allowing({ pay: { limits: [limitOf("pay", max)] } }));
const warm = async (grant: Grant) => {
  for (const node of [0, 1]) expect((await call(world.at(grant, node), "look")).outcome).toBe("allow");
};
/** Resolves once both nodes answer calls again. */
const back = (grant: Grant) =>
  eventually(async () => {
    const told = await Promise.all([0, 1].map((node) => call(world.at(grant, node), "look")));
    return told.every(isResult);
  }, "both nodes to be back");
const sent = (tool: string, from: number) => world.upstream.calls(tool).length - from;
/** All calls that gave a client a result are in the log; returns how many are. */
async function logged(grant: Grant, told: readonly Told[]): Promise<number> {
  const rows = await decisions(world.staff.owner.api, `&grant_id=${grant.grant_id}&tool=pay`);
  const ids = new Set(rows.map(({ request_id }) => request_id));
  for (const { requestId, outcome } of told) {
    if (["allow", "deny", "limit"].includes(outcome))
      expect(ids, `${outcome} ${requestId}`).toContain(requestId);
  }
  return rows.filter(({ outcome }) => outcome === "allow").length;
}

describe("without the database", () => {
  it("no call gives a result, no limited one is sent, and all the room is there afterwards", async () => {
    const grant = await grantOf(10);
    await warm(grant);
    expect((await call(world.at(grant), "pay")).outcome).toBe("allow");
    const before = world.upstream.calls("pay").length;
    wire.cut();
    const early = [
      ...times(12, (turn) => call(world.at(grant, turn), "pay")),
      ...times(12, (turn) => call(world.at(grant, turn), "look")),
    ];
    // By now nothing is remembered of the grant either.
    await sleep(900);
    const late = times(6, (turn) => call(world.at(grant, turn), turn % 3 ? "pay" : "look"));
    const told = await Promise.all([...early, ...late]);
    wire.mend();
    expect(told.filter(isResult)).toEqual([]);
    for (const { status, text } of told) expect(status === 200 || status >= 500, text).toBe(true);
    expect(sent("pay", before)).toBe(0);
    await back(grant);
    await expect.poll(() => inbox.used(grant, "pay/day"), { timeout: 5_000 }).toBe(1);
    const after = await Promise.all(times(24, (turn) => call(world.at(grant, turn), "pay")));
    expect(outcomes(after)).toEqual({ allow: 9, limit: 15 });
    expect(sent("pay", before)).toBe(9);
    expect(await logged(grant, after)).toBe(10);
  });

  it("lost in the midst of calls: never more than max, whatever was answered is recorded, and what is free is free", async () => {
    for (const round of times(4, (turn) => turn)) {
      const max = 60;
      const grant = await grantOf(max);
      await warm(grant);
      const before = world.upstream.calls("pay").length;
      const load = times(40, async (turn) => {
        await sleep(turn);
        return call(world.at(grant, turn), "pay");
      });
      await sleep(10 + round * 8);
      wire.cut();
      await sleep(60);
      wire.mend();
      const told = await Promise.all(load);
      await back(grant);
      const results = told.filter(isResult).length;
      const ran = sent("pay", before);
      const used = await inbox.used(grant, "pay/day");
      expect(ran).toBeGreaterThanOrEqual(results);
      expect(used, "what ran is counted").toBeGreaterThanOrEqual(ran);
      // A reservation whose answer was lost on the way stays counted: too strict, never too lax.
      expect(used).toBeLessThanOrEqual(ran + told.length - results);
      const rest = await Promise.all(times(max, (turn) => call(world.at(grant, turn), "pay")));
      expect(outcomes(rest)).toEqual({ allow: max - used, ...(used > 0 ? { limit: used } : {}) });
      expect(sent("pay", before)).toBeLessThanOrEqual(max);
      await logged(grant, [...told, ...rest]);
    }
  });
});
