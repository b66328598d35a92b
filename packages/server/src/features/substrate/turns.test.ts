import { afterAll, beforeAll, expect, it } from "vitest";
import { limits } from "./limits.ts";
import { type Member, type Stand, substrateStand } from "./testing/stand.ts";

let stand: Stand;
let agent: Member;
beforeAll(async () => {
  stand = await substrateStand();
  agent = await stand.member("developer", { kind: "agent" });
});
afterAll(() => stand.stop());

it("proposals that wait for one another leave connections to everything else", async () => {
  const { database } = stand.platform;
  const key = "held";
  const payload = { title: "t", description: "d" };
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const { promise: held, resolve: holds } = Promise.withResolvers<void>();
  // Somebody is at the same key, and takes a long time.
  const holder = database.transaction(async (tx) => {
    await tx.query("select pg_advisory_xact_lock(hashtextextended($1, 0))", [
      `substrate.idempotency ${stand.organizationId} ${key}`,
    ]);
    holds();
    await released;
  });
  await held;
  const waiting = Array.from({ length: 40 }, () =>
    stand.propose(agent, "record_learning", payload, { idempotencyKey: key }),
  );
  await new Promise((resolve) => setTimeout(resolve, 100));
  const begun = performance.now();
  await database.query("select 1");
  expect(performance.now() - begun).toBeLessThan(1_000);
  release();
  await holder;
  const answers = await Promise.all(waiting);
  expect(new Set(answers.map(({ action_id }) => action_id)).size).toBe(1);
});

it("more than may wait are turned away, and counted", async () => {
  const proposals = Array.from({ length: limits.proposalsAtOnce + limits.proposalsWaiting + 20 }, () =>
    agent
      .call("substrate.preview", { capability: "record_learning", payload: { title: "t", description: "d" } })
      .then(
        () => "done",
        ({ code }) => code,
      ),
  );
  const outcomes = await Promise.all(proposals);
  const turnedAway = outcomes.filter((each) => each === "PROPOSALS_BUSY").length;
  expect(turnedAway).toBeGreaterThan(0);
  expect(outcomes.filter((each) => each === "done")).toHaveLength(outcomes.length - turnedAway);
  const { values } = await stand.platform.metrics.limitsHit.get();
  const counted = values.find(({ labels }) => labels.limit === "substrate_proposals_waiting");
  expect(counted?.value).toBe(turnedAway);
}, 60_000);
