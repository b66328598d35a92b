import type { AddressInfo } from "node:net";
import { Writable } from "node:stream";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { pino } from "pino";
import { errors } from "../../../kernel/errors.ts";
import { createPipeline } from "../../../kernel/pipeline.ts";
import type { KeyPrincipal } from "../../../kernel/principal.ts";
import { createHttpServer } from "../../http/server.ts";
import { createPrincipalResolver } from "../../principal.ts";
import { buildCatalogue, type McpDoorDeps, registerMcpRoutes } from "../index.ts";
import { sampleOperations, sampleTools } from "./operations.ts";

export const AGENT_KEY = "bb_sk_agent";
export const PERSON_KEY = "bb_sk_person";

const key = (kind: "agent" | "person"): KeyPrincipal => ({
  kind: "key",
  keyId: kind,
  keyKind: kind,
  accountId: "account",
  organizationId: "organisation",
  role: "owner",
  scopes: ["*"],
  expiresAtMs: null,
});

/** The MCP door on a real port, with the sample operations behind the real pipeline. */
export async function startDoor() {
  let logged = "";
  const sink = new Writable({
    write(chunk, _encoding, done) {
      logged += chunk;
      done();
    },
  });
  const log = pino({ level: "trace" }, sink);
  let aborts = 0;
  let url = "";
  const fastify = createHttpServer({
    log,
    baseDomain: "localhost",
    trustedProxies: 0,
    publicUrl: () => url,
    findApp: async () => null,
  });
  const deps: McpDoorDeps = {
    operations: sampleOperations(() => {
      aborts += 1;
    }),
    tools: sampleTools,
    pipeline: createPipeline({ findApp: async () => null, record: async () => {} }),
    resolvePrincipal: createPrincipalResolver({
      resolveKey: async (token) =>
        token === AGENT_KEY ? key("agent") : token === PERSON_KEY ? key("person") : null,
      verifyAccessToken: () => Promise.reject(errors.AUTH_INVALID_TOKEN()),
      badKeys: { consume: async () => {} },
    }),
    log,
    clock: () => 0,
    version: "9.9.9",
    trustedOrigins: ["https://console.example"],
    publicUrl: () => url,
  };
  registerMcpRoutes(fastify, deps, buildCatalogue(deps.operations, deps.tools));
  await fastify.listen({ host: "127.0.0.1", port: 0 });
  const { port } = fastify.server.address() as AddressInfo;
  url = `http://127.0.0.1:${port}`;
  const stop = async () => {
    const closed = fastify.close();
    // A client that gave a request up may hold a fresh connection it never used; that one is not idle to Node.
    const impatient = setTimeout(() => fastify.server.closeAllConnections(), 200);
    await closed;
    clearTimeout(impatient);
  };
  return { url, port, aborts: () => aborts, logged: () => logged, stop };
}

export type Era = "legacy" | "2026-07-28";

/** An official client, connected in the era asked for. */
export async function connectClient(
  url: string,
  era: Era,
  path = "/mcp",
  token = AGENT_KEY,
): Promise<Client> {
  const client = new Client(
    { name: "test", version: "1" },
    { versionNegotiation: { mode: era === "legacy" ? "legacy" : { pin: era } } },
  );
  const transport = new StreamableHTTPClientTransport(new URL(url + path), {
    requestInit: { headers: { Authorization: `Bearer ${token}` } },
  });
  await client.connect(transport);
  return client;
}

/** One raw POST to the endpoint. */
export function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}/mcp`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      authorization: `Bearer ${AGENT_KEY}`,
      ...headers,
    },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}
