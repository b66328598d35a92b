/** An MCP server on standard input and output whose one tool says how the program was started. */
import { type ListToolsResult, Server, SUPPORTED_PROTOCOL_VERSIONS } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";

serveStdio(() => {
  const server = new Server(
    { name: "program", version: "1.0.0" },
    { capabilities: { tools: {} }, supportedProtocolVersions: [...SUPPORTED_PROTOCOL_VERSIONS] },
  );
  const started = { pid: process.pid, args: process.argv.slice(2), env: process.env };
  server.setRequestHandler("tools/list", () => {
    const tool = { name: "started", inputSchema: { type: "object" }, _meta: { started } };
    return { tools: [tool] } as unknown as ListToolsResult;
  });
  return server;
});
