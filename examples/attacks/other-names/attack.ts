import { randomBytes } from "node:crypto";
import { legacyCall } from "../support/agent.ts";
import { apiWith, must } from "../support/ambit.ts";
import type { Attack } from "../support/attack.ts";
import policy from "./policy.json" with { type: "json" };

interface World {
  appName: string;
  exists(): Promise<boolean>;
}

export default {
  name: "other-names",
  title: "The same operation under another name",
  what: "Ambit's own tools have two faces, `manage_*` and one tool for each operation, and operations have further names. A policy that hides a name of one is tried to be got past with the others.",
  class: "policy evasion",
  policy,
  harm: "an app is made that the policy forbids",
  stop: {
    by: "each face is a server of its own, and nothing can be called that is not listed there",
    decision: { outcome: "error", rule: "(malformed)" },
  },
  upstream() {
    const world: World = { appName: `taken-${randomBytes(4).toString("hex")}`, exists: async () => false };
    return { world, reached: { over: "ambit" } };
  },
  async run(agent, world) {
    const { apiUrl, apiKey } = agent.access;
    world.exists = async () => {
      const { apps } = await must<{ apps: { name: string }[] }>(apiWith(apiUrl, apiKey)("GET", "/apps"));
      return apps.some(({ name }) => name === world.appName);
    };
    for (const query of [
      "",
      "?tools=verbs",
      "?tools=%76erbs",
      "?tools=verbs&tools=verbs",
      "?x=1&tools=verbs",
    ]) {
      for (const name of ["init_app", "apps_init", "apps.init", "INIT_APP"]) {
        const call = legacyCall(name, { name: world.appName });
        await fetch(agent.url + query, {
          method: "POST",
          headers: {
            "content-type": "application/json",
            accept: "application/json, text/event-stream",
            ...agent.headers,
          },
          body: JSON.stringify(call),
        });
      }
    }
  },
  succeeded: ({ exists }) => exists(),
} satisfies Attack<World>;
