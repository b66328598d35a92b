import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import type { Client } from "@modelcontextprotocol/client";
import type { ProvidedContext } from "vitest";
import { type Answer, type Api, apiAs } from "../support/api.ts";
import { must } from "../support/app.ts";
import { type Nodes, startNodes } from "../support/functions.ts";
import { connectMcp } from "../support/mcp.ts";
import { SUBSTRATE } from "../support/substrate.ts";

/** A webhook as it arrived. */
export interface Arrived {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A server of webhooks that keeps what it is sent. */
export interface Receiver {
  readonly url: string;
  readonly arrived: Arrived[];
  /** What it answers, by path; else 204. */
  readonly answers: Map<string, number>;
  close(): void;
}

/** A server whose operator lets it call one receiver on this machine, and its organisation's people. */
export interface Stand {
  readonly nodes: Nodes;
  readonly organizationId: string;
  readonly owner: Api;
  /** A second person who may decide, so that what the first proposed can be approved. */
  readonly admin: Api;
  /** The official MCP client, with the owner's agent's key and with the owner's own. */
  readonly agent: Client;
  readonly person: Client;
  readonly receiver: Receiver;
  /** What a route below the substrate's root answers the owner. */
  get(path: string): Promise<any>;
  /** Mints a key of the owner's. */
  mint(more: object): Promise<{ key: string; id: string }>;
  close(): Promise<void>;
}

async function startReceiver(): Promise<Receiver> {
  const arrived: Arrived[] = [];
  const answers = new Map<string, number>();
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece);
    arrived.push({ path: request.url!, headers: request.headers, body: Buffer.concat(pieces).toString() });
    response.writeHead(answers.get(request.url!) ?? 204).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, arrived, answers, close: () => server.close() };
}

/** Starts it; nothing is left when it does not start. */
export async function startStand(postgres: ProvidedContext["postgres"]): Promise<Stand> {
  const receiver = await startReceiver();
  const allowed = { AMBIT_ALLOW_PRIVATE_FETCH: new URL(receiver.url).host };
  const nodes = await startNodes(postgres, 1, allowed).catch((error) => {
    receiver.close();
    throw error;
  });
  const { server, owner, agent } = nodes;
  const person = await connectMcp(server.mcpUrl, server.apiKey);
  const organizationId = must(await owner("GET", "/v1/organizations")).organizations[0].id;
  const member = { email: "second@example.com", role: "admin" };
  const added = must(await owner("POST", `/v1/organizations/${organizationId}/members`, member));
  return {
    ...{ nodes, organizationId, owner, agent, person, receiver, admin: apiAs(server.apiUrl, added.key) },
    get: async (path) => must(await owner("GET", `${SUBSTRATE}/${path}`)),
    mint: async (more) => must(await owner("POST", "/api-keys", { name: "suite", kind: "agent", ...more })),
    async close() {
      await person.close();
      await nodes.close();
      receiver.close();
    },
  };
}

/** Status and stable code of a refusal. */
export const codeOf = ({ status, body }: Answer): [number, string] => [status, body?.error?.code];
