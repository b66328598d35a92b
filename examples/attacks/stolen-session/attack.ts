import { randomUUID } from "node:crypto";
import { type Agent, type Answer, legacyCall } from "../support/agent.ts";
import type { Attack } from "../support/attack.ts";
import { rawServer } from "../support/raw-server.ts";
import { sendJson } from "../support/stage.ts";

const SECRET = "the merger is on Friday";

interface World {
  /** What was told to Bob. */
  readonly toldBob: string[];
}

const initialize = {
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "agent", version: "1" } },
};

const inSession = (agent: Agent, session: string, tool: string, args: object): Promise<Answer> =>
  agent.post(legacyCall(tool, args), { "mcp-session-id": session, "mcp-protocol-version": "2025-11-25" });

export default {
  name: "stolen-session",
  title: "Another grant's session",
  what: "In the older revisions a server keeps a session, and whoever sends its id is in it. Bob has read Alice's id in a log.",
  class: "identity",
  policy: null,
  harm: "Bob reads what Alice noted",
  stop: {
    by: "the id clients get is sealed, and opens for its own grant only",
    decision: { outcome: "error", rule: "(no session)" },
  },
  upstream() {
    const world: World = { toldBob: [] };
    const notes = new Map<string, string>();
    const handler = rawServer({
      tools: ["remember", "recall"],
      call(name, { who, text }, request) {
        const session = `${request.headers["mcp-session-id"]}`;
        if (name === "remember") notes.set(session, `${text}`);
        else if (who === "bob") world.toldBob.push(notes.get(session) ?? "");
      },
      answer({ method, id }, _request, response) {
        // A server of the older revisions only.
        if (method === "server/discover") {
          sendJson(response, { jsonrpc: "2.0", id, error: { code: -32601, message: "Method not found" } });
          return true;
        }
        if (method === "initialize") response.setHeader("mcp-session-id", randomUUID());
        return false;
      },
    });
    return { world, reached: { over: "http", handler } };
  },
  async run(alice) {
    const bob = await alice.second();
    const { headers } = await alice.post(initialize);
    const session = headers.get("mcp-session-id") ?? "";
    await inSession(alice, session, "remember", { who: "alice", text: SECRET });
    await inSession(bob, session, "recall", { who: "bob" });
  },
  succeeded: ({ toldBob }) => toldBob.includes(SECRET),
} satisfies Attack<World>;
