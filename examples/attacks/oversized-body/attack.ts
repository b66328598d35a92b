import { legacyCall } from "../support/agent.ts";
import type { Attack } from "../support/attack.ts";
import { rawServer } from "../support/raw-server.ts";

const MIB = 1024 * 1024;

interface World {
  /** Bytes of the largest argument that arrived. */
  largest: number;
}

export default {
  name: "oversized-body",
  title: "A body without end",
  what: "One message has eleven megabytes. Gateways that judge the beginning of it, or keep it all in memory, are got past or brought down.",
  class: "protocol abuse",
  policy: null,
  harm: "the server has to take it",
  stop: {
    by: "bodies have a limit, announced or not",
    decision: { outcome: "error", rule: "(malformed)" },
  },
  upstream() {
    const world: World = { largest: 0 };
    const call = (_name: string, { pad }: Record<string, unknown>) => {
      world.largest = Math.max(world.largest, `${pad}`.length);
    };
    return { world, reached: { over: "http", handler: rawServer({ tools: ["read"], call }) } };
  },
  async run(agent) {
    const body = Buffer.from(JSON.stringify(legacyCall("read", { pad: "x".repeat(11 * MIB) })));
    await agent.post(body).catch(closedEarly);
    await fetch(agent.url, {
      method: "POST",
      headers: { "content-type": "application/json", ...agent.headers },
      body: new Blob([new Uint8Array(body)]).stream(),
      duplex: "half",
    } as RequestInit).catch(closedEarly);
  },
  succeeded: ({ largest }) => largest > 10 * MIB,
} satisfies Attack<World>;

/** Who is refused in the midst of sending may see a broken connection before the answer. */
function closedEarly(error: unknown): void {
  if (!(error instanceof TypeError)) throw error;
}
