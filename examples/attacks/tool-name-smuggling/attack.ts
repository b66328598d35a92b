import { legacyCall } from "../support/agent.ts";
import type { Attack } from "../support/attack.ts";
import { rawServer } from "../support/raw-server.ts";
import policy from "./policy.json" with { type: "json" };

interface World {
  deleted: boolean;
}

export default {
  name: "tool-name-smuggling",
  title: "A hidden tool in capitals",
  what: "A policy that allows by default hides one tool by its name. The server takes no notice of case, and runs it under another spelling.",
  class: "policy evasion",
  policy,
  without: "careless",
  harm: "the hidden tool runs",
  stop: {
    by: "only tools that the server listed and somebody approved can be called",
    decision: { outcome: "deny", rule: "(tool changed)" },
  },
  upstream() {
    const world: World = { deleted: false };
    const call = (name: string) => {
      if (name.trim().toLowerCase() === "delete_file") world.deleted = true;
    };
    const handler = rawServer({ tools: ["read_file", "delete_file"], call });
    return { world, reached: { over: "http", handler } };
  },
  async run(agent) {
    for (const name of ["DELETE_FILE", "Delete_File", "delete_file ", "\u00a0delete_file"]) {
      await agent.post(legacyCall(name, {}));
    }
  },
  succeeded: ({ deleted }) => deleted,
} satisfies Attack<World>;
