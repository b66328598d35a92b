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
}

const INSERT = { name: "hop", text: "insert into bench_hop (body) values ($1)" };

async function recorder(target: PostgresAddress): Promise<(body: string) => Promise<unknown>> {
  const client = new pg.Client({ ...target, user: "postgres" });
  await client.connect();
  await client.query("create table if not exists bench_hop (id bigserial primary key, body text not null)");
  return (body) => client.query({ ...INSERT, values: [body] });
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request) body += chunk;
  return body;
}

/** Forwards every request as it is on kept connections; gives the port it listens on. */
async function listen({ host, upstreamPort, recordIn }: Hop): Promise<number> {
  const upstream = new Pool(`http://${host}:${upstreamPort}`, { connections: 64 });
  const record = recordIn === undefined ? async () => {} : await recorder(recordIn);
  const forward = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(request);
    const { connection: _connection, "content-length": _length, ...headers } = request.headers;
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
