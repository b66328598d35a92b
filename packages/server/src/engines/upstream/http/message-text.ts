import { isUtf8 } from "node:buffer";
import { asObject } from "../channel/messages.ts";
import type { Message } from "../types.ts";

/** A message of the server's: its text exactly as it came, and what it says. */
export interface ReadMessage {
  readonly text: string;
  readonly message: Message;
}

/** Reads the bytes of one message; null when they are no UTF-8, no JSON, or no object. Pure. */
export function readMessage(bytes: Buffer): ReadMessage | null {
  if (!isUtf8(bytes)) return null;
  const text = bytes.toString("utf8");
  try {
    const message = asObject(JSON.parse(text));
    return message === null ? null : { text, message };
  } catch {
    return null;
  }
}

/** Whether a message is the JSON-RPC error that goes with a status that is no success. Pure. */
export function isRpcError({ message }: ReadMessage): boolean {
  const { jsonrpc, error } = message;
  return jsonrpc === "2.0" && typeof asObject(error)?.code === "number" && message.method === undefined;
}
