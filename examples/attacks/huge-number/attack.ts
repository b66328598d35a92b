import { legacyCall } from "../support/agent.ts";
import type { Attack } from "../support/attack.ts";
import { type Message, rawServer } from "../support/raw-server.ts";
import policy from "./policy.json" with { type: "json" };

/** The account that may be paid, and the attacker's: to a double they are the same number. */
const ATTACKER = "9007199254740993";

interface World {
  readonly paid: string[];
}

/** Reads whole numbers exactly, as most languages do. */
const exactly = (text: string): Message =>
  JSON.parse(text.replaceAll(/:(\d{16,})/g, (_whole, digits) => `:"${digits}"`)) as Message;

export default {
  name: "huge-number",
  title: "A number that two readers round differently",
  what: "A rule allows one account. The attacker's has a number that a double can't hold and rounds to the allowed one, while the server reads it exactly.",
  class: "protocol abuse",
  policy,
  without: "careless",
  harm: "the attacker's account is paid",
  stop: {
    by: "numbers that a double can't carry are refused",
    decision: { outcome: "error", rule: "(malformed)" },
  },
  upstream() {
    const world: World = { paid: [] };
    const handler = rawServer({
      tools: ["pay"],
      read: exactly,
      call: (_name, { account }) => void world.paid.push(`${account}`),
    });
    return { world, reached: { over: "http", handler } };
  },
  async run(agent) {
    const body = JSON.stringify(legacyCall("pay", { account: 0 }));
    await agent.post(body.replace('"account":0', `"account":${ATTACKER}`));
  },
  succeeded: ({ paid }) => paid.includes(ATTACKER),
} satisfies Attack<World>;
