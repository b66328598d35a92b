import { Client, SSEClientTransport, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import type { AmbitAccess, AmbitSide } from "./ambit.ts";

export const AGENT_NAME = "attacked-agent";

/** How an agent's client was configured. */
export type Configured =
  | { readonly url: string; readonly headers: Readonly<Record<string, string>> }
  | {
      readonly command: string;
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string>>;
    };

export interface Answer {
  readonly status: number;
  readonly text: string;
  /** What the text says; undefined when it is no JSON. */
  readonly json: unknown;
  readonly headers: Headers;
}

export interface Connection {
  /** Default 2026-07-28; `legacy` is every revision before, `sse` the oldest transport, where nothing translates. */
  readonly era?: "2026-07-28" | "legacy" | "sse";
  readonly capabilities?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Who attacks, or is taken in: an MCP client as it is configured in this run. */
export class Agent {
  readonly configured: Configured;
  /** Ambit, as this agent and the people who run it see it; null in the run without. */
  readonly ambit: AmbitSide | null;
  /** Ambit's own address and keys, for attacks on Ambit's own tools. */
  readonly access: AmbitAccess;
  /** A gateway in the run without, whose policy can be exchanged. */
  readonly careless: { policy: object; readonly log: readonly string[] } | null;
  readonly refusals: string[] = [];
  readonly #second: () => Promise<Configured>;
  readonly #closes: (() => Promise<void>)[] = [];

  constructor(
    configured: Configured,
    sides: Pick<Agent, "ambit" | "access" | "careless"> & { second(): Promise<Configured> },
  ) {
    this.configured = configured;
    this.ambit = sides.ambit;
    this.access = sides.access;
    this.careless = sides.careless;
    this.#second = sides.second;
  }

  get url(): string {
    if (!("url" in this.configured)) throw new Error("the server is a program and has no URL");
    return this.configured.url;
  }

  get headers(): Readonly<Record<string, string>> {
    return "url" in this.configured ? this.configured.headers : {};
  }

  /** Another identity at the same place, with the same rules. */
  async second(): Promise<Agent> {
    const { ambit, access, careless } = this;
    const agent = new Agent(await this.#second(), { ambit, access, careless, second: this.#second });
    this.#closes.push(() => agent.close());
    return agent;
  }

  /** The official client, connected. It is closed when the run is over. */
  async connect({ era = "2026-07-28", capabilities = {}, headers = {} }: Connection = {}): Promise<Client> {
    const mode = era === "2026-07-28" ? { pin: era } : "legacy";
    const client = new Client({ name: AGENT_NAME, version: "1.0.0" }, {
      capabilities,
      versionNegotiation: { mode },
    } as ConstructorParameters<typeof Client>[1]);
    await client.connect(this.#transport(era, headers));
    this.#closes.push(() => client.close());
    return client;
  }

  #transport(era: Connection["era"], headers: Readonly<Record<string, string>>) {
    const { configured } = this;
    if ("command" in configured) {
      const { command, args, env } = configured;
      return new StdioClientTransport({ command, args: [...args], env: { ...env }, stderr: "ignore" });
    }
    const requestInit = { headers: { ...configured.headers, ...headers } };
    const url = new URL(configured.url);
    // Ambit speaks the newer transport to its clients, whatever the server speaks.
    if (era === "sse" && this.ambit === null) return new SSEClientTransport(url, { requestInit });
    return new StreamableHTTPClientTransport(url, { requestInit });
  }

  /** One POST of exactly this body. */
  async post(
    body: string | Buffer | object,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const response = await fetch(this.url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...this.headers,
        ...headers,
      },
      body:
        typeof body === "string" ? body : Buffer.isBuffer(body) ? new Uint8Array(body) : JSON.stringify(body),
    });
    return answerOf(response);
  }

  /** Notes with which code something was refused that no decision is about. */
  readonly refused = (code: string): void => void this.refusals.push(code);

  async close(): Promise<void> {
    await Promise.all(this.#closes.splice(0).map((close) => close().catch(() => {})));
  }
}

export async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // Not every answer is JSON.
  }
  return { status: response.status, text, json, headers: response.headers };
}

/** The text of a tool's answer. */
export const textOf = (result: unknown): string =>
  ((result as { content?: readonly { text?: string }[] }).content ?? [])
    .map(({ text = "" }) => text)
    .join("\n");

/** A call of the stateless era, by hand, with the headers it needs. */
export function statelessCall(name: string, args: object): [body: object, headers: Record<string, string>] {
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  const params = { name, arguments: args, _meta };
  return [
    { jsonrpc: "2.0", id: 1, method: "tools/call", params },
    { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": name },
  ];
}

/** A call of the older eras, by hand. */
export const legacyCall = (name: string, args: object, id: number | string = 1) => ({
  jsonrpc: "2.0",
  id,
  method: "tools/call",
  params: { name, arguments: args },
});
