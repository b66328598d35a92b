/** A server of 2026-07-28 by its makers' own library; with `--only` it refuses clients of earlier eras. */
import { inputRequired, McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { z } from "zod";

const legacy = process.argv.includes("--only") ? "reject" : "serve";

serveStdio(
  () => {
    const server = new McpServer({ name: "newer", version: "1.0.0" }, { instructions: "Be kind." });
    const said = (text: string) => ({ content: [{ type: "text" as const, text }] });
    server.registerTool("echo", { inputSchema: z.object({ text: z.string() }) }, ({ text }) => said(text));
    server.registerTool("pid", {}, () => said(`${process.pid}`));
    server.registerTool("grow", {}, () => {
      server.registerTool(`grown-${Math.random()}`, {}, () => said("grown"));
      return said("grew");
    });
    server.registerTool("wait", {}, async (context) => {
      await new Promise((resolve) => context.mcpReq.signal.addEventListener("abort", resolve));
      process.exit(7);
    });
    server.registerTool("ask", {}, () =>
      inputRequired({
        inputRequests: {
          name: inputRequired.elicit({
            message: "Who?",
            requestedSchema: { type: "object", properties: { name: { type: "string" } } },
          }),
        },
      }),
    );
    return server;
  },
  { legacy },
);
