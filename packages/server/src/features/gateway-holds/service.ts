import type { Platform } from "../../engines/platform.ts";
import { newToken } from "../../kernel/ids.ts";
import { createArgumentSeal } from "../gateway-decisions/service.ts";
import { callKeyOf } from "./call-key.ts";
import { cancelAll } from "./cancel.ts";
import { factsOf, type GatewayHoldsDeps, type HoldsContext } from "./context.ts";
import { createCallHandler } from "./handler.ts";
import { limits } from "./limits.ts";
import { putIn } from "./put-in.ts";
import { openState, sealState } from "./request-state.ts";
import { claim, finish, lose } from "./run.ts";
import { stateOf } from "./state.ts";
import * as store from "./store.ts";
import type { CallKey, GatewayHoldsService, HoldState } from "./types.ts";

export type { GatewayHoldsDeps } from "./context.ts";
export { limits as gatewayHoldLimits } from "./limits.ts";
export type * from "./types.ts";

/** The service, and what its background work needs. Registers itself with the inbox. */
export function createGatewayHoldsService(
  platform: Platform,
  deps: GatewayHoldsDeps,
): { service: GatewayHoldsService; context: HoldsContext } {
  const { database, secrets } = platform;
  const counter = platform.metrics.counter(
    "ambit_gateway_held_calls_total",
    "Calls of tools that needed a person's approval, by what happened to them.",
    ["event"],
  );
  const context: HoldsContext = {
    ...{ platform, ...deps, running: new Map(), judge: null },
    argumentSeal: createArgumentSeal(platform.secrets),
    count: (event) => counter.inc({ event }),
  };
  deps.approvals.register(createCallHandler(context));
  const service: GatewayHoldsService = {
    keyOf: (call) => callKeyOf(secrets, call),
    find: (key, nowMs) => find(context, key, nowMs),
    hold: (call, nowMs) => putIn(context, call, nowMs),
    claim: (holdId, nowMs) => claim(context, holdId, nowMs),
    finish: (holdId, end, nowMs) => finish(context, holdId, end, nowMs),
    async issueState(approvalId, key) {
      const nonce = newToken(16);
      const hold = await store.addNonce(database, approvalId, nonce);
      if (hold === null) throw new Error(`no call is held under ${approvalId}`);
      const expiresAtMs = hold.expires_at.getTime() + limits.approvedMs;
      return sealState(secrets, key, { approvalId, nonce, expiresAtMs });
    },
    async useState(sealed, key, nowMs) {
      const state = openState(secrets, key, sealed, nowMs);
      return state !== null && store.takeNonce(database, state.approvalId, state.nonce);
    },
    cancelOfGrant: (grantId) => cancelAll(context, { grantId, serverId: null }),
    cancelOfServer: (serverId) => cancelAll(context, { grantId: null, serverId }),
    grantsWithHolds: (after, limit) => store.selectGrants(database, after, limit),
    judgeWith(judge) {
      if (context.judge !== null) throw new Error("somebody judges calls that wait already");
      context.judge = judge;
    },
  };
  return { service, context };
}

async function find(context: HoldsContext, key: CallKey, nowMs: number): Promise<HoldState> {
  const { database } = context.platform;
  const row = await store.selectOfCall(database, key);
  if (row === null) return { kind: "none" };
  const state = stateOf(factsOf(context, row), nowMs);
  if (state.kind !== "unknown") return state;
  if (row.status === "running") await lose(context, row.id, nowMs);
  if (await store.setTold(database, row.id, new Date(nowMs))) return state;
  // It has ended after all, or another repetition was told meanwhile.
  const now = await store.selectOfCall(database, key);
  return now === null ? { kind: "none" } : stateOf(factsOf(context, now), nowMs);
}
