import { legacyCall, statelessCall } from "../support/agent.ts";
import type { Attack } from "../support/attack.ts";
import { rawServer } from "../support/raw-server.ts";
import policy from "./policy.json" with { type: "json" };

interface World {
  wiped: boolean;
}

export default {
  name: "header-mismatch",
  title: "Headers that name another tool than the body",
  what: "The protocol repeats the tool's name in a header, so that gateways need not read the body. One that believes the header lets through whatever the body says.",
  class: "protocol abuse",
  policy,
  without: "careless",
  harm: "the forbidden tool runs",
  stop: {
    by: "the body decides, and headers must say the same (-32020)",
    decision: { outcome: "error", rule: "(malformed)" },
  },
  upstream() {
    const world: World = { wiped: false };
    const call = (name: string) => {
      if (name === "wipe") world.wiped = true;
    };
    return { world, reached: { over: "http", handler: rawServer({ tools: ["read", "wipe"], call }) } };
  },
  async run(agent) {
    const [body, headers] = statelessCall("wipe", {});
    await agent.post(body, { ...headers, "mcp-name": "read" });
    await agent.post(body, { ...headers, "mcp-name": "=?base64?cmVhZA==?=" });
    await agent.post(body, { ...headers, "mcp-name": "read", "mcp-method": "tools/list" });
    await agent.post(legacyCall("wipe", {}), { "mcp-name": "read" });
  },
  succeeded: ({ wiped }) => wiped,
} satisfies Attack<World>;
