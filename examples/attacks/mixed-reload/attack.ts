import { setTimeout as sleep } from "node:timers/promises";
import type { Attack } from "../support/attack.ts";
import { takes, toolServer } from "../support/tool-server.ts";
import other from "./other.json" with { type: "json" };
import policy from "./policy.json" with { type: "json" };

/** How often the policy changes. */
const ROUNDS = 40;

interface World {
  /** Transfers out of the house. Either policy alone allows one an hour at most. */
  outside: number;
}

export default {
  name: "mixed-reload",
  title: "Rules of one version, limits of another",
  what: "One version of a policy allows transfers within the house without a limit, the next also others, but one an hour. Calls that are judged while it changes pass the rules of the second and the limits of the first.",
  class: "mistakes of gateways",
  policy,
  without: "careless",
  harm: "many transfers leave the house",
  stop: {
    by: "a request is judged by one version from its beginning to its end",
    decision: { outcome: "limit", rule: "/tools/transfer/limits/outside" },
  },
  upstream() {
    const world: World = { outside: 0 };
    const transfer = ({ to }: Record<string, unknown>) => {
      if (to !== "house") world.outside += 1;
    };
    return {
      world,
      reached: {
        over: "http",
        handler: toolServer([{ name: "transfer", inputSchema: takes("to"), run: transfer }]),
      },
    };
  },
  async run(agent) {
    const client = await agent.connect();
    const transfer = () => client.callTool({ name: "transfer", arguments: { to: "outside" } });
    let over = false;
    const changing = (async () => {
      for (let round = 0; round < ROUNDS; round++) {
        const document = round % 2 === 0 ? other : policy;
        if (agent.careless !== null) agent.careless.policy = document;
        await agent.ambit?.edit(document);
        await sleep(3);
      }
      over = true;
    })();
    while (!over) await Promise.all([transfer(), transfer(), transfer(), transfer()]);
    await changing;
    await agent.ambit?.edit(other);
    await transfer();
    await transfer();
  },
  // An hour may end in the midst of it.
  succeeded: ({ outside }) => outside > 2,
} satisfies Attack<World>;
