import type { PolicyDocument } from "@ambit/policy";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import type { Verdict } from "./service.ts";
import { ACTIONS, type Action, CallModel } from "./testing/model.ts";
import { type GatewayStand, gatewayStand, type Node } from "./testing/stand.ts";
import { forwarded, neverRan, ran } from "./testing/verdicts.ts";

let stand: GatewayStand;
let owner: KeyPrincipal;
let nodes: Node[];
beforeAll(async () => {
  stand = await gatewayStand();
  owner = await stand.member("owner");
  nodes = [stand, stand.node()];
});
afterAll(() => stand.stop());

const ASK: PolicyDocument = {
  version: "1",
  default: "deny",
  tools: {
    pay: {
      limits: [{ counter: "pay", window: "hour", max: 1_000, scope: "grant" }],
      approve_if: [{ conditions: [] }],
    },
  },
};

interface Step {
  readonly what: Action | "wait";
  readonly node: number;
  readonly which: number;
  readonly waitMs: number;
}

const MINUTE_MS = 60_000;
const steps = fc.array(
  fc.record<Step>({
    what: fc.oneof(
      { weight: 2, arbitrary: fc.constantFrom("approve" as const, "wait" as const) },
      { weight: 2, arbitrary: fc.constantFrom(...ACTIONS) },
      { weight: 1, arbitrary: fc.constant("crash" as const) },
    ),
    node: fc.nat(1),
    which: fc.nat(2),
    waitMs: fc.constantFrom(...[1, 1, 2, 2, 10, 10, 180, 24 * 60].map((minutes) => minutes * MINUTE_MS)),
  }),
  { minLength: 30, maxLength: 60 },
);

const said = (verdict: Verdict) =>
  verdict.kind === "answer" ? verdict.result._meta["ambit/decision"].outcome : verdict.kind;

/** How often each answer was given, by what was known of the call: the plans must reach all of it. */
const reached = new Map<string, number>();

/** One grant's life: every answer, and what is left of the quota, as the model has it; no approval runs twice. */
async function live(plan: readonly Step[]): Promise<void> {
  const grant = await stand.grant(ASK);
  const models = [0, 1, 2].map(() => new CallModel());
  const approvals: (string | null)[] = [null, null, null];
  const executions = new Map<string, number>();
  for (const { what, node: at, which, waitMs } of plan) {
    const [node, model] = [nodes[at]!, models[which]!];
    const nowMs = stand.now();
    if (what === "wait") {
      stand.advance(waitMs);
      await stand.expire();
      await node.tidy();
      for (const each of models) each.passes(stand.now());
    } else if (what === "approve" || what === "reject") {
      const id = approvals[which];
      if (id == null) continue;
      const decided = await node.approvals
        .decide(owner, { id }, { decision: what, reason: "said so" }, nowMs)
        .then(
          () => true,
          () => false,
        );
      expect(decided).toBe(model.decide(what, nowMs));
    } else {
      if (model.stage === "running") {
        // The same call would wait for it; that is looked at elsewhere.
        const call = { grantId: grant.id, serverId: grant.serverId, tool: "pay", args: { which } };
        expect((await node.holds.find(node.holds.keyOf(call), nowMs)).kind).toBe("running");
        continue;
      }
      const verdict = await stand.call(grant, "pay", { which }, { node });
      const { stage } = model;
      expect([stage, said(verdict)]).toEqual([stage, model.call(nowMs)]);
      reached.set(stage, (reached.get(stage) ?? 0) + 1);
      if (verdict.kind === "answer" && said(verdict) === "hold") {
        approvals[which] = verdict.result._meta["ambit/decision"].approval_id!;
      }
      if (verdict.kind !== "forward") continue;
      const how = what === "call" ? "run" : what;
      if (how !== "crash") await forwarded(verdict).call.settle(how === "run" ? ran("paid") : neverRan);
      const id = approvals[which]!;
      if (how !== "fail") executions.set(id, (executions.get(id) ?? 0) + 1);
      model.settles(how, nowMs);
    }
    const used = models.reduce((sum, each) => sum + each.used, 0);
    expect(await stand.used(`grant:${grant.id}/pay/hour`)).toBe(used);
  }
  expect([...executions.values()].every((count) => count === 1)).toBe(true);
}

it("is, on two nodes, as a simple model has it", async () => {
  await fc.assert(fc.asyncProperty(steps, live), { seed: 20_261_122, numRuns: 40, endOnFailure: true });
  for (const stage of ["none", "pending", "approved", "executed", "rejected", "expired", "unknown"]) {
    expect([stage, reached.get(stage) ?? 0]).toEqual([stage, expect.toSatisfy((times) => times >= 5)]);
  }
}, 120_000);
