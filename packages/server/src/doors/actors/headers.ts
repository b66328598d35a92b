import { identityHeaders } from "../../features/durable-objects/service.ts";
import type { Principal } from "../../kernel/principal.ts";
import { type RequestPlace, userRequestHeaders } from "../http/user-request.ts";

/** What a request's headers become on their way to user code. */
export interface RequestHeaderOptions extends RequestPlace {
  readonly requestId: string;
  readonly principal: Principal;
  /** The caller's address. */
  readonly ip: string;
  /** Replaces the sub-protocols a WebSocket client offers; undefined leaves them. */
  readonly protocols?: readonly string[] | undefined;
}

/**
 * The headers an actor is given: what outsiders may not say is removed, what is verified is added; `cf-connecting-ip`
 * is what classes written for Cloudflare read. Pure; `raw` and the answer are flat lists of names and values.
 */
export function requestHeaders(raw: readonly string[], options: RequestHeaderOptions): string[] {
  const { protocols, requestId, ip } = options;
  const headers = userRequestHeaders(protocols === undefined ? raw : withoutProtocols(raw), options);
  if (protocols !== undefined && protocols.length > 0)
    headers.push("sec-websocket-protocol", protocols.join(", "));
  headers.push("x-request-id", requestId);
  headers.push("cf-connecting-ip", ip);
  headers.push(...identityHeaders(options.principal));
  return headers;
}

const withoutProtocols = (raw: readonly string[]): string[] =>
  raw.filter((_, i) => raw[i - (i % 2)]!.toLowerCase() !== "sec-websocket-protocol");
