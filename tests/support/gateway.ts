import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { Client, type ClientOptions, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Client as OlderClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as OlderTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Api } from "./api.ts";
import { must } from "./app.ts";
import { type Nodes, type PostgresAddress, startNodes } from "./functions.ts";

/** The version of the stateless era. */
export const STATELESS = "2026-07-28";

/** Lets everything through. */
export const ALLOW_ALL = { version: "1", default: "allow" } as const;

/** What lets Ambit start Node programs as MCP servers, and reach the named ports of this machine. */
export const gatewayEnv = (ports: readonly number[] = []): Record<string, string> => ({
  AMBIT_STDIO_ALLOW: process.execPath,
  AMBIT_ALLOW_PRIVATE_FETCH: ports.map((port) => `127.0.0.1:${port}`).join(","),
});

/** Starts Ambit so, on a database of its own in the test's Postgres; `env` adds variables, `through` as in `startNodes`. */
export const startGateway = (
  postgres: PostgresAddress,
  {
    ports = [],
    nodes = 1,
    env = {},
    through = postgres,
  }: {
    ports?: readonly number[];
    nodes?: number;
    env?: Record<string, string>;
    through?: PostgresAddress;
  } = {},
): Promise<Nodes> => startNodes(postgres, nodes, { ...gatewayEnv(ports), ...env }, through);

/** A port of 127.0.0.1 that nobody has at the moment. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** How an installed MCP server of others is started: `server-everything`, `server-memory`, … */
export function installed(name: string, args: readonly string[] = []): { command: string; args: string[] } {
  const require = createRequire(import.meta.url);
  const manifest = require.resolve(`@modelcontextprotocol/${name}/package.json`);
  const { bin } = require(manifest);
  const file = typeof bin === "string" ? bin : Object.values<string>(bin)[0]!;
  return { command: process.execPath, args: [join(dirname(manifest), file), ...args] };
}

/** A server behind the gateway. */
export interface Registered {
  readonly server_id: string;
  readonly proxy_url: string;
}

/** What a server is registered with, beside its name. */
export type Registration =
  | { readonly transport: "http"; readonly url: string; readonly headers?: Record<string, string> }
  | {
      readonly transport: "stdio";
      readonly command: string;
      readonly args: readonly string[];
      readonly env?: Record<string, string>;
    };

/** Registers a server, under a name of its own. */
export async function addServer(owner: Api, registration: Registration): Promise<Registered> {
  return must(await owner("POST", "/v1/gateway/servers", { name: unique("server"), ...registration }));
}

/** Saves a policy of a server; its id. */
export async function addPolicy(owner: Api, serverId: string, document: object): Promise<string> {
  const path = `/v1/gateway/servers/${serverId}/policies`;
  return must(await owner("POST", path, { name: unique("policy"), document })).policy_id;
}

/** A token for one server. */
export interface Issued {
  readonly grant_id: string;
  readonly token: string;
  readonly proxy_url: string;
}

/** Makes a grant with a policy of its own; with `null` it has none. */
export async function addGrant(owner: Api, serverId: string, document: object | null): Promise<Issued> {
  const policy = document === null ? null : await addPolicy(owner, serverId, document);
  const path = `/v1/gateway/servers/${serverId}/grants`;
  return must(await owner("POST", path, { label: unique("grant"), policy_id: policy }));
}

const unique = (what: string) => `${what}-${randomBytes(6).toString("hex")}`;

/** Where a client connects: a grant, or a server itself (no token). */
export interface Place {
  readonly proxy_url: string;
  readonly token?: string;
}

const requestInit = ({ token }: Place) =>
  token === undefined ? {} : { requestInit: { headers: { authorization: `Bearer ${token}` } } };

/** The official client (v2), connected: with a session, or in the stateless era. `prepare` comes before it connects. */
export async function connectClient(
  place: Place,
  era: "session" | "stateless",
  options: ClientOptions = {},
  prepare: (client: Client) => void = () => {},
): Promise<Client> {
  const mode = era === "session" ? "legacy" : { pin: STATELESS };
  const client = new Client({ name: "suite", version: "1" }, { ...options, versionNegotiation: { mode } });
  prepare(client);
  await client.connect(new StreamableHTTPClientTransport(new URL(place.proxy_url), requestInit(place)));
  return client;
}

type OlderOptions = ConstructorParameters<typeof OlderClient>[1];

/** The official client of the earlier era (v1), connected with a session. */
export async function connectOlder(
  place: Place,
  options: OlderOptions = {},
  prepare: (client: OlderClient) => void = () => {},
): Promise<OlderClient> {
  const client = new OlderClient({ name: "suite", version: "1" }, options);
  prepare(client);
  const transport = new OlderTransport(new URL(place.proxy_url), requestInit(place));
  // The SDK's own types disagree under exactOptionalPropertyTypes.
  await client.connect(transport as unknown as Parameters<typeof client.connect>[0]);
  return client;
}

/** A person's yes to every tool of a server that is new or different; their names. */
export async function approveTools(owner: Api, serverId: string): Promise<string[]> {
  const path = `/v1/gateway/servers/${serverId}/tool-changes`;
  const { changes } = must(await owner("GET", `${path}?limit=100`));
  if (changes.length === 0) return [];
  const tools = changes.map(({ tool, hash }: any) => ({ name: tool, hash }));
  return must(await owner("POST", `${path}/approve`, { tools })).tools;
}
