import type { IncomingHttpHeaders } from "node:http";
import type { JsonObject } from "@ambit/policy";
import type { Era } from "../../engines/upstream/types.ts";
import { CODES, STATELESS_SINCE, VERSION_KEY } from "./codes.ts";
import { limits } from "./limits.ts";

/** What of a message headers repeat. */
export interface Repeated {
  readonly method: string;
  readonly params: JsonObject | undefined;
  /** The protocol version that the message itself names. */
  readonly claim: string | undefined;
  readonly era: Era;
  readonly isRequest: boolean;
}

export interface HeaderProblem {
  readonly code: number;
  readonly problem: string;
}

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const VERSION = /^[\w.-]+$/;

const isStateless = (version: string): boolean => DATE.test(version) && version >= STATELESS_SINCE;

/** A header's value; null when it is there more than once in a way that can't be read as one. */
function single(header: string | string[] | undefined): string | undefined | null {
  return Array.isArray(header) ? (header.length === 1 ? header[0] : null) : header;
}

/**
 * The era of a message. Pure. The body decides; a notification, which claims nothing, goes by the version header.
 */
export function eraOf(claim: string | undefined, headers: IncomingHttpHeaders, isRequest: boolean): Era {
  if (claim !== undefined) return "stateless";
  const version = isRequest ? undefined : single(headers["mcp-protocol-version"]);
  return typeof version === "string" && isStateless(version) ? "stateless" : "session";
}

/** Which parameter `Mcp-Name` repeats, by method. */
const NAMED_BY: ReadonlyMap<string, string> = new Map([
  ["tools/call", "name"],
  ["prompts/get", "name"],
  ["resources/read", "uri"],
  ["tasks/get", "taskId"],
  ["tasks/update", "taskId"],
  ["tasks/cancel", "taskId"],
]);

/**
 * What is wrong with the headers of a message; null when nothing is. Pure. A request without sessions must have them all;
 * whatever is sent must say what the body says.
 */
export function headerProblem(repeated: Repeated, headers: IncomingHttpHeaders): HeaderProblem | null {
  const { method, params, claim, era, isRequest } = repeated;
  const required = era === "stateless" && isRequest;
  const version = single(headers["mcp-protocol-version"]);
  const methodHeader = single(headers["mcp-method"]);
  const nameHeader = single(headers["mcp-name"]);
  if (version === null || methodHeader === null || nameHeader === null)
    return mismatch("a header is there twice");
  if (version === undefined) {
    if (required) return mismatch("MCP-Protocol-Version is missing");
  } else {
    const problem = versionProblem(version, claim, method, isRequest);
    if (problem !== null) return problem;
  }
  if (methodHeader === undefined) {
    if (required) return mismatch("Mcp-Method is missing");
  } else if (methodHeader !== method) return mismatch("Mcp-Method names another method than the body");
  return nameProblem(NAMED_BY.get(method), params, nameHeader, required);
}

function versionProblem(
  version: string,
  claim: string | undefined,
  method: string,
  isRequest: boolean,
): HeaderProblem | null {
  if (version.length > limits.versionChars || !VERSION.test(version)) {
    return mismatch("MCP-Protocol-Version is no version");
  }
  if (claim !== undefined) {
    return version === claim ? null : mismatch("MCP-Protocol-Version names another version than the body");
  }
  if (!isRequest || !isStateless(version)) return null;
  if (method === "initialize") return mismatch("MCP-Protocol-Version names a revision without initialize");
  return { code: CODES.invalidParams, problem: `Invalid params: _meta["${VERSION_KEY}"] is missing` };
}

function nameProblem(
  field: string | undefined,
  params: JsonObject | undefined,
  header: string | undefined,
  required: boolean,
): HeaderProblem | null {
  const value = field === undefined ? undefined : params?.[field];
  if (header === undefined) {
    return required && typeof value === "string" ? mismatch("Mcp-Name is missing") : null;
  }
  if (field === undefined) return mismatch("Mcp-Name is there, but the body has nothing it could name");
  const name = decodeHeader(header);
  if (name === null) return mismatch("Mcp-Name is not valid base64 of UTF-8");
  return name === value ? null : mismatch(`Mcp-Name names another ${field} than the body`);
}

const SENTINEL = /^=\?base64\?(.*)\?=$/s;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A value that a header carries, as it is or in base64 of its UTF-8; null when that can't be decoded. Pure. */
export function decodeHeader(header: string): string | null {
  const encoded = SENTINEL.exec(header)?.[1];
  if (encoded === undefined) return header;
  if (!BASE64.test(encoded)) return null;
  try {
    return utf8.decode(Buffer.from(encoded, "base64"));
  } catch {
    return null;
  }
}

/** The headers of a client's that go up: its protocol version, and in the stateless era `mcp-param-*`. Pure. */
export function forwardedHeaders(headers: IncomingHttpHeaders, era: Era): Record<string, string> {
  const forwarded: Record<string, string> = {};
  const version = headers["mcp-protocol-version"];
  if (typeof version === "string") forwarded["mcp-protocol-version"] = version;
  if (era === "session") return forwarded;
  for (const name in headers) {
    const value = headers[name];
    if (name.startsWith("mcp-param-") && typeof value === "string") forwarded[name] = value;
  }
  return forwarded;
}

const mismatch = (why: string): HeaderProblem => ({
  code: CODES.headerMismatch,
  problem: `Header mismatch: ${why}`,
});
