import { legacyCall } from "../support/agent.ts";
import type { Attack } from "../support/attack.ts";
import { rawServer } from "../support/raw-server.ts";
import policy from "./policy.json" with { type: "json" };

interface World {
  wiped: boolean;
}

/** The last has a long s, which becomes an S as a capital. */
const METHODS = ["Tools/Call", "TOOLS/CALL", "tools/call ", "\ttools/call", "tool\u017f/call"];

export default {
  name: "method-smuggling",
  title: "tools/call in other letters",
  what: "The server takes no notice of case and spaces in a method's name, the gateway does. To it `Tools/Call` is some other method, and those pass.",
  class: "protocol abuse",
  policy,
  without: "careless",
  harm: "the forbidden tool runs",
  stop: {
    by: "methods that only look like tools/call are refused",
    decision: { outcome: "error", rule: "(malformed)" },
  },
  upstream() {
    const world: World = { wiped: false };
    const handler = rawServer({
      tools: ["read", "wipe"],
      methodOf: (method) => method.toUpperCase().trim().toLowerCase(),
      call(name) {
        if (name === "wipe") world.wiped = true;
      },
    });
    return { world, reached: { over: "http", handler } };
  },
  async run(agent) {
    const body = legacyCall("wipe", {});
    for (const method of METHODS) await agent.post({ ...body, method });
    await agent.post(JSON.stringify(body).replace("tools/call", "tools\\u002fcall"));
    const { method, ...rest } = body;
    await agent.post({ ...rest, Method: method });
  },
  succeeded: ({ wiped }) => wiped,
} satisfies Attack<World>;
