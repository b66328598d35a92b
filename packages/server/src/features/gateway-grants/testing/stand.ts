import { newUuid } from "../../../kernel/ids.ts";
import type { KeyPrincipal } from "../../../kernel/principal.ts";
import { type Caller, callerOf } from "../../../testing/caller.ts";
import {
  type Node as PolicyNode,
  type PolicyStand,
  policyStand,
} from "../../gateway-policies/testing/stand.ts";
import { createQuotasService, type GatewayQuotas } from "../../gateway-quotas/service.ts";
import { grantOperations } from "../operations.ts";
import { grantReadOperations } from "../read-operations.ts";
import { createGrantsService, type GatewayGrants } from "../service.ts";

/** One process of Ambit, as far as grants go. */
export interface Node extends PolicyNode {
  readonly quotas: GatewayQuotas;
  readonly grants: GatewayGrants;
}

/** Grants on a real database, with real policies, servers and counters, and a member who makes them. */
export interface GrantStand extends Omit<PolicyStand, "node">, Node {
  node(): Node;
  /** Moves the clock of every node. */
  advance(ms: number): void;
  now(): number;
  /** The member as whom the caller calls, an owner. */
  readonly owner: Partial<KeyPrincipal>;
  readonly caller: Caller;
  /** Makes a policy of a server that allows `read`; its id. */
  policy(serverId: string): Promise<string>;
}

export async function grantStand(): Promise<GrantStand> {
  const world = await policyStand();
  let aheadMs = 0;
  const now = () => Date.now() + aheadMs;
  const on = (node: PolicyNode): Node => {
    const platform = { ...node.platform, clock: now };
    const quotas = createQuotasService(platform);
    const { servers, policies } = node;
    return { ...node, quotas, grants: createGrantsService(platform, { servers, policies, quotas }) };
  };
  const first = on(world);
  const owner = await world.member("owner");
  const operations = [
    ...grantReadOperations(world.platform, first.grants),
    ...grantOperations(world.platform, first.grants),
  ];
  return {
    ...world,
    ...first,
    owner,
    now,
    caller: callerOf(operations, { organizationId: world.organizationId, ...owner }, now),
    node: () => on(world.node()),
    advance(ms) {
      aheadMs += ms;
    },
    async policy(serverId) {
      const server = (await world.servers.find(serverId))!;
      const by = { organizationId: server.organizationId, accountId: newUuid(), keyId: newUuid() };
      const document = { version: "1", default: "deny", tools: { read: {} } };
      return (await world.policies.create(by, server, { name: newUuid(), document }, now())).policyId;
    },
  };
}
