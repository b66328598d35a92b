/** A route of the gateway, and who may use it. */
export interface Route {
  readonly method: string;
  /** Below `/v1/gateway`, as OpenAPI writes it. */
  readonly path: string;
  /** As `manage_gateway` calls it. */
  readonly action: string;
  /** What a member's role must include. */
  readonly right: "view" | "policy" | "administer";
  /** Only with a person's key. */
  readonly person: boolean;
  readonly body: object | undefined;
}

const ROUTES = `
POST servers add_server administer
GET servers list_servers view
GET servers/{server_id} get_server view
PATCH servers/{server_id} update_server administer
DELETE servers/{server_id} delete_server administer person
POST servers/{server_id}/scan scan policy
GET servers/{server_id}/tool-changes list_tool_changes view
POST servers/{server_id}/tool-changes/approve approve_tools policy person
POST servers/{server_id}/policies create_policy policy person
GET servers/{server_id}/policies list_policies view
POST servers/{server_id}/grants create_grant administer person
GET servers/{server_id}/grants list_grants view
GET servers/{server_id}/oauth get_connection administer
POST servers/{server_id}/oauth/connect connect_server administer person
POST servers/{server_id}/oauth/finish finish_connection administer person
DELETE servers/{server_id}/oauth disconnect_server administer person
GET policies list_policies view
POST policies/validate validate_policy view
POST policies/simulate simulate policy
POST policies/replay replay policy person
GET policies/{policy_id} get_policy view
PUT policies/{policy_id} update_policy policy person
DELETE policies/{policy_id} delete_policy policy person
GET policies/{policy_id}/versions list_policy_versions view
GET policies/{policy_id}/versions/{version} get_policy_version view
GET grants list_grants view
GET grants/{grant_id} get_grant view
PATCH grants/{grant_id} update_grant policy person
PUT grants/{grant_id}/policy attach_policy policy person
POST grants/{grant_id}/rotate rotate_grant administer person
DELETE grants/{grant_id} revoke_grant administer person
GET decisions list_decisions view
GET decisions/export export_decisions view`;

const document = { version: "1", default: "deny" };

/** What is to be done to ids; those given stand for real things. */
const bodies = (ids: Ids): Readonly<Record<string, object>> => ({
  add_server: { name: "intruder", transport: "http", url: ids.url },
  update_server: { name: "renamed" },
  scan: {},
  approve_tools: { tools: [{ name: "echo", hash: "0".repeat(64) }] },
  create_policy: { name: "intruding", document },
  create_grant: { label: "intruder", policy_id: ids.policy_id },
  connect_server: {},
  finish_connection: { confirmation: "none" },
  validate_policy: { document, server_id: ids.server_id },
  simulate: { document, server_id: ids.server_id },
  replay: { server_id: ids.server_id },
  update_policy: { document },
  update_grant: { policy_id: null },
  attach_policy: { policy_id: null },
  rotate_grant: {},
});

/** Things the routes name. */
export interface Ids {
  readonly server_id: string;
  readonly policy_id: string;
  readonly grant_id: string;
  readonly url: string;
}

/** Ids that nobody has, of the right form. */
export const NOBODYS: Ids = {
  server_id: "00000000-0000-4000-8000-000000000000",
  policy_id: "00000000-0000-4000-8000-000000000001",
  grant_id: `gra_${"0".repeat(26)}`,
  url: "http://127.0.0.1:1/mcp",
};

/** Every route, with the things it is to be tried on. */
export const routesFor = (ids: Ids): Route[] =>
  ROUTES.trim()
    .split("\n")
    .map((line) => {
      const [method = "", path = "", action = "", right, person] = line.split(" ");
      const sends = method !== "GET" && method !== "DELETE";
      return {
        ...{ method, path, action, right: right as Route["right"], person: person !== undefined },
        body: sends ? (bodies(ids)[action] ?? {}) : undefined,
      };
    });

/** The whole path with ids in it. */
export const pathOf = ({ path }: Route, ids: Ids): string =>
  `/v1/gateway/${path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => (name === "version" ? "1" : ids[name as keyof Ids]))}`;

/** The arguments of `manage_gateway` for the same. */
export const argumentsOf = ({ path, action, body }: Route, ids: Ids): Record<string, unknown> => ({
  ...{ action, ...(path.includes("{version}") ? { version: 1 } : {}) },
  ...Object.fromEntries(
    [...path.matchAll(/\{(server_id|policy_id|grant_id)\}/g)].map(([, name]) => [
      name,
      ids[name as keyof Ids],
    ]),
  ),
  ...body,
});
