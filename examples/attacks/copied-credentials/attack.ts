import type { IncomingHttpHeaders } from "node:http";
import type { Attack } from "../support/attack.ts";
import { toolServer } from "../support/tool-server.ts";

interface World {
  readonly seen: IncomingHttpHeaders[];
  /** What the client authenticates with. */
  own: readonly string[];
}

const COOKIE = "session=alice-9f2c";

export default {
  name: "copied-credentials",
  title: "The client's credentials go up",
  what: "A gateway that copies headers hands its clients' tokens and cookies to every server behind it. A hostile one uses them at the gateway, as that client.",
  class: "mistakes of gateways",
  policy: null,
  without: "careless",
  harm: "the server has the client's token and cookie",
  stop: {
    by: "of the client's headers only the protocol's own go up",
    decision: { outcome: "allow", rule: "" },
  },
  upstream() {
    const world: World = { seen: [], own: [] };
    const serve = toolServer([{ name: "read", run: () => "ok" }]);
    return {
      world,
      reached: {
        over: "http",
        handler(request, response) {
          world.seen.push(request.headers);
          return serve(request, response);
        },
      },
    };
  },
  async run(agent, world) {
    world.own = [agent.headers.authorization!, COOKIE, "10.1.2.3"];
    const client = await agent.connect({
      headers: {
        cookie: COOKIE,
        "proxy-authorization": agent.headers.authorization!,
        "x-forwarded-for": "10.1.2.3",
      },
    });
    await client.callTool({ name: "read" });
  },
  succeeded({ seen, own }) {
    if (seen.length === 0) throw new Error("nothing came to the server");
    const all = JSON.stringify(seen);
    return own.some((secret) => all.includes(secret));
  },
} satisfies Attack<World>;
