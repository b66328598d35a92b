import { legacyCall } from "../support/agent.ts";
import type { Attack } from "../support/attack.ts";
import { type Message, rawServer } from "../support/raw-server.ts";
import policy from "./policy.json" with { type: "json" };

interface World {
  wiped: boolean;
}

/** Of two keys of one name some parsers take the first; and some take no notice of case. */
function firstWins(text: string): Message {
  const message = JSON.parse(text) as Message;
  const name = /"name"\s*:\s*"(\w+)"/i.exec(text.replaceAll("\\u0061", "a"))?.[1];
  return { ...message, params: { ...message.params, name } };
}

export default {
  name: "duplicate-keys",
  title: "A body that says two things",
  what: "A key is in the body twice, and two parsers take different ones. The gateway judges one tool, the server runs the other.",
  class: "protocol abuse",
  policy,
  without: "careless",
  harm: "the forbidden tool runs",
  stop: {
    by: "strict parsing: what two readers could understand differently is refused",
    decision: { outcome: "error", rule: "(malformed)" },
  },
  upstream() {
    const world: World = { wiped: false };
    const call = (name: string) => {
      if (name === "wipe") world.wiped = true;
    };
    const handler = rawServer({ tools: ["read", "wipe"], read: firstWins, call });
    return { world, reached: { over: "http", handler } };
  },
  async run(agent) {
    const body = JSON.stringify(legacyCall("read", {}));
    for (const twice of [
      '"name":"wipe","name":"read"',
      '"n\\u0061me":"wipe","name":"read"',
      '"Name":"wipe","name":"read"',
    ]) {
      await agent.post(body.replace('"name":"read"', twice));
    }
  },
  succeeded: ({ wiped }) => wiped,
} satisfies Attack<World>;
