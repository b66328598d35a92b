import type { IncomingHttpHeaders } from "node:http";

/** What a client asks for by its upgrade request. */
export interface StreamRequest {
  readonly credential:
    | { readonly kind: "ticket"; readonly ticket: string }
    | { readonly kind: "authorization"; readonly value: string }
    | null;
  /** Where it stopped reading, as it was told. */
  readonly cursor: string | null;
}

const PATH = /^\/v1\/me\/substrate\/stream\/?$/;

/** Whether a canonical URL is the stream's. Pure. */
export const isStreamUrl = (url: string): boolean => PATH.test(url.split("?", 1)[0]!);

/** Reads an upgrade request for the stream. A ticket goes before a header, and that before `?token=`. Pure. */
export function readStreamRequest(url: string, headers: IncomingHttpHeaders): StreamRequest {
  const at = url.indexOf("?");
  const query = new URLSearchParams(at < 0 ? "" : url.slice(at + 1));
  const ticket = query.get("ticket");
  const token = query.get("token");
  const value = headers.authorization || (token ? `Bearer ${token}` : "");
  const credential = ticket
    ? ({ kind: "ticket", ticket } as const)
    : value === ""
      ? null
      : ({ kind: "authorization", value } as const);
  return { credential, cursor: query.get("cursor") || null };
}

/** The most a close frame has room for. */
const REASON_BYTES = 123;

/** A text as the reason of a close frame, cut between characters. Pure. */
export function closeReason(text: string): string {
  if (Buffer.byteLength(text) <= REASON_BYTES) return text;
  let reason = "";
  let bytes = 0;
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > REASON_BYTES) break;
    reason += character;
  }
  return reason;
}
