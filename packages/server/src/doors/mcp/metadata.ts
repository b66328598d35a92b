/** Where the metadata of the MCP endpoint is; the variant with `/mcp` behind it says the same. */
export const METADATA_PATH = "/.well-known/oauth-protected-resource";

/**
 * The OAuth protected resource metadata (RFC 9728). No authorization server is named: keys are minted by people, not
 * by an OAuth flow, and clients send them as they are.
 */
export function resourceMetadata(publicUrl: string) {
  return {
    resource: `${publicUrl}/mcp`,
    resource_name: "Ambit",
    bearer_methods_supported: ["header"],
    scopes_supported: ["mcp"],
    resource_documentation: `${publicUrl}/docs`,
  };
}

/** The `WWW-Authenticate` header of a refusal with `code`: RFC 6750 §3, with the metadata address of RFC 9728 §5.1. */
export function challenge(publicUrl: string, code: string): string {
  const invalid = code === "AUTH_REQUIRED" ? "" : ', error="invalid_token"';
  return `Bearer realm="ambit", resource_metadata="${publicUrl}${METADATA_PATH}", scope="mcp"${invalid}`;
}
