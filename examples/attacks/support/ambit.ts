import { type Answer, answerOf } from "./agent.ts";

/** A running Ambit, and who may do what there. */
export interface AmbitAccess {
  readonly apiUrl: string;
  readonly mcpUrl: string;
  /** A person's key. */
  readonly apiKey: string;
  /** An agent's key of the same organisation. */
  readonly agentKey: string;
}

export type Api = (method: string, path: string, body?: unknown) => Promise<Answer>;

/** Calls Ambit's API with a token. */
export function apiWith(apiUrl: string, token: string): Api {
  return async (method, path, body) =>
    answerOf(
      await fetch(`${apiUrl}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    );
}

export interface Grant {
  readonly grant_id: string;
  readonly token: string;
  readonly proxy_url: string;
}

export interface Decision {
  readonly grant_id: string;
  readonly outcome: string;
  readonly rule: string;
  readonly tool: string | null;
}

/** One server behind Ambit, with a policy and grants: what an agent gets, and what the people who run it can do. */
export class AmbitSide {
  readonly access: AmbitAccess;
  readonly person: Api;
  readonly agentKey: Api;
  readonly serverId: string;
  readonly policyId: string;
  /** The document it was set up with. */
  readonly policy: object;
  readonly grants: Grant[] = [];

  private constructor(access: AmbitAccess, serverId: string, policyId: string, policy: object) {
    this.access = access;
    this.person = apiWith(access.apiUrl, access.apiKey);
    this.agentKey = apiWith(access.apiUrl, access.agentKey);
    this.serverId = serverId;
    this.policyId = policyId;
    this.policy = policy;
  }

  /** Registers a server (an id names one that is there), writes its policy and hands out a first grant. */
  static async setUp(
    access: AmbitAccess,
    name: string,
    server: object | string,
    document: object,
  ): Promise<AmbitSide> {
    const person = apiWith(access.apiUrl, access.apiKey);
    const serverId =
      typeof server === "string"
        ? server
        : (await must<{ server_id: string }>(person("POST", "/v1/gateway/servers", { name, ...server })))
            .server_id;
    const written = await must<{ policy_id: string }>(
      person("POST", `/v1/gateway/servers/${serverId}/policies`, { name, document }),
    );
    const side = new AmbitSide(access, serverId, written.policy_id, document);
    await side.grant(name);
    return side;
  }

  /** Another grant with the same policy. */
  async grant(label: string): Promise<Grant> {
    const path = `/v1/gateway/servers/${this.serverId}/grants`;
    const named = `${label} ${this.grants.length + 1}`;
    const grant = await must<Grant>(this.person("POST", path, { label: named, policy_id: this.policyId }));
    this.grants.push(grant);
    return grant;
  }

  /** Replaces the policy's document. */
  async edit(document: object): Promise<void> {
    await must(this.person("PUT", `/v1/gateway/policies/${this.policyId}`, { document }));
  }

  /** Approves what waits of the first grant; answers how many. */
  async approveAll(): Promise<number> {
    const query = `?status=pending&kind=tool_call&requester=${this.grants[0]!.grant_id}`;
    const { approvals } = await must<{ approvals: { id: string }[] }>(
      this.person("GET", `/v1/approvals${query}`),
    );
    for (const { id } of approvals) {
      await must(this.person("POST", `/v1/approvals/${id}/approve`, {}));
    }
    return approvals.length;
  }

  /** What was decided for its grants, newest first. */
  async decisions(): Promise<readonly Decision[]> {
    const all: Decision[] = [];
    for (const { grant_id } of this.grants) {
      const path = `/v1/gateway/decisions?grant_id=${grant_id}&limit=200`;
      all.push(...(await must<{ decisions: Decision[] }>(this.person("GET", path))).decisions);
    }
    return all;
  }
}

/** The body of an answer that is no failure. */
export async function must<T>(answer: Promise<Answer>): Promise<T> {
  const { status, json, text } = await answer;
  if (status >= 400) throw new Error(`Ambit answered ${status}: ${text.slice(0, 500)}`);
  return json as T;
}
