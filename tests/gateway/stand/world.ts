import { inject } from "vitest";
import { type Api, apiAs } from "../../support/api.ts";
import { must } from "../../support/app.ts";
import type { Nodes, PostgresAddress } from "../../support/functions.ts";
import { addPolicy, addServer, type Registered, startGateway } from "../../support/gateway.ts";
import { type Caller, newStaffed, type Staffed } from "../../support/substrate.ts";
import type { At } from "./calls.ts";
import { startUpstream, type Upstream } from "./upstream.ts";

/** A grant with the policy it began with. */
export interface Grant {
  readonly grant_id: string;
  readonly token: string;
  readonly server_id: string;
  readonly policy_id: string | null;
}

/** Ambit on one or more nodes, an organisation with people, and an MCP server that counts what comes to it. */
export interface World {
  readonly nodes: Nodes;
  readonly upstream: Upstream;
  readonly staff: Staffed;
  /** The upstream, registered. */
  readonly server: Registered;
  /** Addresses of the nodes, as they are now. */
  urls(): string[];
  /** A caller's API at one node or the other. */
  api(node: number, caller: Caller): Api;
  /** Where the holder of a grant calls, at one node or the other. */
  at(grant: Grant, node?: number): At;
  /** Registers the upstream once more; of a server there may be several registrations. */
  register(more?: object): Promise<Registered>;
  /** A grant of the owner's, on `server` unless another is named; `null`: without a policy. */
  grant(document: object | null, serverId?: string): Promise<Grant>;
  edit(policyId: string, document: object, node?: number): Promise<number>;
  close(): Promise<void>;
}

let labels = 0;

export async function startWorld({
  nodes: count = 1,
  upstream: given,
  env = {},
  ports = [],
  through,
}: {
  nodes?: number;
  upstream?: Upstream;
  env?: Record<string, string>;
  ports?: readonly number[];
  through?: PostgresAddress;
} = {}): Promise<World> {
  const upstream = given ?? (await startUpstream());
  const nodes = await startGateway(inject("postgres"), {
    ports: [upstream.port, ...ports],
    nodes: count,
    env,
    ...(through === undefined ? {} : { through }),
  }).catch(async (error) => {
    await upstream.close();
    throw error;
  });
  const close = async () => {
    await nodes.close();
    await upstream.close();
  };
  try {
    const urls = () => [nodes.server, ...nodes.others].map(({ apiUrl }) => apiUrl);
    const staff = await newStaffed(() => nodes.server.apiUrl, nodes.owner, "Gateway");
    const register = (more: object = {}) =>
      addServer(staff.owner.api, { transport: "http", url: upstream.url, ...more });
    const server = await register();
    return {
      ...{ nodes, upstream, staff, server, urls, register, close },
      api: (node, caller) => apiAs(urls()[node % count]!, caller.key),
      at: ({ server_id, token }, node = 0) => ({ url: `${urls()[node % count]}/mcp/${server_id}/`, token }),
      async grant(document, serverId = server.server_id) {
        const policy_id = document === null ? null : await addPolicy(staff.owner.api, serverId, document);
        const path = `/v1/gateway/servers/${serverId}/grants`;
        const body = { label: `grant ${++labels}`, policy_id };
        const issued = must(await staff.owner.api("POST", path, body));
        return { ...issued, server_id: serverId, policy_id };
      },
      edit: async (policyId, document, node = 0) =>
        must(
          await apiAs(urls()[node % count]!, staff.owner.key)("PUT", `/v1/gateway/policies/${policyId}`, {
            document,
          }),
        ).version,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A policy that lets through what it does not speak of. */
export const allowing = (tools: object, more: object = {}): object => ({
  ...{ version: "1", default: "allow", tools },
  ...more,
});

/** A limit, by default of one day and of the grant. */
export const limitOf = (counter: string, max: number, more: object = {}): object => ({
  ...{ counter, window: "day", max, scope: "grant" },
  ...more,
});

/** Any call needs a person. */
export const ASKS = { approve_if: [{ conditions: [], on_deny: "somebody should look" }] };
