import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, connectEra } from "../mcp/connect.ts";
import { type Api, apiAs } from "../support/api.ts";
import { must } from "../support/app.ts";
import { discard, type Server, startServer } from "../support/server.ts";
import { type Caller, execute, newStaffed, propose, type Staffed, SUBSTRATE } from "../support/substrate.ts";
import { pathOf, type Right, SHARED_ROUTES, SUBSTRATE_ROUTES } from "./routes.ts";
import { listening } from "./stream.ts";

const RIGHTS: Record<Caller["role"], readonly Right[]> = {
  viewer: ["view"],
  developer: ["view", "develop"],
  policy_manager: ["view", "policy"],
  admin: ["view", "develop", "policy", "administer"],
  owner: ["view", "develop", "policy", "administer", "own"],
};

let server: Server;
let staffed: Staffed;
let people: readonly Caller[];

beforeAll(async () => {
  server = await startServer({ AMBIT_ALLOW_PRIVATE_FETCH: "127.0.0.1:1" });
  staffed = await newStaffed(() => server.apiUrl, apiAs(server.apiUrl, server.apiKey), "Staffed");
  people = [staffed.viewer, staffed.developer, staffed.manager, staffed.admin, staffed.owner];
});
afterAll(() => discard(server));

const codeOf = (answer: { body: any }) => answer.body?.error?.code;
async function agentOf({ api }: Caller): Promise<Api> {
  const { key } = must(await api("POST", "/api-keys", { name: "agent", scope: "both" }));
  return apiAs(server.apiUrl, key);
}
/** Asks for something that waits for a person. */
async function held(api: Api): Promise<{ action_id: string; approval_id: string }> {
  const { entity_id } = await execute(api, "upsert_entity", { type: "project", display_name: "To go" });
  return must(await propose(api, "delete_entity", { id: entity_id, reason: "gone" }));
}

describe("a member's key", () => {
  it("does on every route what the role includes, and nothing else", async () => {
    for (const { name, api, role } of people) {
      for (const route of [...SUBSTRATE_ROUTES, ...SHARED_ROUTES]) {
        const answer = await api(route.method, pathOf(route), route.body);
        const what = [name, route.method, route.path];
        if (RIGHTS[role].includes(route.right)) {
          expect([...what, [401, 403].includes(answer.status) || answer.status >= 500]).toEqual([
            ...what,
            false,
          ]);
        } else expect([...what, codeOf(answer)]).toEqual([...what, "AUTH_INSUFFICIENT_PERMISSIONS"]);
      }
    }
  });

  it("does no more as an agent's, and never what is for people", async () => {
    for (const member of people) {
      const agent = await agentOf(member);
      for (const route of [...SUBSTRATE_ROUTES, ...SHARED_ROUTES]) {
        const answer = await agent(route.method, pathOf(route), route.body);
        const what = [member.name, route.method, route.path];
        if (route.person) expect([...what, codeOf(answer)]).toEqual([...what, "AUTH_PERSON_REQUIRED"]);
        else {
          const refused = !RIGHTS[member.role].includes(route.right);
          expect([...what, answer.status === 403]).toEqual([...what, refused]);
        }
      }
    }
  });

  it("decides when it may, and says no on nothing it may not", async () => {
    for (const { api, role, name, key } of people) {
      const may = RIGHTS[role].includes("policy");
      // Asked for by somebody else's agent: four eyes hold here.
      const asker = role === "owner" ? staffed.agents[2]! : staffed.agents[0]!;
      const [first, second] = [await held(asker.api), await held(asker.api)];
      const approved = await api("POST", `${SUBSTRATE}/actions/${first.action_id}/approve`, {});
      expect([name, approved.status]).toEqual([name, may ? 200 : 403]);
      const client = await connectEra(server.mcpUrl, key, "2026-07-28");
      const { error } = await ask(client, "reject_action", { action_id: second.action_id, reason: "no" });
      expect([name, error?.code ?? null]).toEqual([name, may ? null : "AUTH_INSUFFICIENT_PERMISSIONS"]);
      await client.close();
      const { status } = must(await staffed.owner.api("GET", `${SUBSTRATE}/actions/${second.action_id}`));
      expect([name, status]).toEqual([name, may ? "rejected" : "proposed"]);
    }
  });
});

describe("an open stream ends within a second", () => {
  /** A second, and what a busy machine adds. */
  const LIMIT_MS = 1_500;
  async function endsWhen(key: string, work: () => Promise<unknown>): Promise<void> {
    const { ticket } = must(await apiAs(server.apiUrl, key)("POST", `${SUBSTRATE}/ws-ticket`, {}));
    const unused = must(await apiAs(server.apiUrl, key)("POST", `${SUBSTRATE}/ws-ticket`, {}));
    const streams = [
      await listening(server.apiUrl, { bearer: key }),
      await listening(server.apiUrl, { token: key }),
      await listening(server.apiUrl, { ticket }),
    ];
    const witness = await listening(server.apiUrl, { bearer: staffed.owner.key });
    const fromMs = performance.now();
    await work();
    const ends = await Promise.all(streams.map(({ closed }) => closed));
    for (const { code, atMs } of ends) expect([code, atMs - fromMs < LIMIT_MS]).toEqual([1008, true]);
    const { entity_id } = await execute(staffed.owner.api, "upsert_entity", {
      type: "team",
      display_name: "Late",
    });
    await witness.waitFor((frame) => frame.id === entity_id);
    witness.close();
    for (const stream of streams) expect(stream.frames.map((frame) => frame.id)).not.toContain(entity_id);
    for (const credential of [{ bearer: key }, { token: key }, { ticket }, { ticket: unused.ticket }]) {
      await expect(listening(server.apiUrl, credential)).rejects.toThrow("1008");
    }
  }
  const minted = async (body: object) =>
    must(await staffed.owner.api("POST", "/api-keys", { name: "to go", scope: "substrate", ...body }));

  it("when its key is revoked", async () => {
    const { key, id } = await minted({});
    await endsWhen(key, async () => must(await staffed.owner.api("DELETE", `/api-keys/${id}`)));
  });

  it("when its member is removed", async () => {
    const path = `/v1/organizations/${staffed.organizationId}/members`;
    const email = "leaving@example.com";
    const { key, account_id } = must(await staffed.owner.api("POST", path, { email, role: "viewer" }));
    await endsWhen(key, async () => must(await staffed.owner.api("DELETE", `${path}/${account_id}`)));
  });
});
