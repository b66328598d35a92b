import { randomBytes } from "node:crypto";
import { legacyCall } from "../support/agent.ts";
import { AmbitSide } from "../support/ambit.ts";
import { ALLOW_EVERYTHING, type Attack } from "../support/attack.ts";
import { rawServer } from "../support/raw-server.ts";

interface World {
  readonly payrollUrl: string;
  read: boolean;
}

export default {
  name: "other-path",
  title: "A grant used on another server's path",
  what: "An agent has a token for the calendar, and knows the address of the payroll server behind the same gateway. It tries its token there.",
  class: "identity",
  policy: null,
  harm: "the payroll is read",
  stop: {
    by: "a grant is for exactly one server, elsewhere it is no token at all (401)",
    decision: null,
    refusal: "GATEWAY_GRANT_INVALID",
  },
  upstream(stage) {
    const payroll = rawServer({
      tools: ["payroll"],
      call() {
        world.read = true;
      },
    });
    const world: World = { payrollUrl: stage.mount("payroll", payroll), read: false };
    const calendar = rawServer({ tools: ["calendar"], call: () => "ok" });
    return { world, reached: { over: "http", handler: calendar } };
  },
  async run(agent, { payrollUrl }) {
    let url = payrollUrl;
    if (agent.ambit !== null) {
      const name = `payroll ${randomBytes(4).toString("hex")}`;
      const server = { transport: "http", url };
      const payroll = await AmbitSide.setUp(agent.access, name, server, ALLOW_EVERYTHING);
      url = payroll.grants[0]!.proxy_url;
    }
    for (const spelt of [
      url,
      url.toUpperCase().replace(/^HTTP:\/\/[^/]+\/MCP/, `${new URL(url).origin}/mcp`),
    ]) {
      const response = await fetch(spelt, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          ...agent.headers,
        },
        body: JSON.stringify(legacyCall("payroll", {})),
      });
      const { error } = (await response.json().catch(() => ({}))) as { error?: { code?: string } };
      if (error?.code !== undefined) agent.refused(error.code);
    }
  },
  succeeded: ({ read }) => read,
} satisfies Attack<World>;
