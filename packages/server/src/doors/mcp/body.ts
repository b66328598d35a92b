import { ProtocolErrorCode } from "@modelcontextprotocol/server";
import { limits } from "./limits.ts";

/** A message that is refused before the protocol sees it. */
export class MessageRefusal extends Error {
  readonly code: number;
  readonly status: number;

  /** `code` is the JSON-RPC error code, `status` the HTTP status. */
  constructor(code: number, message: string, status = 400) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/**
 * Reads one JSON-RPC message. Throws MessageRefusal: -32700 for what is no JSON, -32600 for batches (no revision since
 * 2025-06-18 has them) and for messages nested deeper than the limit.
 */
export function parseMessage(bytes: Buffer): unknown {
  if (nestsDeeperThan(bytes, limits.nestingDepth)) {
    throw new MessageRefusal(
      ProtocolErrorCode.InvalidRequest,
      `Invalid Request: nested deeper than ${limits.nestingDepth} levels`,
    );
  }
  let message: unknown;
  try {
    message = JSON.parse(bytes.toString("utf8"));
  } catch {
    throw new MessageRefusal(ProtocolErrorCode.ParseError, "Parse error: the body is not valid JSON");
  }
  if (Array.isArray(message)) {
    throw new MessageRefusal(ProtocolErrorCode.InvalidRequest, "Invalid Request: batches are not supported");
  }
  return message;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Counts brackets outside of strings; UTF-8 has none of these bytes inside longer characters. */
function nestsDeeperThan(bytes: Buffer, most: number): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at]!;
    if (inString) {
      if (byte === BACKSLASH) at += 1;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
      depth += 1;
      if (depth > most) return true;
    } else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) depth -= 1;
  }
  return false;
}

/** JSON-RPC's first code for errors of a server's own. */
export const SERVER_ERROR = -32_000;

/** A JSON-RPC error without a request to belong to. */
export function jsonRpcError(code: number, message: string) {
  return { jsonrpc: "2.0", error: { code, message }, id: null };
}
