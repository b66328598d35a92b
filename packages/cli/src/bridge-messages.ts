import {
  isJSONRPCErrorResponse,
  isJSONRPCNotification,
  type JSONRPCMessage,
  PROTOCOL_VERSION_META_KEY,
  SdkHttpError,
} from "@modelcontextprotocol/client";
import { parse, textOf } from "./problem.ts";

export type RequestId = string | number;

/** JSON-RPC's first code for errors of a server's own. */
const SERVER_ERROR = -32_000;
/** The protocol's code for headers that don't repeat what the body says. */
const HEADER_MISMATCH = -32_020;

/** The answer to a request that the server could not be asked. */
export const failed = (id: RequestId, message: string): JSONRPCMessage => ({
  jsonrpc: "2.0",
  id,
  error: { code: SERVER_ERROR, message },
});

/** The JSON-RPC error an HTTP error carried, e.g. an unknown method's, as the answer to a request; null for none. */
export function refusalIn(error: unknown, id: RequestId): JSONRPCMessage | null {
  if (!(error instanceof SdkHttpError)) return null;
  const body = parse(textOf(error));
  const message = typeof body === "object" && body !== null ? { ...body, id } : null;
  return isJSONRPCErrorResponse(message) ? message : null;
}

/** Whether an answer says that headers were missing or wrong. */
export const isHeaderMismatch = (message: JSONRPCMessage): boolean =>
  isJSONRPCErrorResponse(message) && message.error.code === HEADER_MISMATCH;

/** The request that a notification cancels; undefined for every other message. */
export function cancelledRequest(message: JSONRPCMessage): RequestId | undefined {
  if (!isJSONRPCNotification(message) || message.method !== "notifications/cancelled") return undefined;
  return message.params?.requestId as RequestId | undefined;
}

/** Whether a request is of the era without sessions. */
export function isStateless(message: JSONRPCMessage): boolean {
  const { params } = message as { params?: { _meta?: Record<string, unknown> } };
  return typeof params?._meta?.[PROTOCOL_VERSION_META_KEY] === "string";
}
