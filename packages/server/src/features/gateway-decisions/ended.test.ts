import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bounded, createEndedCalls } from "./ended.ts";
import { limits } from "./limits.ts";
import { type DecisionStand, decisionStand } from "./testing/stand.ts";
import type { UpstreamOutcome } from "./types.ts";

let stand: DecisionStand;
beforeAll(async () => {
  stand = await decisionStand();
});
afterAll(() => stand?.stop());

const endOf = (decisionId: string, organizationId = stand.organizationId): UpstreamOutcome => ({
  ...{ decisionId, organizationId, status: 200, latencyMs: 1, problem: null },
});
const written = async (like: string) =>
  (
    await stand.platform.database.query<{ decision_id: string }>(
      "select decision_id from ambit.gateway_ended where decision_id like $1 order by 1",
      [like],
    )
  ).map((row) => row.decision_id);
/** How many calls each entry about an organisation's ended calls has. */
const entries = async (organizationId: string) =>
  (
    await stand.platform.database.query<{ calls: number }>(
      `select jsonb_array_length(entry::jsonb #> '{data,calls}') as calls from ambit.ledger_entries
       where organization_id = $1 and kind = 'gateway.ended' order by seq`,
      [organizationId],
    )
  ).map(({ calls }) => calls);

describe("how calls ended", () => {
  it("is written together, with one entry of each organisation's, and more only where one would be too large", async () => {
    const [one, other] = [await stand.organization(), await stand.organization()];
    const ended = createEndedCalls(stand.platform, stand.ledger);
    ended.start();
    for (let n = 0; n < limits.outcomesPerEntry + 5; n += 1)
      ended.add({ ...endOf(`one_${1_000 + n}`, one), problem: "x".repeat(500) });
    ended.add(endOf("other_1", other));
    await ended.stop();
    expect(await entries(one)).toEqual([limits.outcomesPerEntry, 5]);
    expect(await entries(other)).toEqual([1]);
    expect(await written("o%_1%")).toHaveLength(limits.outcomesPerEntry + 6);
  });

  it("waits while it can't be written, and is then written once", async () => {
    const organization = await stand.organization();
    const ended = createEndedCalls(stand.platform, stand.ledger);
    await stand.asSuperuser("alter table ambit.gateway_ended rename to gateway_ended_away");
    ended.start();
    ended.add(endOf("late_1", organization));
    await new Promise((resolve) => setTimeout(resolve, 2.5 * limits.flushEveryMs));
    await stand.asSuperuser("alter table ambit.gateway_ended_away rename to gateway_ended");
    expect(await entries(organization)).toEqual([]);
    await new Promise((resolve) => setTimeout(resolve, 2.5 * limits.flushEveryMs));
    expect([await written("late_%"), await entries(organization)]).toEqual([["late_1"], [1]]);
    // The same again, as after a commit of which nobody heard.
    ended.add(endOf("late_1", organization));
    await ended.stop();
    expect([await written("late_%"), await entries(organization)]).toEqual([["late_1"], [1]]);
  });

  it("waits in a bounded queue; what can't ever be written keeps nothing else from it", async () => {
    const organization = await stand.organization();
    const ended = createEndedCalls(stand.platform, stand.ledger);
    ended.add(endOf("never_1", "no organisation"));
    for (let n = 0; n < limits.queuedOutcomes + 10; n += 1)
      ended.add(endOf(`bound_${100_000 + n}`, organization));
    const { values } = await stand.platform.metrics.limitsHit.get();
    expect(values.find(({ labels }) => labels.limit === "gateway_ended_queue")?.value).toBe(11);
    await ended.stop();
    expect(await written("bound_%")).toHaveLength(limits.queuedOutcomes - 1);
    expect(await written("never_%")).toEqual([]);
  });

  it.each([
    [
      { status: Number.NaN, latencyMs: Number.POSITIVE_INFINITY },
      { status: 0, latencyMs: 0 },
    ],
    [
      { status: 99_999, latencyMs: -1 },
      { status: 0, latencyMs: 0 },
    ],
    [{ latencyMs: 1.23456 }, { latencyMs: 1.235 }],
    [{ problem: "böse\u0000\ud800" }, { problem: "b?se??" }],
    [{ problem: "y".repeat(200) }, { problem: "y".repeat(limits.problemChars) }],
  ])("is made fit to be written: %j", (given, expected) => {
    expect(bounded({ ...endOf("x", "o"), ...given })).toMatchObject(expected);
  });
});
