import { deflateSync, gzipSync } from "node:zlib";
import { legacyCall } from "../support/agent.ts";
import type { Attack } from "../support/attack.ts";
import { type Message, rawServer } from "../support/raw-server.ts";
import policy from "./policy.json" with { type: "json" };

interface World {
  wiped: boolean;
}

/** Takes JSON as it is, behind a byte order mark, with single quotes, or as a form. */
function lenient(text: string): Message {
  const plain = text.replace(/^\ufeff/, "").replaceAll("'", '"');
  return JSON.parse(plain.startsWith("message=") ? decodeURIComponent(plain.slice(8)) : plain) as Message;
}

export default {
  name: "non-json-body",
  title: "A body that is no JSON",
  what: "The call comes as plain text, as a form, behind a byte order mark or in another dialect. A gateway that judges JSON only passes on what is none.",
  class: "mistakes of gateways",
  policy,
  without: "careless",
  harm: "the forbidden tool runs",
  stop: {
    by: "what is no JSON, or does not say so, is refused",
    decision: { outcome: "error", rule: "(malformed)" },
  },
  upstream() {
    const world: World = { wiped: false };
    const call = (name: string) => {
      if (name === "wipe") world.wiped = true;
    };
    const handler = rawServer({ tools: ["read", "wipe"], read: lenient, call });
    return { world, reached: { over: "http", handler } };
  },
  async run(agent) {
    const text = JSON.stringify(legacyCall("wipe", {}));
    await agent.post(text, { "content-type": "text/plain" });
    await agent.post(`message=${encodeURIComponent(text)}`, {
      "content-type": "application/x-www-form-urlencoded",
    });
    await agent.post(`\ufeff${text}`);
    await agent.post(text.replaceAll('"', "'"));
    await agent.post(Buffer.from(text, "utf16le"));
    await agent.post(gzipSync(text), { "content-encoding": "gzip" });
    await agent.post(deflateSync(text), { "content-encoding": "deflate" });
  },
  succeeded: ({ wiped }) => wiped,
} satisfies Attack<World>;
