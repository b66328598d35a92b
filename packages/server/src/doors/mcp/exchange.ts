import type { IncomingHttpHeaders } from "node:http";
import {
  classifyInboundRequest,
  type JSONRPCRequest,
  type MessageClassification,
  PerRequestHTTPServerTransport,
  type Server,
  SUPPORTED_PROTOCOL_VERSIONS,
} from "@modelcontextprotocol/server";
import { STATELESS_VERSION } from "./session.ts";

/** A request that can be answered at once, with one JSON body. */
export interface PlainRequest {
  readonly message: JSONRPCRequest;
  readonly classification: MessageClassification;
}

const METHODS = new Set(["tools/list", "tools/call", "prompts/list", "prompts/get"]);
const STATELESS_METHODS = new Set([...METHODS, "server/discover"]);
const SESSION_METHODS = new Set([...METHODS, "initialize", "ping"]);
/** Methods whose `params.name` the `Mcp-Name` header repeats. */
const NAMED_METHODS = new Set(["tools/call", "prompts/get"]);

/**
 * The message, when it has exactly the shape every well-behaved client sends; null for anything else. Pure.
 * In the stateless era that means the headers are all there and say what the body says. What gives null is left to
 * the SDK's own handler, which answers it or refuses it with the error the specification asks for.
 */
export function plainRequest(headers: IncomingHttpHeaders, body: unknown): PlainRequest | null {
  const version = single(headers["mcp-protocol-version"]);
  const method = single(headers["mcp-method"]);
  const name = single(headers["mcp-name"]);
  const outcome = classifyInboundRequest({
    httpMethod: "POST",
    body,
    ...(version === undefined ? {} : { protocolVersionHeader: version }),
    ...(method === undefined ? {} : { mcpMethodHeader: method }),
    ...(name === undefined ? {} : { mcpNameHeader: name }),
  });
  const message = body as JSONRPCRequest;
  if (outcome.kind === "legacy") {
    const known = version === undefined || SUPPORTED_PROTOCOL_VERSIONS.includes(version);
    const isRequest = outcome.reason === "initialize" || outcome.reason === "no-claim";
    return isRequest && known && SESSION_METHODS.has(message.method)
      ? { message, classification: { era: "legacy" } }
      : null;
  }
  if (outcome.kind !== "modern" || outcome.messageKind !== "request") return null;
  if (outcome.classification.revision !== STATELESS_VERSION || version !== STATELESS_VERSION) return null;
  if (method !== message.method || !STATELESS_METHODS.has(method)) return null;
  if (NAMED_METHODS.has(method) && (name === undefined || name !== message.params?.name)) return null;
  return { message, classification: outcome.classification };
}

/** The HTTP answer to a plain request. */
export interface PlainAnswer {
  readonly status: number;
  readonly body: string;
}

/**
 * Lets a fresh session answer one request. `gone` is told what to do when the client hangs up: that closes the
 * exchange, aborts the tool call and rejects here with the SDK's ConnectionClosed.
 */
export async function answerPlain(
  session: Server,
  request: PlainRequest,
  gone: (close: () => void) => void,
): Promise<PlainAnswer> {
  const transport = new PerRequestHTTPServerTransport({
    classification: request.classification,
    responseMode: "json",
  });
  await session.connect(transport);
  gone(() => void transport.close());
  const response = await transport.handleMessage(request.message);
  // Clients of the older revisions take any status but 200 for a broken connection, also with a JSON-RPC error.
  const status = request.classification.era === "legacy" ? 200 : response.status;
  return { status, body: await response.text() };
}

const single = (header: string | string[] | undefined) => (Array.isArray(header) ? header[0] : header);
