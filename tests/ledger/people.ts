import { type Api, apiAs } from "../support/api.ts";
import { must } from "../support/app.ts";
import type { Server } from "../support/server.ts";
import { firstOrganization, type Organization } from "./stand.ts";

/** Who acts, and how the ledger should call it. */
export interface Actor {
  readonly api: Api;
  readonly actor: { readonly type: string; readonly id: string; readonly account?: string };
}

/** An organisation with an owner, an agent of the owner's, somebody who decides, and somebody who only looks. */
export interface People {
  readonly organization: Organization;
  readonly owner: Actor;
  readonly agent: Actor;
  readonly decider: Actor;
  readonly viewer: Actor;
}

/** Makes them; two may decide, so that nobody approves what was asked for on the own account. */
export async function invite(server: Server): Promise<People> {
  const organization = await firstOrganization(server);
  const { owner, id, keyId, accountId } = organization;
  const { keys } = must(await owner("GET", "/api-keys"));
  const agentKey = keys.find(({ key_prefix }: any) => server.agentKey.startsWith(key_prefix));
  const member = async (role: string): Promise<Actor> => {
    const path = `/v1/organizations/${id}/members`;
    const made = must(await owner("POST", path, { email: `${role}@example.com`, role }));
    return {
      api: apiAs(server.apiUrl, made.key),
      actor: { type: "person", id: made.key_id, account: made.account_id },
    };
  };
  return {
    organization,
    owner: { api: owner, actor: { type: "person", id: keyId, account: accountId } },
    agent: {
      api: apiAs(server.apiUrl, server.agentKey),
      actor: { type: "agent", id: agentKey.id, account: accountId },
    },
    decider: await member("policy_manager"),
    viewer: await member("viewer"),
  };
}
