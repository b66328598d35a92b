/** Where this server answers, for telling its own pages from others. */
export interface OwnAddress {
  /** Base of every URL handed out. */
  readonly publicUrl: string;
  /** The port the request came in on. */
  readonly localPort: number | undefined;
  /** Further origins the operator trusts. */
  readonly trustedOrigins: readonly string[];
}

/**
 * Whether a request with this `Origin` header may go on. Pure. Programs send none; a browser always does on a POST, so
 * that a foreign page is refused even when it made its own name resolve to this machine (DNS rebinding).
 * The MCP transport asks for this check (2026-07-28 and older, Streamable HTTP, security).
 */
export function originAllowed(origin: string | undefined, own: OwnAddress): boolean {
  if (origin === undefined) return true;
  if (URL.canParse(own.publicUrl) && new URL(own.publicUrl).origin === origin) return true;
  if (own.trustedOrigins.includes(origin)) return true;
  return ["localhost", "127.0.0.1", "[::1]"].some((host) => origin === `http://${host}:${own.localPort}`);
}
