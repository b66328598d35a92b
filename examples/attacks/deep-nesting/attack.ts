import { legacyCall } from "../support/agent.ts";
import type { Attack } from "../support/attack.ts";
import { rawServer } from "../support/raw-server.ts";

const LEVELS = 50_000;

interface World {
  down: boolean;
}

const depthOf = (value: unknown): number => (Array.isArray(value) ? 1 + depthOf(value[0]) : 0);

export default {
  name: "deep-nesting",
  title: "Fifty thousand brackets",
  what: "A small body is nested so deeply that whoever walks through it runs out of stack. Rules that look into arguments walk through them.",
  class: "protocol abuse",
  policy: null,
  harm: "the server runs out of stack",
  stop: {
    by: "messages nest a hundred levels at most",
    decision: { outcome: "error", rule: "(malformed)" },
  },
  upstream() {
    const world: World = { down: false };
    const call = (_name: string, { list }: Record<string, unknown>) => {
      try {
        return depthOf(list);
      } catch (error) {
        world.down = true;
        throw error;
      }
    };
    return { world, reached: { over: "http", handler: rawServer({ tools: ["read"], call }) } };
  },
  async run(agent) {
    const body = JSON.stringify(legacyCall("read", { list: 0 }));
    await agent.post(body.replace('"list":0', `"list":${"[".repeat(LEVELS)}${"]".repeat(LEVELS)}`));
  },
  succeeded: ({ down }) => down,
} satisfies Attack<World>;
