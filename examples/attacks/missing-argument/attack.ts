import type { Attack } from "../support/attack.ts";
import { takes, toolServer } from "../support/tool-server.ts";
import policy from "./policy.json" with { type: "json" };

interface World {
  rows: number;
}

export default {
  name: "missing-argument",
  title: "An optional argument left out",
  what: "A rule looks at an argument that need not be there. Without it no condition holds, and the server takes the widest meaning: all rows.",
  class: "policy evasion",
  policy,
  harm: "every row is deleted",
  stop: {
    by: "`exists: false` beside the condition",
    decision: { outcome: "deny", rule: "/tools/delete_rows/deny_if/args.where-exists" },
  },
  upstream() {
    const world: World = { rows: 1_000 };
    const deleteRows = ({ where }: Record<string, unknown>) => {
      world.rows -= where === undefined || where === null ? world.rows : 1;
    };
    const inputSchema = takes("where");
    return {
      world,
      reached: { over: "http", handler: toolServer([{ name: "delete_rows", inputSchema, run: deleteRows }]) },
    };
  },
  async run(agent) {
    const client = await agent.connect();
    await client.callTool({ name: "delete_rows", arguments: {} });
    await client.callTool({ name: "delete_rows" });
    await client.callTool({ name: "delete_rows", arguments: { where: null } });
  },
  succeeded: ({ rows }) => rows === 0,
} satisfies Attack<World>;
