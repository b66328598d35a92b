import { setTimeout as sleep } from "node:timers/promises";
import { legacyCall } from "../support/agent.ts";
import type { Attack } from "../support/attack.ts";
import { rawServer } from "../support/raw-server.ts";

/** How long a revocation may take to reach a stream. */
const GRACE_MS = 1_000;

interface World {
  /** Salaries the agent received once its grant had been revoked for so long. */
  after: number;
}

export default {
  name: "revoked-stream",
  title: "A stream that outlives its grant",
  what: "An agent has opened a stream before it is found out and its grant revoked. The token opens nothing any more, but the stream is open already and goes on.",
  class: "identity",
  policy: null,
  harm: "salaries go on arriving",
  stop: {
    by: "a revocation ends what is open, within a second",
    decision: { outcome: "allow", rule: "" },
  },
  upstream() {
    const world: World = { after: 0 };
    const handler = rawServer({
      tools: ["watch"],
      call: () => "ok",
      answer({ method }, _request, response) {
        if (method !== "tools/call") return false;
        response.writeHead(200, { "content-type": "text/event-stream" });
        const params = { level: "info", data: "salary 4071" };
        const event = { jsonrpc: "2.0", method: "notifications/message", params };
        const telling = setInterval(() => response.write(`data: ${JSON.stringify(event)}\n\n`), 50);
        response.on("close", () => clearInterval(telling));
        return true;
      },
    });
    return { world, reached: { over: "http", handler } };
  },
  async run(agent, world) {
    const leave = new AbortController();
    const response = await fetch(agent.url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...agent.headers,
      },
      body: JSON.stringify(legacyCall("watch", {})),
      signal: leave.signal,
    });
    let revokedAt = Number.POSITIVE_INFINITY;
    let first = () => {};
    const begun = new Promise<void>((resolve) => {
      first = resolve;
    });
    const reading = (async () => {
      for await (const chunk of response.body!) {
        if (!Buffer.from(chunk).includes("salary")) continue;
        first();
        if (Date.now() > revokedAt + GRACE_MS) world.after += 1;
      }
    })().catch(() => {});
    await begun;
    await agent.ambit?.person("DELETE", `/v1/gateway/grants/${agent.ambit.grants[0]!.grant_id}`);
    revokedAt = Date.now();
    await Promise.race([reading, sleep(GRACE_MS + 500)]);
    leave.abort();
    await reading;
  },
  succeeded: ({ after }) => after > 0,
} satisfies Attack<World>;
