import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import pg from "pg";
import { Pool } from "undici";
import { serve } from "../harness/child.ts";
import type { PostgresAddress } from "../harness/postgres.ts";

/** What lies in the way between a client and its server, and nothing else. */
interface Hop {
  readonly host: string;
  readonly upstreamPort: number;
  /** With it, one row is committed to this database for each call, meanwhile; the answer waits for both. */
  readonly recordIn?: PostgresAddress;
  /** With it too, a counter there is raised before the call goes on, by a commit that waits for no disk. */
  readonly countFirst?: boolean;
}

const INSERT = { name: "hop", text: "insert into bench_hop (body) values ($1)" };

async function recorder(target: PostgresAddress): Promise<(body: string) => Promise<unknown>> {
  const client = new pg.Client({ ...target, user: "postgres" });
  await client.connect();
  await client.query("create table if not exists bench_hop (id bigserial primary key, body text not null)");
  return (body) => client.query({ ...INSERT, values: [body] });
}

const COUNT = {
  name: "count",
  text: "insert into bench_count (id, n) values (1, 1) on conflict (id) do update set n = bench_count.n + 1 returning n",
};

async function counter(target: PostgresAddress): Promise<() => Promise<unknown>> {
  const client = new pg.Client({ ...target, user: "postgres" });
  await client.connect();
  await client.query("create table if not exists bench_count (id int primary key, n bigint not null)");
  await client.query("set synchronous_commit = off");
  return () => client.query(COUNT);
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request) body += chunk;
  return body;
}

/** Forwards every request as it is on kept connections; gives the port it listens on. */
async function listen({ host, upstreamPort, recordIn, countFirst = false }: Hop): Promise<number> {
  const upstream = new Pool(`http://${host}:${upstreamPort}`, { connections: 64 });
  const record = recordIn === undefined ? async () => {} : await recorder(recordIn);
  const count = recordIn !== undefined && countFirst ? await counter(recordIn) : null;
  const forward = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(request);
    const { connection: _connection, "content-length": _length, ...headers } = request.headers;
    if (count !== null) await count();
    const recorded = record(body);
    const answer = await upstream.request({ path: request.url!, method: "POST", headers, body });
    const text = await answer.body.text();
    await recorded;
    response.writeHead(answer.statusCode, { "content-type": String(answer.headers["content-type"]) });
    response.end(text);
  };
  const server = createServer((request, response) => void forward(request, response)).listen(0, host);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

const commands = { listen };
export type HopCommands = typeof commands;

serve(commands);
