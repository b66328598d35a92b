import { setTimeout as sleep } from "node:timers/promises";
import { legacyCall } from "../support/agent.ts";
import type { Attack } from "../support/attack.ts";
import { rawServer } from "../support/raw-server.ts";
import policy from "./policy.json" with { type: "json" };

const WINDOW_MS = 6_000;
const MOST = 3;

interface World {
  /** How many calls ran in each window. */
  readonly ran: Map<number, number>;
  /** Calls that wait for an answer. */
  readonly waiting: (() => void)[];
}

const windowNow = () => Math.floor(Date.now() / WINDOW_MS);

export default {
  name: "wrong-window",
  title: "Given back into the wrong window",
  what: "Calls are held open until the next window of the counter has begun, and refused then. A gateway that gives back to the counter of now makes room there that nobody left.",
  class: "mistakes of gateways",
  policy,
  without: "careless",
  harm: `more than ${MOST} calls run in one window`,
  stop: {
    by: "a reservation is given back to the window it came from",
    decision: { outcome: "limit", rule: "/tools/book/limits/rate_limit:book" },
  },
  upstream() {
    const world: World = { ran: new Map(), waiting: [] };
    const handler = rawServer({
      tools: ["book"],
      call() {
        world.ran.set(windowNow(), (world.ran.get(windowNow()) ?? 0) + 1);
      },
      async answer({ method, params }, _request, response) {
        if (method !== "tools/call" || (params?.arguments as { late?: boolean } | undefined)?.late !== true)
          return false;
        await new Promise<void>((resolve) => world.waiting.push(resolve));
        response.writeHead(429).end();
        return true;
      },
    });
    return { world, reached: { over: "http", handler } };
  },
  async run(agent, { waiting }) {
    const book = (late: boolean) => agent.post(legacyCall("book", { late }));
    const next = () => sleep(WINDOW_MS - (Date.now() % WINDOW_MS) + 20);
    const burst = (late: boolean) => Array.from({ length: MOST }, () => book(late));
    await next();
    const late = burst(true);
    while (waiting.length < MOST) await sleep(10);
    await next();
    await Promise.all(burst(false));
    for (const refuse of waiting) refuse();
    await Promise.all(late);
    await Promise.all(burst(false));
  },
  succeeded: ({ ran }) => [...ran.values()].some((calls) => calls > MOST),
} satisfies Attack<World>;
