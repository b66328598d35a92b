import type { Message, UpstreamRequest } from "../types.ts";

/** Which parameter `Mcp-Name` repeats, by method. */
const NAMED_BY: Readonly<Record<string, string>> = Object.assign(Object.create(null), {
  "tools/call": "name",
  "prompts/get": "name",
  "resources/read": "uri",
  "tasks/get": "taskId",
  "tasks/update": "taskId",
  "tasks/cancel": "taskId",
});

/** What credentials can't say: it is the connection's, or made from the message. */
const OURS: ReadonlySet<string> = new Set([
  "accept",
  "accept-encoding",
  "connection",
  "content-encoding",
  "content-length",
  "content-type",
  "expect",
  "host",
  "keep-alive",
  "last-event-id",
  "mcp-method",
  "mcp-name",
  "mcp-protocol-version",
  "mcp-session-id",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

const PLAIN = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/;
const ENCODED = /^=\?base64\?.*\?=$/s;

/** A value as `Mcp-Name` carries it: as it is when a header can say that, else in base64 of its UTF-8. Pure. */
export function headerValue(value: string): string {
  if (PLAIN.test(value) && !ENCODED.test(value)) return value;
  return `=?base64?${Buffer.from(value, "utf8").toString("base64")}?=`;
}

/** What `Mcp-Name` says of a message; null when it says nothing. Pure. */
export function nameOf(method: string, params: unknown): string | null {
  const field = NAMED_BY[method];
  if (field === undefined || typeof params !== "object" || params === null) return null;
  const value = Object.hasOwn(params, field) ? (params as Record<string, unknown>)[field] : undefined;
  return typeof value === "string" ? headerValue(value) : null;
}

const POST_HEADERS: readonly string[] = [
  "accept",
  "application/json, text/event-stream",
  "content-type",
  "application/json",
  "accept-encoding",
  "identity",
  "user-agent",
  "Ambit",
];
const STREAM_HEADERS: readonly string[] = [
  "accept",
  "text/event-stream",
  "accept-encoding",
  "identity",
  "user-agent",
  "Ambit",
  "cache-control",
  "no-cache",
];

/** Names and values in turn, as undici takes them, of a message on its way up; without credentials. Pure. */
export function postHeaders(request: Omit<UpstreamRequest, "signal">): string[] {
  const { message, headers } = request;
  const list = [...POST_HEADERS];
  if (request.era === "stateless") {
    addStateless(list, message, headers);
  } else {
    const version = headers["mcp-protocol-version"];
    if (version !== undefined) list.push("mcp-protocol-version", version);
  }
  if (request.sessionId !== null) list.push("mcp-session-id", request.sessionId);
  for (const name in headers) {
    const value = headers[name];
    if (name.startsWith("mcp-param-") && value !== undefined) list.push(name, value);
  }
  return list;
}

function addStateless(list: string[], message: Message, headers: Readonly<Record<string, string>>): void {
  const { method, params } = message;
  // What the body says counts: servers compare, and the header only repeats it.
  const version = versionOf(params) ?? headers["mcp-protocol-version"];
  if (version !== undefined) list.push("mcp-protocol-version", version);
  if (typeof method !== "string") return;
  list.push("mcp-method", method);
  const name = nameOf(method, params);
  if (name !== null) list.push("mcp-name", name);
}

function versionOf(params: unknown): string | undefined {
  const meta = (params as { _meta?: Record<string, unknown> } | undefined)?._meta;
  const version = meta?.["io.modelcontextprotocol/protocolVersion"];
  return typeof version === "string" ? version : undefined;
}

/** The same for a stream the server sends by itself, and for ending a session. Pure. */
export function sessionHeaders(
  sessionId: string | null,
  headers: Readonly<Record<string, string>>,
  lastEventId: string | null,
): string[] {
  const list = [...STREAM_HEADERS];
  if (sessionId !== null) list.push("mcp-session-id", sessionId);
  const version = headers["mcp-protocol-version"];
  if (version !== undefined) list.push("mcp-protocol-version", version);
  // Ids are UTF-8; undici writes each char of a header as one byte.
  if (lastEventId !== null) list.push("last-event-id", Buffer.from(lastEventId, "utf8").toString("latin1"));
  return list;
}

/** What a server's own headers may add to each request. Pure. */
export function credentialHeaders(headers: Readonly<Record<string, string>>): string[] {
  const list: string[] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (!OURS.has(name.toLowerCase())) list.push(name, value);
  }
  return list;
}
