import { removeMember } from "../channel/json-text.ts";
import { asObject, META_PREFIX, type Read, SUBSCRIPTION_ID, statelessMeta } from "../channel/messages.ts";
import type { Message } from "../types.ts";
import { bridgedCapabilities } from "./translate.ts";

/** Versions with sessions, oldest first. */
const VERSIONS = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] as const;

/** The result of `initialize`, from what a stateless server said of itself. Pure. */
export function introduced(discovered: unknown, requested: unknown): Message {
  const { capabilities, instructions, _meta } = asObject(discovered) ?? {};
  const serverInfo = asObject(asObject(_meta)?.[`${META_PREFIX}serverInfo`]);
  return {
    protocolVersion: VERSIONS.find((version) => version === requested) ?? VERSIONS.at(-1),
    capabilities: bridgedCapabilities(capabilities),
    serverInfo: serverInfo ?? { name: "unknown", version: "0" },
    ...(typeof instructions === "string" ? { instructions } : {}),
  };
}

/** What of the older eras a stateless server can be asked. Pure. */
export const isKnownToBoth = (method: string): boolean =>
  /^(?:tools|prompts|resources)\/(?:list|call|get|read)$/.test(method) ||
  method === "resources/templates/list" ||
  method === "completion/complete";

/** The request with what the newer era wants to find in it. The client can do nothing that would have to be asked. Pure. */
export function withProtocol(request: Message, clientInfo: Message): Message {
  const params = asObject(request.params);
  const _meta = { ...asObject(params?._meta), ...statelessMeta(clientInfo) };
  return { ...request, params: { ...params, _meta } };
}

const NEEDS_NEWER =
  "The server wants to ask something in the middle of this call, which only clients of the protocol version 2026-07-28 can be asked. Use such a client.";

/** A stateless server's answer as clients with sessions know it. Pure. */
export function withoutResultType(read: Read, method: unknown): Read {
  const result = asObject(read.parsed.result);
  if (result === null || result.resultType === undefined) return read;
  if (result.resultType === "complete") {
    const { resultType: _, ...others } = result;
    const parsed = { ...read.parsed, result: others };
    return { text: removeMember(read.text, ["result", "resultType"]) ?? JSON.stringify(parsed), parsed };
  }
  const instead =
    method === "tools/call"
      ? { result: { isError: true, content: [{ type: "text", text: NEEDS_NEWER }] } }
      : { error: { code: -32603, message: NEEDS_NEWER } };
  const parsed = { jsonrpc: "2.0", id: read.parsed.id, ...instead };
  return { text: JSON.stringify(parsed), parsed };
}

/** A notification of a subscription, without what says so. Pure. */
export function withoutSubscription(notification: Message): Message {
  const { _meta, ...params } = asObject(notification.params) ?? {};
  const { [SUBSCRIPTION_ID]: _, ...meta } = asObject(_meta) ?? {};
  const rest = Object.keys(meta).length > 0 ? { ...params, _meta: meta } : params;
  const { params: _params, ...bare } = notification;
  return Object.keys(rest).length > 0 ? { ...bare, params: rest } : bare;
}
