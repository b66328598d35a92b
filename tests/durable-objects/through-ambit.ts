import { killActors } from "../support/actors.ts";
import type { Api } from "../support/api.ts";
import { newApp } from "../support/app.ts";
import { callTool, connectMcp } from "../support/mcp.ts";
import type { Server } from "../support/server.ts";
import { sourceOf } from "./bare.ts";
import type { AppCases } from "./cases/types.ts";
import type { Host } from "./client.ts";

/** Deploys the programs of an app over MCP, as an agent does, and reaches them by the door the app asks for. */
export async function deployThroughAmbit(server: Server, owner: Api, app: AppCases): Promise<Host> {
  const appId = await newApp(owner);
  const agent = await connectMcp(server.mcpUrl, server.agentKey);
  const manage = (args: Record<string, unknown>) =>
    callTool(agent, "manage_durable_objects", { app_id: appId, ...args });
  let url = "";
  try {
    for (const [key, value] of Object.entries(app.env ?? {})) await manage({ action: "set_env", key, value });
    for (const name of app.programs) {
      const order = { action: "deploy", name, code: sourceOf(name), access_mode: "public" };
      ({ url } = await manage(order));
    }
  } finally {
    await agent.close();
  }
  return {
    origin: server.apiUrl,
    prefix: app.byOwnName ? "/_do/" : `/v1/${appId}/do/`,
    told: new URL(url).host,
    byOwnName: app.byOwnName === true,
    async crash() {
      if (!killActors(server, appId)) throw new Error(`no process runs the classes of ${appId}`);
    },
  };
}
