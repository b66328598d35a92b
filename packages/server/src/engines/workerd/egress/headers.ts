/** Headers that speak of one connection, not of the message (RFC 9110 §7.6.1), and those only proxies read. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "expect",
]);

/** Flat name, value, … without hop-by-hop headers and without `dropped` (lower case). Pure. */
export function endToEnd(raw: readonly string[], dropped: readonly string[] = []): string[] {
  const named = new Set(dropped);
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i]!.toLowerCase() !== "connection") continue;
    for (const name of raw[i + 1]!.split(",")) named.add(name.trim().toLowerCase());
  }
  const kept: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase();
    if (!HOP_BY_HOP.has(name) && !named.has(name)) kept.push(raw[i]!, raw[i + 1]!);
  }
  return kept;
}

/** Tells user code that the answer is Ambit's, and why: `refused`, `limited` or `failed`. */
export const EGRESS_HEADER = "x-ambit-egress";
