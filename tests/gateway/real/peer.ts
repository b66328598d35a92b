import { Client, SSEClientTransport, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { Client as OlderClient } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport as OlderSse } from "@modelcontextprotocol/sdk/client/sse.js";
import { StdioClientTransport as OlderStdio } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as OlderHttp } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  ResultSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { z } from "zod";
import { eventually } from "../../support/actors.ts";
import { type Place, STATELESS } from "../../support/gateway.ts";
import { type Recording, record, type Wire } from "./transcript.ts";

/** How a client reaches a server: over HTTP (a server's own URL, or a grant's), HTTP+SSE, or as a program. */
export type Way =
  | ({ readonly kind: "http" | "sse" } & Place)
  | {
      readonly kind: "stdio";
      readonly command: string;
      readonly args: string[];
      readonly env?: Record<string, string>;
    };

/** Which official client: v1, v2 with a session, v2 without. */
export type Sdk = "v1" | "v2" | "v2 stateless";

export interface PeerOptions {
  /** Whether it answers what servers ask of clients. */
  readonly answers: boolean;
}

/** What of an SDK's request options is used. */
export interface Asking {
  readonly onprogress?: (progress: { progress: number }) => void;
  readonly signal?: AbortSignal;
  readonly timeout?: number;
}

type Method = (...args: unknown[]) => Promise<Wire>;

/** A connected client; what both SDKs call alike. */
export interface Peer {
  readonly sdk: Sdk;
  readonly recording: Recording;
  readonly client: Record<
    | "listTools"
    | "listResources"
    | "listResourceTemplates"
    | "readResource"
    | "subscribeResource"
    | "unsubscribeResource"
    | "listPrompts"
    | "getPrompt"
    | "complete"
    | "setLoggingLevel"
    | "ping",
    Method
  > & { getServerCapabilities(): Wire };
  call(name: string, args?: Record<string, unknown>, asking?: Asking): Promise<Wire>;
  /** Any request; the result as it came. */
  request(method: string, params?: Record<string, unknown>, asking?: Asking): Promise<Wire>;
  notify(method: string, params?: Record<string, unknown>): Promise<void>;
  /** Waits for so many notifications of a method. */
  heard(method: string, count?: number): Promise<void>;
  close(): Promise<void>;
}

const CAPABILITIES = { roots: { listChanged: true }, elicitation: { form: {}, url: {} }, sampling: {} };
const ROOTS = { roots: [{ uri: "file:///work", name: "work" }] };
const FORM = {
  name: "Ada",
  check: true,
  birthdate: "1815-12-10",
  integer: 7,
  titledMultipleSelectEnum: ["fish-2"],
};
const SAMPLED = {
  ...{ model: "none", role: "assistant", stopReason: "endTurn" },
  content: { type: "text", text: "words of a model" },
};
const elicited = ({ params }: Wire) =>
  params.mode === "url" ? { action: "accept" } : { action: "accept", content: FORM };

/** Connects; over HTTP it is ready once its own stream is open, so that nothing the server says is lost. */
export async function connect(way: Way, sdk: Sdk, { answers }: PeerOptions): Promise<Peer> {
  const open = Promise.withResolvers<void>();
  const watching = async (url: string | URL, init?: RequestInit): Promise<Response> => {
    const response = await fetch(url, init);
    if (init?.method === "GET") open.resolve();
    return response;
  };
  const transport = transportOf(way, sdk, watching);
  // The stateless era has no stream of the client's own, and is compared by results.
  const recording = sdk === "v2 stateless" ? { sent: [], got: [] } : record(transport);
  const client: Wire = sdk === "v1" ? older(answers) : newer(sdk, answers);
  await client.connect(transport);
  if (way.kind === "http" && sdk !== "v2 stateless") await open.promise;
  const heardNow = (method: string) => recording.got.filter((message) => message.method === method).length;
  return {
    ...{ sdk, recording, client },
    call(name, args = {}, asking = {}) {
      const params = { name, arguments: args };
      return sdk === "v1" ? client.callTool(params, undefined, asking) : client.callTool(params, asking);
    },
    request: (method, params = {}, asking = {}) =>
      client.request({ method, params }, sdk === "v1" ? ResultSchema : z.looseObject({}), asking),
    notify: (method, params = {}) => client.notification({ method, params }),
    heard: async (method, count = 1) => {
      await eventually(() => heardNow(method) >= count, `${count} of ${method}`, 10_000);
    },
    async close() {
      // A session ends when it is told so.
      if (way.kind === "http" && sdk !== "v2 stateless") await client.transport.terminateSession();
      await client.close();
    },
  };
}

function transportOf(
  way: Way,
  sdk: Sdk,
  fetch: (url: string | URL, init?: RequestInit) => Promise<Response>,
): object {
  const isOlder = sdk === "v1";
  if (way.kind === "stdio") {
    const { command, args, env = {} } = way;
    const program = { command, args, env: { ...env, LANG: "C.UTF-8" }, stderr: "ignore" as const };
    return isOlder ? new OlderStdio(program) : new StdioClientTransport(program);
  }
  const url = new URL(way.proxy_url);
  const headers = way.token === undefined ? {} : { authorization: `Bearer ${way.token}` };
  // After an error a client asks for the rest of its stream a second later, and gets again what it had.
  const reconnectionOptions = {
    ...{ initialReconnectionDelay: 1_000, maxReconnectionDelay: 1_000 },
    ...{ reconnectionDelayGrowFactor: 1, maxRetries: 0 },
  };
  const options = { fetch, requestInit: { headers }, reconnectionOptions };
  if (way.kind === "sse") return isOlder ? new OlderSse(url) : new SSEClientTransport(url);
  return isOlder ? new OlderHttp(url, options) : new StreamableHTTPClientTransport(url, options);
}

function older(answers: boolean): OlderClient {
  const client = new OlderClient(
    { name: "suite", version: "1" },
    { capabilities: answers ? CAPABILITIES : {} },
  );
  if (!answers) return client;
  client.setRequestHandler(ListRootsRequestSchema, () => ROOTS);
  client.setRequestHandler(ElicitRequestSchema, (request): Wire => elicited(request));
  client.setRequestHandler(CreateMessageRequestSchema, (): Wire => SAMPLED);
  return client;
}

function newer(sdk: Sdk, answers: boolean): Client {
  const client = new Client(
    { name: "suite", version: "1" },
    {
      capabilities: answers ? CAPABILITIES : {},
      versionNegotiation: { mode: sdk === "v2" ? "legacy" : { pin: STATELESS } },
    },
  );
  if (!answers) return client;
  client.setRequestHandler("roots/list", () => ROOTS);
  client.setRequestHandler("elicitation/create", (request): Wire => elicited(request));
  client.setRequestHandler("sampling/createMessage", (): Wire => SAMPLED);
  return client;
}

/** What came of asking, an error too, so that both ways can be compared. */
export async function outcome(asked: Promise<Wire>): Promise<Wire> {
  try {
    return { result: await asked };
  } catch (error) {
    const { code, message, data } = error as { code?: unknown; message: string; data?: unknown };
    return { error: { code, message, data } };
  }
}
