import type { IncomingHttpHeaders } from "node:http";
import { type Json, type JsonObject, JsonRefusal, strictParse } from "@ambit/policy";
import type { Era, Message } from "../../engines/upstream/types.ts";
import { CODES, VERSION_KEY } from "./codes.ts";
import { eraOf, headerProblem } from "./headers.ts";
import { limits } from "./limits.ts";
import { folded, isObject } from "./shapes.ts";
import { readToolCall, type ToolCall } from "./tool-call.ts";

export type RequestId = string | number;

/** One message of a client that can be judged. */
export type Incoming =
  | {
      readonly kind: "request";
      readonly message: Message;
      readonly era: Era;
      readonly id: RequestId;
      readonly method: string;
      /** For tools/call, and only then. */
      readonly call: ToolCall | null;
    }
  | {
      readonly kind: "notification";
      readonly message: Message;
      readonly era: Era;
      readonly method: string;
    }
  /** An answer to a request of the server's; only where there are sessions. */
  | { readonly kind: "response"; readonly message: Message; readonly era: "session" };

/** Why a message is not even judged. */
export interface Malformed {
  readonly kind: "malformed";
  readonly code: number;
  readonly message: string;
  /** What can be said of the message all the same. */
  readonly id: RequestId | null;
  readonly method: string | null;
}

/**
 * Reads the one message in a body, with the headers that repeat parts of it. Pure. Whatever two readers could understand
 * differently is malformed: duplicate keys, batches, keys that differ from the protocol's only in case, headers that say
 * something else than the body.
 */
export function readMessage(text: string, headers: IncomingHttpHeaders): Incoming | Malformed {
  let value: Json;
  try {
    value = strictParse(text, { maxDepth: limits.nestingLevels, maxBytes: limits.bodyBytes });
  } catch (error) {
    if (!(error instanceof JsonRefusal)) throw error;
    const code = error.code === "too_deep" ? CODES.invalidRequest : CODES.parse;
    return malformed(code, `${code === CODES.parse ? "Parse error" : "Invalid Request"}: ${error.message}`);
  }
  if (!isObject(value)) {
    const what = Array.isArray(value) ? "batches are not supported" : "a message is an object";
    return malformed(CODES.invalidRequest, `Invalid Request: ${what}`);
  }
  const id = isId(value.id) ? value.id : null;
  const method = typeof value.method === "string" ? value.method.slice(0, limits.methodChars) : null;
  const read = readEnvelope(value, headers);
  return "problem" in read ? malformed(read.code, read.problem, id, method) : read;
}

interface Problem {
  readonly code: number;
  readonly problem: string;
}

const MEMBERS: ReadonlySet<string> = new Set(["jsonrpc", "id", "method", "params", "result", "error"]);

function readEnvelope(value: JsonObject, headers: IncomingHttpHeaders): Incoming | Problem {
  if (value.jsonrpc !== "2.0") return invalid('jsonrpc must be "2.0"');
  for (const key of Object.keys(value)) {
    if (!MEMBERS.has(key) && MEMBERS.has(folded(key))) return invalid(`unclear member ${quoted(key)}`);
  }
  const hasId = Object.hasOwn(value, "id");
  if (hasId && !isId(value.id)) return invalid("id must be a text or a whole number");
  const answers = Object.hasOwn(value, "result") || Object.hasOwn(value, "error");
  if (!Object.hasOwn(value, "method")) return readResponse(value, headers);
  if (answers) return invalid("a message has either a method, or a result or an error");
  const { method, params } = value;
  if (typeof method !== "string") return invalid("method must be a text");
  if (method === "" || method.length > limits.methodChars) return invalid("no such method name");
  if (params !== undefined && !isObject(params)) {
    return { code: CODES.invalidParams, problem: "Invalid params: params must be an object" };
  }
  const isCall = method === "tools/call";
  if (!isCall && folded(method.trim()) === "tools/call") return invalid("unclear method");
  if (isCall && !hasId) return invalid("tools/call needs an id");
  return readParams(value, method, params, headers, hasId);
}

function readParams(
  message: JsonObject,
  method: string,
  params: JsonObject | undefined,
  headers: IncomingHttpHeaders,
  isRequest: boolean,
): Incoming | Problem {
  const meta = params?._meta;
  if (meta !== undefined && !isObject(meta)) {
    return { code: CODES.invalidParams, problem: "Invalid params: _meta must be an object" };
  }
  const claim = meta?.[VERSION_KEY];
  if (claim !== undefined && typeof claim !== "string") {
    return { code: CODES.invalidParams, problem: `Invalid params: ${VERSION_KEY} must be a text` };
  }
  const era = eraOf(claim, headers, isRequest);
  const problem = headerProblem({ method, params, claim, era, isRequest }, headers);
  if (problem !== null) return problem;
  if (!isRequest) return { kind: "notification", message, era, method };
  const id = message.id as RequestId;
  if (method !== "tools/call") return { kind: "request", message, era, id, method, call: null };
  const call = readToolCall(params, era, meta);
  if (typeof call === "string") return { code: CODES.invalidParams, problem: `Invalid params: ${call}` };
  return { kind: "request", message, era, id, method, call };
}

function readResponse(value: JsonObject, headers: IncomingHttpHeaders): Incoming | Problem {
  if (Object.hasOwn(value, "result") === Object.hasOwn(value, "error")) {
    return invalid("a message has a method, a result or an error");
  }
  if (!Object.hasOwn(value, "id") || Object.hasOwn(value, "params"))
    return invalid("an answer has an id and no params");
  if (Object.hasOwn(value, "error") && !isObject(value.error)) return invalid("error must be an object");
  if (eraOf(undefined, headers, false) === "stateless")
    return invalid("this revision takes no answers from clients");
  if (headers["mcp-method"] !== undefined || headers["mcp-name"] !== undefined) {
    return { code: CODES.headerMismatch, problem: "Header mismatch: an answer has neither method nor name" };
  }
  return { kind: "response", message: value, era: "session" };
}

const isId = (value: unknown): value is RequestId => typeof value === "string" || Number.isInteger(value);

const invalid = (why: string): Problem => ({
  code: CODES.invalidRequest,
  problem: `Invalid Request: ${why}`,
});

const quoted = (text: string) => JSON.stringify(text.slice(0, 40));

const malformed = (
  code: number,
  message: string,
  id: RequestId | null = null,
  method: string | null = null,
): Malformed => ({ kind: "malformed", code, message, id, method });
