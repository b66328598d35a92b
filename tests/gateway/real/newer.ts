/** A server by the makers' own library (v2) that speaks the stateless era alone: `newer.ts`, or `newer.ts <port>`. */
import { createServer } from "node:http";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { acceptedContent, createMcpHandler, inputRequired, McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { z } from "zod";

const said = (text: string) => ({ content: [{ type: "text" as const, text }] });
const properties = { name: { type: "string" as const }, age: { type: "number" as const } };

function build(): McpServer {
  const server = new McpServer({ name: "newer", version: "1" }, { instructions: "Be kind." });
  server.registerTool("echo", { inputSchema: z.object({ text: z.string() }) }, ({ text }) => said(text));
  server.registerTool(
    "sum",
    { inputSchema: z.object({ a: z.number(), b: z.number() }), outputSchema: z.object({ sum: z.number() }) },
    ({ a, b }) => ({ ...said(String(a + b)), structuredContent: { sum: a + b } }),
  );
  server.registerTool("ask", {}, ({ mcpReq }) => {
    const { inputResponses } = mcpReq;
    const given = acceptedContent(inputResponses, "who");
    if (given !== undefined) return said(JSON.stringify(given));
    const requestedSchema = { type: "object" as const, properties };
    return inputRequired({
      inputRequests: { who: inputRequired.elicit({ message: "Who?", requestedSchema }) },
      requestState: "of the server's own",
    });
  });
  server.registerTool("fail", {}, () => {
    throw new Error("it failed");
  });
  server.registerTool("steps", {}, async ({ mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken;
    for (let progress = 1; progress <= 5 && progressToken !== undefined; progress++) {
      await mcpReq.notify({
        method: "notifications/progress",
        params: { progress, total: 5, progressToken },
      });
    }
    return said("done");
  });
  server.registerResource("größe", "test://größe", { mimeType: "text/plain" }, ({ href }) => ({
    contents: [{ uri: href, text: "groß" }],
  }));
  server.registerPrompt("größe", { description: "Asks for the size" }, () => ({
    messages: [{ role: "user", content: { type: "text", text: "Wie groß?" } }],
  }));
  return server;
}

const [port] = process.argv.slice(2);
if (port === undefined) serveStdio(build, { legacy: "reject" });
else {
  const handle = toNodeHandler(createMcpHandler(build, { legacy: "reject" }));
  createServer((request, response) => void handle(request, response)).listen(Number(port), "127.0.0.1", () =>
    process.stderr.write("listening on port\n"),
  );
}
