import type { Attack } from "../support/attack.ts";
import { toolServer } from "../support/tool-server.ts";
import policy from "./policy.json" with { type: "json" };

const ASKS = "company.example/asks-first";

interface World {
  wiped: boolean;
}

export default {
  name: "lost-meta",
  title: "Warnings lost from a filtered list",
  what: "A tool says in `_meta` and its annotations that a person is to be asked first, and a careful client heeds that. A gateway that builds the list anew leaves out what it does not know, and the client asks nobody.",
  class: "mistakes of gateways",
  policy,
  without: "careless",
  harm: "a destructive tool runs without a question",
  stop: {
    by: "filtered lists keep every field of every tool",
    decision: { outcome: "allow", rule: "" },
  },
  upstream() {
    const world: World = { wiped: false };
    const handler = toolServer([
      { name: "internal", run: () => "ok" },
      {
        name: "wipe",
        annotations: { destructiveHint: true },
        _meta: { [ASKS]: true },
        run: () => {
          world.wiped = true;
        },
      },
    ]);
    return { world, reached: { over: "http", handler } };
  },
  async run(agent) {
    const client = await agent.connect();
    const { tools } = await client.listTools();
    const tool = tools.find(({ name }) => name === "wipe");
    if (tool === undefined) throw new Error("the tool is not listed");
    // The person who is asked says no.
    const asks = tool._meta?.[ASKS] === true && tool.annotations?.destructiveHint === true;
    if (!asks) await client.callTool({ name: "wipe" });
  },
  succeeded: ({ wiped }) => wiped,
} satisfies Attack<World>;
