import { RESERVED_PREFIXES } from "../../engines/workerd/headers.ts";

/** Of the connection between user code and Ambit, or said by Ambit alone. */
const DROPPED = new Set(["host", "connection", "keep-alive", "transfer-encoding", "upgrade", "x-request-id"]);

/** The headers of a call from user code to other user code, flat. Pure: identities in them are taken out. */
export function callHeaders(raw: readonly string[], host: string): string[] {
  const headers = ["host", host];
  for (let i = 0; i < raw.length; i += 2) {
    const lower = raw[i]!.toLowerCase();
    if (DROPPED.has(lower) || RESERVED_PREFIXES.some((prefix) => lower.startsWith(prefix))) continue;
    headers.push(raw[i]!, raw[i + 1]!);
  }
  return headers;
}
