import { legacyCall } from "../support/agent.ts";
import type { Attack } from "../support/attack.ts";
import { rawServer } from "../support/raw-server.ts";
import policy from "./policy.json" with { type: "json" };

const BUDGET = 500;

interface World {
  spent: number;
}

export default {
  name: "quota-leak",
  title: "A failure that gives the budget back",
  what: "The server charges and then answers 502. A gateway that takes this for a call that never ran gives the budget back, and it is spent again and again.",
  class: "mistakes of gateways",
  policy,
  without: "careless",
  harm: `more than ${BUDGET} is spent`,
  stop: {
    by: "given back is only what provably never ran",
    decision: { outcome: "limit", rule: "/tools/charge/limits/spend" },
  },
  upstream() {
    const world: World = { spent: 0 };
    const handler = rawServer({
      tools: ["charge"],
      call: () => "ok",
      answer({ method, params }, _request, response) {
        if (method !== "tools/call") return false;
        world.spent += Number((params?.arguments as { amount: number } | undefined)?.amount);
        response.writeHead(502, { "content-type": "text/html" }).end("<h1>Bad Gateway</h1>");
        return true;
      },
    });
    return { world, reached: { over: "http", handler } };
  },
  async run(agent) {
    for (let again = 0; again < 20; again++) await agent.post(legacyCall("charge", { amount: 100 }));
  },
  // A day may end in the midst of it: then there is the budget twice.
  succeeded: ({ spent }) => spent > 2 * BUDGET,
} satisfies Attack<World>;
