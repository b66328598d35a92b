/** JSON-RPC's and the protocol's own error codes, as far as this door answers with them. It invents none. */
export const CODES = {
  parse: -32_700,
  invalidRequest: -32_600,
  invalidParams: -32_602,
  internal: -32_603,
  /** Headers and body say different things. */
  headerMismatch: -32_020,
} as const;

/** The first revision without sessions. */
export const STATELESS_SINCE = "2026-07-28";

export const VERSION_KEY = "io.modelcontextprotocol/protocolVersion";
export const CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities";
