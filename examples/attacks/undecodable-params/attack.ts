import { legacyCall } from "../support/agent.ts";
import type { Attack } from "../support/attack.ts";
import { rawServer } from "../support/raw-server.ts";
import policy from "./policy.json" with { type: "json" };

interface World {
  wiped: boolean;
}

export default {
  name: "undecodable-params",
  title: "Params that don't decode",
  what: "The params of a call are a list, or its arguments a text with JSON in it. A gateway that can't decode them has nothing to judge, and passes them on to a server that can.",
  class: "mistakes of gateways",
  policy,
  without: "careless",
  harm: "the forbidden tool runs",
  stop: {
    by: "a call whose params don't decode is refused",
    decision: { outcome: "error", rule: "(malformed)" },
  },
  upstream() {
    const world: World = { wiped: false };
    const call = (name: string, { all }: Record<string, unknown>) => {
      if (name === "wipe" || all === true) world.wiped = true;
    };
    return { world, reached: { over: "http", handler: rawServer({ tools: ["read", "wipe"], call }) } };
  },
  async run(agent) {
    const body = legacyCall("wipe", {});
    await agent.post({ ...body, params: ["wipe", {}] });
    await agent.post({ ...body, params: { name: ["wipe"] } });
    await agent.post({ ...body, params: { name: "read", arguments: '{"all":true}' } });
    await agent.post({ ...body, params: { name: "read", arguments: [{ all: true }] } });
    await agent.post({ ...body, params: '{"name":"wipe"}' });
  },
  succeeded: ({ wiped }) => wiped,
} satisfies Attack<World>;
