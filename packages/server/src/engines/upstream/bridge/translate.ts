import { addMembers, type Edit } from "../channel/json-text.ts";
import {
  asObject,
  errorCodeOf,
  META_PREFIX,
  metaOf,
  type Read,
  RPC,
  restored,
  STATELESS_VERSION,
} from "../channel/messages.ts";
import type { Message } from "../types.ts";

/** What a server said of itself when the session was opened. */
export interface Introduction {
  readonly protocolVersion: string;
  readonly capabilities: Message;
  readonly serverInfo: Message | null;
  readonly instructions: string | null;
}

/** Reads the result of `initialize`; null when it is none. Pure. */
export function readIntroduction(result: unknown): Introduction | null {
  const read = asObject(result);
  if (read === null || typeof read.protocolVersion !== "string") return null;
  return {
    protocolVersion: read.protocolVersion,
    capabilities: asObject(read.capabilities) ?? {},
    serverInfo: asObject(read.serverInfo),
    instructions: typeof read.instructions === "string" ? read.instructions : null,
  };
}

/** Results of these may be kept by clients, so the newer era wants them to say for how long. */
const CACHEABLE = new Set([
  "tools/list",
  "prompts/list",
  "resources/list",
  "resources/templates/list",
  "resources/read",
  "server/discover",
]);

/** What the newer era has no more, and what only makes sense in a session of one's own. */
const GONE = new Set([
  "initialize",
  "ping",
  "logging/setLevel",
  "resources/subscribe",
  "resources/unsubscribe",
]);

/** Whether a stateless client may send this method to a server with sessions. Pure. */
export const isAvailable = (method: string): boolean => !GONE.has(method) && !method.startsWith("tasks/");

/** What of a server's capabilities can be had in either era. Pure. */
export function bridgedCapabilities(capabilities: unknown): Message {
  const { tools, prompts, resources, completions } = asObject(capabilities) ?? {};
  const kept: Record<string, unknown> = {};
  if (asObject(tools)) kept.tools = tools;
  if (asObject(prompts)) kept.prompts = prompts;
  const ofResources = asObject(resources);
  if (ofResources) {
    const { subscribe: _, ...others } = ofResources;
    kept.resources = others;
  }
  if (asObject(completions)) kept.completions = completions;
  return kept;
}

/** The result of `server/discover`, from what the server said of itself. Pure. */
export function discovered({ capabilities, serverInfo, instructions }: Introduction): Message {
  return {
    resultType: "complete",
    supportedVersions: [STATELESS_VERSION],
    capabilities: bridgedCapabilities(capabilities),
    ...(instructions === null ? {} : { instructions }),
    ttlMs: 0,
    cacheScope: "private",
    ...(serverInfo === null ? {} : { _meta: { [`${META_PREFIX}serverInfo`]: serverInfo } }),
  };
}

/** The request without what the newer era's protocol adds: a server with sessions knows nothing of it. Pure. */
export function withoutProtocol(request: Message): Message {
  const params = asObject(request.params);
  if (params === null) return request;
  const { _meta, inputResponses: _responses, requestState: _state, ...others } = params;
  const meta = Object.entries(asObject(_meta) ?? {}).filter(([key]) => !key.startsWith(META_PREFIX));
  // fromEntries defines members, so that a key like __proto__ stays one.
  const rest = meta.length > 0 ? { ...others, _meta: Object.fromEntries(meta) } : others;
  return { ...request, params: rest };
}

/** A server's answer as the newer era writes it: with `edits` made, and with what its results have to say. Pure. */
export function completed(text: string, answer: Message, method: string, edits: readonly Edit[]): Read {
  const named = restored(text, answer, edits);
  const result = asObject(named.parsed.result);
  if (result === null) return named;
  const added: Record<string, unknown> = {};
  if (result.resultType === undefined) added.resultType = "complete";
  if (CACHEABLE.has(method)) {
    if (result.ttlMs === undefined) added.ttlMs = 0;
    if (result.cacheScope === undefined) added.cacheScope = "private";
  }
  const members = JSON.stringify(added).slice(1, -1);
  if (members === "") return named;
  const parsed = { ...named.parsed, result: { ...added, ...result } };
  return { text: addMembers(named.text, ["result"], members) ?? JSON.stringify(parsed), parsed };
}

/** HTTP status that goes with an answer in the newer era. Pure. */
export function statusOf(answer: Message): number {
  const code = errorCodeOf(answer);
  if (code === RPC.methodNotFound) return 404;
  const refused =
    code === RPC.headerMismatch || code === RPC.missingClientCapability || code === RPC.unsupportedVersion;
  return refused ? 400 : 200;
}

/** The version a request says it is written in, where that is not one we speak. Pure. */
export function foreignVersion(request: Message): string | null {
  const version = metaOf(request)?.[`${META_PREFIX}protocolVersion`];
  return version === undefined || version === STATELESS_VERSION ? null : String(version);
}
