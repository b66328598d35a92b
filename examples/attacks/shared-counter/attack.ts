import { legacyCall } from "../support/agent.ts";
import type { Attack } from "../support/attack.ts";
import { takes, toolServer } from "../support/tool-server.ts";
import policy from "./policy.json" with { type: "json" };

interface World {
  readonly served: unknown[];
}

export default {
  name: "shared-counter",
  title: "One counter for everybody",
  what: "Alice's agent calls until the limit is reached. Where all identities share a counter, nobody else's agent gets anything for the rest of the day.",
  class: "mistakes of gateways",
  policy,
  without: "careless",
  harm: "Bob, who has called nothing yet, is refused",
  stop: {
    by: "counters of the scope `grant` are each grant's own",
    decision: { outcome: "limit", rule: "/tools/page/limits/pages" },
  },
  upstream() {
    const world: World = { served: [] };
    const page = ({ who }: Record<string, unknown>) => void world.served.push(who);
    return {
      world,
      reached: {
        over: "http",
        handler: toolServer([{ name: "page", inputSchema: takes("who"), run: page }]),
      },
    };
  },
  async run(agent) {
    const bob = await agent.second();
    for (let again = 0; again < 12; again++) await agent.post(legacyCall("page", { who: "alice" }));
    await bob.post(legacyCall("page", { who: "bob" }));
  },
  succeeded: ({ served }) => !served.includes("bob"),
} satisfies Attack<World>;
