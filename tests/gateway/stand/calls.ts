import { type Api, apiAs } from "../../support/api.ts";
import { STATELESS } from "../../support/gateway.ts";
import { allPages } from "../../support/substrate.ts";

/** Where calls are made, and as whom. */
export interface At {
  readonly url: string;
  readonly token: string;
}

export interface CallOptions {
  /** Default: with sessions, but none opened. */
  readonly era?: "session" | "stateless";
  /** The id that `initialize` gave. */
  readonly session?: string;
  /** The client can open pages (stateless era). */
  readonly opensUrls?: boolean;
  /** A call made again, with what it was given. */
  readonly requestState?: string;
  readonly method?: string;
  readonly signal?: AbortSignal;
}

/** An answer of a proxy URL. */
export interface Told {
  readonly status: number;
  readonly text: string;
  readonly body: any;
  /** Under which it is in the decision log. */
  readonly requestId: string;
  readonly headers: Headers;
  /** What Ambit says it decided; undefined when the server's own answer came. */
  readonly decision: any;
  /** `allow` when the server's own answer came; what Ambit says of its decision; `ask`, `error`, or `http <status>`. */
  readonly outcome: string;
}

const PREFIX = "io.modelcontextprotocol";
let ids = 0;

/** The envelope of a request of the stateless era. */
export const envelope = (opensUrls = false) => ({
  [`${PREFIX}/protocolVersion`]: STATELESS,
  [`${PREFIX}/clientCapabilities`]: opensUrls ? { elicitation: { url: {} } } : {},
});

/** Headers and body of one request. */
export function requestOf(method: string, params: object, options: CallOptions = {}) {
  const { era = "session", session, opensUrls, requestState } = options;
  const stateless = era === "stateless";
  const all = {
    ...params,
    ...(requestState === undefined
      ? {}
      : { requestState, inputResponses: { approval: { action: "accept" } } }),
    ...(stateless ? { _meta: envelope(opensUrls) } : {}),
  };
  const name = (params as { name?: string }).name;
  const encoded = name === undefined || /^[\x21-\x7e]+$/.test(name) ? name : base64(name);
  const headers: Record<string, string> = {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    ...(session === undefined ? {} : { "mcp-session-id": session }),
    ...(stateless ? { "mcp-protocol-version": STATELESS, "mcp-method": method } : {}),
    ...(stateless && encoded !== undefined ? { "mcp-name": encoded } : {}),
  };
  return { headers, body: { jsonrpc: "2.0", id: ++ids, method, params: all } };
}

const base64 = (text: string) => `=?base64?${Buffer.from(text).toString("base64")}?=`;

/** Sends one request as a client would, and reads its answer to the end. */
export async function ask(at: At, method: string, params: object, options: CallOptions = {}): Promise<Told> {
  const { headers, body } = requestOf(method, params, options);
  const response = await fetch(at.url, {
    ...{ method: "POST", body: JSON.stringify(body) },
    headers: { ...headers, authorization: `Bearer ${at.token}` },
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  return toldBy(response.status, await response.text(), response.headers);
}

/** Calls a tool. */
export const call = (at: At, tool: string, args: object = {}, options: CallOptions = {}): Promise<Told> =>
  ask(at, "tools/call", { name: tool, arguments: args }, options);

function toldBy(status: number, text: string, headers: Headers): Told {
  const streamed = headers.get("content-type")?.startsWith("text/event-stream") === true;
  let body: any = null;
  try {
    body = streamed ? (eventsIn(text).at(-1) ?? null) : JSON.parse(text);
  } catch {
    // Not every answer is JSON; then the text is what there is.
  }
  const decision = body?.result?._meta?.["ambit/decision"];
  const outcome = outcomeOf(status, body, decision);
  return { status, text, body, headers, decision, outcome, requestId: headers.get("x-request-id") ?? "" };
}

/** The messages of a stream as Ambit writes it. */
export const eventsIn = (text: string): any[] =>
  text
    .split("\n\n")
    .map((event) => event.split("\n").filter((line) => line.startsWith("data: ")))
    .filter((lines) => lines.length > 0)
    .map((lines) => JSON.parse(lines.map((line) => line.slice(6)).join("\n")));

function outcomeOf(status: number, body: any, decision: any): string {
  if (body?.result?.resultType === "input_required") return "ask";
  if (decision !== undefined) return decision.outcome;
  if (body?.result !== undefined) return "allow";
  return body?.error?.code === undefined || typeof body.error.code === "string" ? `http ${status}` : "error";
}

/** Opens a session; its id. */
export async function openSession(at: At): Promise<string> {
  const params = {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "suite", version: "1" },
  };
  const told = await ask(at, "initialize", params);
  const id = told.headers.get("mcp-session-id");
  if (id === null) throw new Error(`no session was opened: ${told.text}`);
  return id;
}

/** Lines of the decision log, newest first. */
export const decisions = (api: Api, query = ""): Promise<any[]> =>
  allPages(api, `/v1/gateway/decisions?limit=200${query}`, "decisions", {
    ...{ answer: "next_before", query: "before" },
  });

/** How many of each. */
export const tally = (texts: readonly string[]): Record<string, number> =>
  Object.fromEntries([...Map.groupBy(texts, (text) => text)].map(([text, all]) => [text, all.length]));

export const outcomes = (told: readonly Told[]): Record<string, number> =>
  tally(told.map(({ outcome }) => outcome));

export const times = <T>(count: number, make: (turn: number) => T): T[] =>
  Array.from({ length: count }, (_, turn) => make(turn));

/** A person's key at this address. */
export const personAt = (apiUrl: string, key: string): Api => apiAs(apiUrl, key);
