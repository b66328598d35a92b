import { isHopByHop } from "../../engines/workerd/forward/request-head.ts";
import { isReservedHeader } from "../../engines/workerd/headers.ts";

/**
 * The headers of a call from user code to other user code, flat. Pure: what belongs to their connection, and what
 * Ambit alone says, is taken out.
 */
export function callHeaders(raw: readonly string[], host: string): string[] {
  const headers = ["host", host];
  for (let i = 0; i < raw.length; i += 2) {
    const lower = raw[i]!.toLowerCase();
    if (lower === "host" || lower === "x-request-id" || isReservedHeader(lower) || isHopByHop(lower))
      continue;
    headers.push(raw[i]!, raw[i + 1]!);
  }
  return headers;
}
