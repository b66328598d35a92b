import { legacyCall } from "../support/agent.ts";
import type { Attack } from "../support/attack.ts";
import { takes, toolServer } from "../support/tool-server.ts";
import policy from "./policy.json" with { type: "json" };

const BUDGET = 500;

interface World {
  readonly charged: number[];
}

/** Amounts as JSON text: below zero, below the unit, as text, in a list, absent, and beyond every number. */
const AMOUNTS = ["-100000", "0.9", "499.999", '"900"', "[900]", "null", "1e400", '{"value":900}'];

export default {
  name: "odd-amounts",
  title: "Negative, fractional and disguised amounts",
  what: "A negative charge makes room in the budget, a fraction rounds to nothing, a text is no number to the counter and one to the server. Each spends what was never counted.",
  class: "spending",
  policy,
  harm: "the counter and the account do not agree",
  stop: {
    by: "`cost`: whatever is no whole number from 0 on is denied",
    decision: { outcome: "deny", rule: "/tools/charge/limits/spend" },
  },
  upstream() {
    const world: World = { charged: [] };
    const charge = ({ amount = BUDGET * 2 }: Record<string, unknown>) =>
      void world.charged.push(Number(typeof amount === "object" ? BUDGET * 2 : amount));
    return {
      world,
      reached: {
        over: "http",
        handler: toolServer([{ name: "charge", inputSchema: takes("amount"), run: charge }]),
      },
    };
  },
  async run(agent) {
    for (const amount of AMOUNTS) {
      const body = JSON.stringify(legacyCall("charge", { amount: 0 })).replace(
        '"amount":0',
        `"amount":${amount}`,
      );
      await agent.post(body);
    }
    await agent.post(legacyCall("charge", {}));
  },
  succeeded: ({ charged }) =>
    charged.some((amount) => !Number.isInteger(amount) || amount < 0) ||
    charged.reduce((sum, amount) => sum + amount, 0) > BUDGET,
} satisfies Attack<World>;
