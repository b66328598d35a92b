import { createHash, randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import type { Client } from "@modelcontextprotocol/client";
import pg from "pg";
import { type Api, apiAs } from "./api.ts";
import { callTool, connectMcp } from "./mcp.ts";
import { newDataDir, type Server, startServer } from "./server.ts";

interface PostgresAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
}

/** Ambits on one database that the suite can look into: real servers, each on its own directory and port. */
export interface Nodes {
  readonly database: pg.Client;
  /** The first one, which initialised the database and has its keys. */
  readonly server: Server;
  /** A person's key of the organisation. */
  readonly owner: Api;
  /** Connected with the agent's key. */
  readonly agent: Client;
  /** One more on the same database; its own credentials are of no use. */
  another(): Promise<Server>;
  /** Starts the first one again on its directory, after it was stopped. */
  restart(): Promise<Server>;
  close(): Promise<void>;
}

export async function startNodes(
  postgres: PostgresAddress,
  count = 1,
): Promise<Nodes & { readonly others: readonly Server[] }> {
  const name = `suite_${randomBytes(6).toString("hex")}`;
  const admin = new pg.Client({ ...postgres, database: "postgres" });
  await admin.connect();
  await admin.query(`create database ${name}`);
  const env = {
    AMBIT_MASTER_KEY: "ab".repeat(32),
    DATABASE_URL: `postgres://${postgres.user}@localhost:${postgres.port}/${name}?host=${encodeURIComponent(postgres.host)}`,
  };
  let server = await startServer(env);
  const agent = await connectMcp(server.mcpUrl, server.agentKey);
  const database = new pg.Client({ ...postgres, database: name });
  await database.connect();
  const others: Server[] = [];
  const another = async () => {
    const node = await startServer(env, newDataDir());
    others.push(node);
    return node;
  };
  while (others.length + 1 < count) await another();
  return {
    database,
    get server() {
      return server;
    },
    owner: apiAs(server.apiUrl, server.apiKey),
    agent,
    others,
    another,
    async restart() {
      const { apiKey, agentKey } = server;
      server = { ...(await startServer(env, server.dataDir)), apiKey, agentKey };
      return server;
    },
    async close() {
      await agent.close().catch(() => {});
      await Promise.all([server, ...others].map((node) => node.stop()));
      await Promise.all(
        [server, ...others].map(({ dataDir }) => rm(dataDir, { recursive: true, force: true })),
      );
      await database.end();
      await admin.query(`drop database if exists ${name} with (force)`);
      await admin.end();
    },
  };
}

/** Deploys a function over MCP; throws with the error body when it is refused. */
export const deployFunction = (
  client: Client,
  appId: string,
  name: string,
  code: string,
  more: object = {},
): Promise<any> => callTool(client, "deploy_function", { app_id: appId, name, code, ...more });

/** The triggers of a function that answers over HTTP. */
export const http = (auth: "required" | "optional" | "none") => ({
  triggers: [{ type: "http", config: { auth } }],
});

/** The error body of a tool call that must fail. */
export async function refusal(call: Promise<unknown>): Promise<any> {
  try {
    await call;
  } catch (error) {
    const { result } = error as { result?: { structuredContent?: any; content: { text: string }[] } };
    if (result === undefined) throw error;
    const body = result.structuredContent ?? JSON.parse(result.content[0]!.text);
    return body.error ?? body;
  }
  throw new Error("The call was not refused.");
}

/** A person's key of an organisation of somebody else, put into the database. */
export async function keyOfStranger(database: pg.Client): Promise<string> {
  const key = `bb_sk_${randomBytes(20).toString("hex")}`;
  const { rows } = await database.query(
    `with o as (insert into ambit.organizations (id, name) values (gen_random_uuid(), 'Strangers') returning id),
          a as (insert into ambit.accounts (id, email) values (gen_random_uuid(), gen_random_uuid() || '@example.com') returning id),
          m as (insert into ambit.members (organization_id, account_id, role) select o.id, a.id, 'owner' from o, a)
     select o.id as organization, a.id as account from o, a`,
  );
  await database.query(
    `insert into ambit.api_keys (id, organization_id, account_id, kind, name, hash, prefix, scope, scopes)
     values (gen_random_uuid(), $1, $2, 'person', 'stranger', $3, $4, 'both', '{*}')`,
    [rows[0].organization, rows[0].account, createHash("sha256").update(key).digest("hex"), key.slice(0, 12)],
  );
  return key;
}
