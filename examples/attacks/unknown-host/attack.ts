import type { Attack } from "../support/attack.ts";
import { takes, toolServer } from "../support/tool-server.ts";
import policy from "./policy.json" with { type: "json" };

interface World {
  /** Hosts the server would have asked. */
  readonly hosts: string[];
}

const KNOWN = "docs.company.example";
/** Each looks like a known host to a rule that was written in a hurry. */
const URLS: readonly unknown[] = [
  ["https://evil.example/page"],
  [`https://${KNOWN}.evil.example/`],
  [`https://${KNOWN}@evil.example/`],
  [`https://${KNOWN}:443@evil.example/`],
  [`https://evil.example/?${KNOWN}`],
  [`HTTPS://EVIL.EXAMPLE/#https://${KNOWN}/`],
  [`https://${KNOWN}/a`, "https://evil.example/second"],
  `https://evil.example/no-list`,
];

export default {
  name: "unknown-host",
  title: "Fetching from a host nobody knows",
  what: "An injected link makes the agent fetch the attacker's page, and what is in the address leaves with it. Names that begin, end or pass through a known one get past a careless rule.",
  class: "unknown host",
  policy,
  harm: "evil.example is asked",
  stop: {
    by: "`require` with an anchored expression on every element",
    decision: { outcome: "deny", rule: "/tools/fetch/require/args.urls.*-regex" },
  },
  upstream() {
    const world: World = { hosts: [] };
    const fetchThem = ({ urls }: Record<string, unknown>) => {
      // Nothing is fetched: the names alone are looked at.
      for (const url of [urls].flat()) world.hosts.push(new URL(`${url}`).hostname);
    };
    return {
      world,
      reached: {
        over: "http",
        handler: toolServer([{ name: "fetch", inputSchema: takes("urls"), run: fetchThem }]),
      },
    };
  },
  async run(agent) {
    const client = await agent.connect();
    for (const urls of URLS) await client.callTool({ name: "fetch", arguments: { urls } });
  },
  succeeded: ({ hosts }) => hosts.some((host) => host !== KNOWN),
} satisfies Attack<World>;
