import { must } from "../support/app.ts";
import { type AdminChange, change } from "./admin-changes.ts";
import type { Actor, People } from "./people.ts";
import type { Secrets } from "./secrets.ts";

const BASE = "/v1/gateway";
/** What the document says is on record itself, not only that it was changed. */
const documented = (made: AdminChange): AdminChange => ({ ...made, with: "gateway.policy.changed" });

/** Changes of servers, policies and grants, in the order in which they have to be made. `url` may be reached. */
export function gatewayChanges(people: People, secrets: Secrets, url: string): AdminChange[] {
  const { owner, agent, viewer } = people;
  let id: string;
  const register = (who: Actor, more: () => object) => async () => {
    const server = { name: secrets.plant("gatewayserver"), transport: "http", url: `${url}/mcp`, ...more() };
    const answer = await who.api("POST", `${BASE}/servers`, server);
    if (answer.status < 300) id = answer.body.server_id;
    return answer;
  };
  const headers = () => ({ headers: { "x-key": secrets.plant("gatewayheader") } });
  const program = () => ({ transport: "stdio", url: undefined, command: secrets.plant("program") });
  const at = (who: Actor, method: string, more: string, body?: () => object) => () =>
    who.api(method, `${BASE}/servers/${id}${more}`, body?.());
  return [
    change(agent, "gateway.add_server", "gateway_server", register(agent, headers), "AUTH_PERSON_REQUIRED"),
    change(
      owner,
      "gateway.add_server",
      "gateway_server",
      register(owner, program),
      "GATEWAY_COMMAND_NOT_ALLOWED",
    ),
    change(agent, "gateway.add_server", "gateway_server", register(agent, Object)),
    change(owner, "gateway.update_server", "gateway_server", at(owner, "PATCH", "", headers)),
    change(
      viewer,
      "gateway.scan_server",
      "gateway_server",
      at(viewer, "POST", "/scan", Object),
      "AUTH_INSUFFICIENT_PERMISSIONS",
    ),
    ...policyChanges(people, secrets, () => id),
    change(agent, "gateway.delete_server", "gateway_server", at(agent, "DELETE", ""), "AUTH_PERSON_REQUIRED"),
    change(owner, "gateway.disconnect_server", "gateway_credentials", at(owner, "DELETE", "/oauth")),
    change(owner, "gateway.delete_server", "gateway_server", at(owner, "DELETE", "")),
  ];
}

function policyChanges(
  { owner, agent, decider }: People,
  secrets: Secrets,
  serverId: () => string,
): AdminChange[] {
  let [policy, grant] = ["", ""];
  const document = () => ({ version: "1", default: "deny", tools: { [secrets.plant("gatewaytool")]: {} } });
  const save = (who: Actor) => async () => {
    const body = { name: secrets.plant("policyname"), document: document() };
    const answer = await who.api("POST", `${BASE}/servers/${serverId()}/policies`, body);
    if (answer.status < 300) policy = answer.body.policy_id;
    return answer;
  };
  const issue = (path: () => string, body: () => object) => async () => {
    const answer = await owner.api("POST", path(), body());
    grant = must(answer).grant_id;
    secrets.learn(answer.body.token);
    return answer;
  };
  const grants = () => `${BASE}/servers/${serverId()}/grants`;
  const ofGrant = (who: Actor, method: string, more: string, body?: () => object) => () =>
    who.api(method, `${BASE}/grants/${grant}${more}`, body?.());
  const ofPolicy = (method: string, body?: () => object) => () =>
    owner.api(method, `${BASE}/policies/${policy}`, body?.());
  const edit = ofPolicy("PUT", () => ({ document: document() }));
  return [
    change(agent, "gateway.create_policy", "gateway_policy", save(agent), "AUTH_PERSON_REQUIRED"),
    documented(change(decider, "gateway.create_policy", "gateway_policy", save(decider))),
    documented(change(owner, "gateway.update_policy", "gateway_policy", edit)),
    change(
      owner,
      "gateway.create_grant",
      "gateway_grant",
      issue(grants, () => ({ label: secrets.plant("label") })),
    ),
    change(
      owner,
      "gateway.rotate_grant",
      "gateway_grant",
      issue(() => `${BASE}/grants/${grant}/rotate`, Object),
    ),
    change(
      owner,
      "gateway.update_grant",
      "gateway_grant",
      ofGrant(owner, "PATCH", "", () => ({ label: secrets.plant("relabelled") })),
    ),
    change(
      decider,
      "gateway.attach_policy",
      "gateway_grant",
      ofGrant(decider, "PUT", "/policy", () => ({ policy_id: policy })),
    ),
    change(owner, "gateway.delete_policy", "gateway_policy", ofPolicy("DELETE"), "GATEWAY_POLICY_IN_USE"),
    change(
      decider,
      "gateway.revoke_grant",
      "gateway_grant",
      ofGrant(decider, "DELETE", ""),
      "AUTH_INSUFFICIENT_PERMISSIONS",
    ),
    change(owner, "gateway.revoke_grant", "gateway_grant", ofGrant(owner, "DELETE", "")),
    change(owner, "gateway.delete_policy", "gateway_policy", ofPolicy("DELETE")),
  ];
}
