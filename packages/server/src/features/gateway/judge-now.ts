import { RULES } from "@ambit/policy";
import type { CallReference, JudgedNow } from "../gateway-holds/service.ts";
import { policyOf } from "./admit.ts";
import { reasonOf } from "./answers.ts";
import type { GatewayContext } from "./context.ts";
import { riskOf } from "./risk.ts";
import { judgedBy } from "./tool-call.ts";

/** What today's policy says of a call that waits, without counting it. */
export async function judgeNow(
  context: GatewayContext,
  { grantId, serverId, tool, args }: CallReference,
): Promise<JudgedNow> {
  const [grant, server] = [await context.grants.byId(grantId), await context.servers.find(serverId)];
  if (grant === null || server === null) {
    const message = "the grant or its server is no more: the call can't be made again";
    return { outcome: "deny", rule: "", message, policyVersion: null, risk: null };
  }
  const risk = await riskOf(context, server, tool, args);
  const policy = await policyOf(context, grant, server);
  if (policy === null) {
    const rule = RULES.noPolicy;
    return { outcome: "deny", rule, message: reasonOf(rule, null), policyVersion: null, risk };
  }
  const call = { tool, args, grantId, sessionId: null, serverId };
  const { outcome, rule, message } = await judgedBy(context, policy, server, call, context.platform.clock());
  const said = outcome === "deny" ? reasonOf(rule, message) : message;
  return { outcome, rule, message: said, policyVersion: policy.version, risk };
}
