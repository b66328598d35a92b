import type { Message } from "../types.ts";
import { type Edit, replaceMembers } from "./json-text.ts";

/** JSON-RPC codes, and the one that servers with sessions use for a session they don't know. */
export const RPC = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internalError: -32603,
  sessionNotFound: -32001,
  headerMismatch: -32020,
  missingClientCapability: -32021,
  unsupportedVersion: -32022,
} as const;

/** What the protocol itself puts into `_meta`. */
export const META_PREFIX = "io.modelcontextprotocol/";
export const SUBSCRIPTION_ID = `${META_PREFIX}subscriptionId`;
export const STATELESS_VERSION = "2026-07-28";

export type MessageKind = "request" | "notification" | "answer" | "nonsense";

/** What a message is, by the members it has. */
export function kindOf(message: Message): MessageKind {
  const hasId = typeof message.id === "string" || typeof message.id === "number";
  if (typeof message.method === "string")
    return hasId ? "request" : message.id === undefined ? "notification" : "nonsense";
  const isAnswer = message.result !== undefined || message.error !== undefined;
  return isAnswer && (hasId || message.id === null) ? "answer" : "nonsense";
}

/** Reads a server's message; null when it is no JSON object. */
export function parseMessage(text: string): Message | null {
  try {
    const value: unknown = JSON.parse(text);
    return asObject(value);
  } catch {
    return null;
  }
}

export function asObject(value: unknown): Message | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Message) : null;
}

/** `params._meta` of a message. */
export function metaOf(message: Message): Message | null {
  return asObject(asObject(message.params)?._meta);
}

/** The code of a JSON-RPC error; null for a result. */
export function errorCodeOf(answer: Message): number | null {
  const error = asObject(answer.error);
  if (error === null) return answer.error === undefined ? null : RPC.internalError;
  return typeof error.code === "number" ? error.code : RPC.internalError;
}

export function errorText(id: unknown, code: number, message: string): string {
  return JSON.stringify({ jsonrpc: "2.0", id: id ?? null, error: { code, message } });
}

/** A message's text, and what it says. */
export interface Read {
  readonly text: string;
  readonly parsed: Message;
}

/** Replaces members of a message. Its text changes nowhere else, unless it is ambiguous: then it is written anew. */
export function restored(text: string, message: Message, edits: readonly Edit[]): Read {
  const parsed = edits.reduce(withMember, message);
  return { text: replaceMembers(text, edits) ?? JSON.stringify(parsed), parsed };
}

function withMember(message: Message, { path, value }: Edit): Message {
  const [name, ...rest] = path;
  if (name === undefined) return message;
  const inner = asObject(message[name]);
  return {
    ...message,
    [name]: rest.length > 0 && inner ? withMember(inner, { path: rest, value }) : JSON.parse(value),
  };
}

/** What every request of the stateless era carries. */
export const statelessMeta = (clientInfo: Message): Message => ({
  [`${META_PREFIX}protocolVersion`]: STATELESS_VERSION,
  [`${META_PREFIX}clientCapabilities`]: {},
  [`${META_PREFIX}clientInfo`]: clientInfo,
});
