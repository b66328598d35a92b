import { setTimeout as pause } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createGatewayDecisions } from "../../packages/server/src/features/gateway-decisions/index.ts";
import type { BenchContext } from "../harness/bench.ts";
import { median, percentile } from "../harness/statistics.ts";
import { openLedgerStand } from "./ledger-stand.ts";

const GRANTS = 1_000;
const PER_SECOND = 10_000;
const WARM_UP_S = 5;
const FOR_S = 30;
/** Decisions are handed over this often, as many as are due. */
const TICK_MS = 5;
const MB = 1024 * 1024;

/** The decision log alone: 10,000 a second by 1,000 grants, each durable; what it leaves in memory. */
export async function measureLog({ resources, report, note }: BenchContext): Promise<void> {
  const stand = await openLedgerStand(resources);
  const nobody = () => Promise.reject(new Error("not asked for"));
  const { service, feature } = createGatewayDecisions(stand.platform, {
    ledger: stand.ledger,
    policies: { current: nobody, version: nobody },
    servers: stand as never,
    grants: stand as never,
  });
  await feature.start?.();
  resources.defer(async () => feature.stop?.());
  const waits: number[] = [];
  const one = async (at: number) => {
    const from = performance.now();
    const id = await service.record(decisionOf(stand.organizationId, at));
    service.ended({
      decisionId: id,
      organizationId: stand.organizationId,
      status: 200,
      latencyMs: 1,
      problem: null,
    });
    waits.push(performance.now() - from);
  };
  let handed = 0;
  const load = async (seconds: number) => {
    const from = performance.now();
    const before = handed;
    const underWay = new Set<Promise<void>>();
    while (performance.now() - from < seconds * 1_000) {
      const due = before + Math.floor(((performance.now() - from) / 1_000) * PER_SECOND);
      while (handed < due) {
        handed += 1;
        const writing = one(handed);
        underWay.add(writing);
        void writing.finally(() => underWay.delete(writing));
      }
      await pause(TICK_MS);
    }
    await Promise.all(underWay);
    return (handed - before) / ((performance.now() - from) / 1_000);
  };
  await load(WARM_UP_S);
  waits.length = 0;
  const heapBefore = heapInUse();
  const rate = await load(FOR_S);
  const waited = [median(waits), percentile(waits, 0.99)] as const;
  waits.length = 0;
  const grown = (heapInUse() - heapBefore) / MB;
  note(`${rate.toFixed(0)}/s, p50 ${waited[0].toFixed(2)} ms, heap grew by ${grown.toFixed(1)} MB`);
  const conditions = `${GRANTS} grants by turns, ${PER_SECOND} decisions handed over a second for ${FOR_S} s after ${WARM_UP_S} s, each durable in the ledger, with how its call ended; heap in use after a collection, before and after; the sequencer places entries meanwhile; everything shares the machine`;
  const say = (
    measure: string,
    value: number,
    unit: string,
    target?: { of: "value"; bound: "≤" | "≥"; number: number },
  ) => report({ measure: `gateway.log_${measure}`, value, unit, target, conditions }, stand.version);
  say("per_second", rate, "decisions/s", { of: "value", bound: "≥", number: PER_SECOND * 0.98 });
  say("p50", waited[0], "ms");
  say("p99", waited[1], "ms");
  say("heap_growth", grown, "MB", { of: "value", bound: "≤", number: 8 });
}

const decisionOf = (organizationId: string, at: number) => ({
  ...{
    organizationId,
    requestId: `req-${at}`,
    grantId: `gra_${at % GRANTS}`,
    method: "tools/call",
    tool: "echo",
  },
  ...{ serverId: "6f1d2c1e-0000-4000-8000-000000000001", policyId: "6f1d2c1e-0000-4000-8000-000000000002" },
  ...{
    policyVersion: 1,
    outcome: "allow" as const,
    rule: "",
    message: null,
    argumentKeys: ["text"],
    approvalId: null,
  },
});

function heapInUse(): number {
  setFlagsFromString("--expose_gc");
  const gc = runInNewContext("gc") as () => void;
  gc();
  gc();
  return process.memoryUsage().heapUsed;
}
