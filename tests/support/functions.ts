import { createHash, randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import type { Client } from "@modelcontextprotocol/client";
import pg from "pg";
import { type Api, apiAs } from "./api.ts";
import { callTool, connectMcp } from "./mcp.ts";
import { newDataDir, type Server, startServer } from "./server.ts";

export interface PostgresAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
}

/** Ambits on one database that the suite can look into: real servers, each on its own directory and port. */
export interface Nodes {
  readonly database: pg.Pool;
  /** The first one, which initialised the database and has its keys. */
  readonly server: Server;
  /** A person's key of the organisation. */
  readonly owner: Api;
  /** Connected with the agent's key. */
  readonly agent: Client;
  /** The others on the same database; their own credentials are of no use. */
  readonly others: readonly Server[];
  /** Starts the first one again on its directory, after it was stopped. */
  restart(): Promise<Server>;
  close(): Promise<void>;
}

/**
 * Starts them, with more in their environment if given; nothing is left when one does not start. `through` is where they
 * themselves find the database, if that is another way than the suite's.
 */
export async function startNodes(
  postgres: PostgresAddress,
  count = 1,
  more: Record<string, string> = {},
  through: PostgresAddress = postgres,
): Promise<Nodes> {
  const name = `suite_${randomBytes(6).toString("hex")}`;
  const admin = new pg.Client({ ...postgres, database: "postgres" });
  await admin.connect();
  await admin.query(`create database ${name}`);
  const env = {
    ...more,
    AMBIT_MASTER_KEY: "ab".repeat(32),
    DATABASE_URL: `postgres://${through.user}@localhost:${through.port}/${name}?host=${encodeURIComponent(through.host)}`,
  };
  const database = new pg.Pool({ ...postgres, database: name, max: 4 });
  database.on("error", () => {});
  const running: Server[] = [];
  const directories: string[] = [];
  const start = async () => {
    const dataDir = newDataDir();
    directories.push(dataDir);
    running.push(await startServer(env, dataDir));
  };
  const agents: Client[] = [];
  const close = async () => {
    for (const agent of agents) await agent.close().catch(() => {});
    await Promise.all(running.map((node) => node.stop()));
    await Promise.all(directories.map((directory) => rm(directory, { recursive: true, force: true })));
    await database.end();
    await admin.query(`drop database if exists ${name} with (force)`);
    await admin.end();
  };
  try {
    // One after the other: the first makes the database's tables and keys.
    while (running.length < count) await start();
    const { mcpUrl, agentKey, apiUrl, apiKey } = running[0]!;
    agents.push(await connectMcp(mcpUrl, agentKey));
    return {
      database,
      get server() {
        return running[0]!;
      },
      others: running.slice(1),
      owner: apiAs(apiUrl, apiKey),
      agent: agents[0]!,
      async restart() {
        const { dataDir } = running[0]!;
        running[0] = { ...(await startServer(env, dataDir)), apiKey, agentKey };
        return running[0];
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
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
export async function keyOfStranger(database: pg.Pool): Promise<string> {
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
