import { legacyCall } from "../support/agent.ts";
import type { Attack } from "../support/attack.ts";
import { rawServer } from "../support/raw-server.ts";
import policy from "./policy.json" with { type: "json" };

interface World {
  wiped: boolean;
}

export default {
  name: "batch-smuggling",
  title: "A forbidden call inside a batch",
  what: "JSON-RPC once knew batches: a list of messages in one body. A gateway that judges objects passes the list on, or judges one of its parts.",
  class: "protocol abuse",
  policy,
  without: "careless",
  harm: "the forbidden tool runs",
  stop: {
    by: "one message to a body: batches are refused",
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
    const calls = [legacyCall("read", {}, 1), legacyCall("wipe", {}, 2)];
    await agent.post(calls);
    await agent.post([calls[1]!]);
    await agent.post([calls]);
    await agent.post(calls.map((call) => JSON.stringify(call)).join("\n"));
  },
  succeeded: ({ wiped }) => wiped,
} satisfies Attack<World>;
