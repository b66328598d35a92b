/** The revision of the protocol the calls are made in. */
export const REVISION = "2026-07-28";

/** The bytes of one stateless `tools/call` over HTTP/1.1; `key` goes into the Authorization header. */
export function mcpRequest(
  host: string,
  port: number,
  tool: { readonly name: string; readonly arguments: object },
  key?: string,
  path = "/mcp",
): string {
  const body = JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: {
      ...tool,
      _meta: {
        "io.modelcontextprotocol/protocolVersion": REVISION,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { name: "bench", version: "1.0.0" },
      },
    },
  });
  const head = [
    `POST ${path} HTTP/1.1`,
    `Host: ${host}:${port}`,
    "Content-Type: application/json",
    "Accept: application/json, text/event-stream",
    `MCP-Protocol-Version: ${REVISION}`,
    "Mcp-Method: tools/call",
    `Mcp-Name: ${tool.name}`,
    ...(key === undefined ? [] : [`Authorization: Bearer ${key}`]),
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}
