import { allPages, callApi } from "./api.ts";
import type { Connection } from "./connection.ts";
import { limits } from "./limits.ts";
import { visible } from "./output.ts";
import { Problem } from "./problem.ts";

/** A server behind the gateway, as the API has it. */
export interface Server {
  readonly server_id: string;
  readonly name: string;
  readonly transport: string;
  readonly url: string | null;
  readonly command: string | null;
  readonly args: readonly string[];
  readonly proxy_url: string;
  readonly tools_to_review: number;
}

/** A grant, as the API has it. */
export interface Grant {
  readonly grant_id: string;
  readonly server_id: string;
  readonly label: string;
  readonly policy_id: string | null;
  readonly policy_name: string | null;
  readonly status: string;
  readonly expires_at: string | null;
  readonly last_used_at: string | null;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const GRANT = /^gra_[0-9a-z]{26}$/;

/** The organisation's servers behind the gateway, by name. */
export const listServers = async (connection: Connection): Promise<readonly Server[]> =>
  (await callApi<{ servers: Server[] }>(connection, "GET", "/v1/gateway/servers")).servers;

/** The id of a server that is named by its id, by `ambit`, or by its name. Throws Problem when there is none. */
export async function findServer(connection: Connection, named: string): Promise<string> {
  if (named === "ambit" || UUID.test(named)) return named.toLowerCase();
  const servers = await listServers(connection);
  const found = servers.filter(({ name }) => name === named);
  if (found.length === 1) return found[0]!.server_id;
  const known = servers.map(({ name }) => name).join(", ");
  throw new Problem(
    visible(`There is no server ${named}; there are ambit${known === "" ? "" : `, ${known}`}.`),
  );
}

/** The server behind an id that `findServer` gave. */
export const getServer = (connection: Connection, id: string): Promise<Server> =>
  callApi<Server>(connection, "GET", `/v1/gateway/servers/${id}`);

/** The id of a server's policy that is named by its id or its name. Throws Problem. */
export async function findPolicy(connection: Connection, serverId: string, named: string): Promise<string> {
  if (UUID.test(named)) return named.toLowerCase();
  const path = `/v1/gateway/servers/${serverId}/policies`;
  type Policy = { readonly policy_id: string; readonly name: string };
  const { entries } = await allPages<Policy>(connection, path, "policies", limits.listEntries);
  const found = entries.find(({ name }) => name === named);
  if (found !== undefined) return found.policy_id;
  const known = entries.map(({ name }) => name).join(", ");
  throw new Problem(visible(`The server has no policy ${named}; it has ${known === "" ? "none" : known}.`));
}

/** The id of a grant that is named by its id, or by its label if only one has it. Throws Problem. */
export async function findGrant(connection: Connection, named: string): Promise<string> {
  if (GRANT.test(named)) return named;
  const { entries } = await allPages<Grant>(connection, "/v1/gateway/grants", "grants", limits.listEntries);
  const found = entries.filter(({ label }) => label === named);
  if (found.length === 1) return found[0]!.grant_id;
  if (found.length === 0) {
    throw new Problem(visible(`There is no grant ${named}; ambit gateway grants lists them.`));
  }
  const ids = found.map(({ grant_id }) => grant_id).join(", ");
  throw new Problem(visible(`Several grants are labelled ${named}; name one by its id: ${ids}.`));
}
