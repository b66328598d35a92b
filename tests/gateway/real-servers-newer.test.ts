import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BothWays, startBothWays } from "./real/both-ways.ts";
import { connect, outcome, type Sdk, type Way } from "./real/peer.ts";
import type { Wire } from "./real/transcript.ts";

const NEWER = fileURLToPath(new URL("real/newer.ts", import.meta.url));
let ways: BothWays;
beforeAll(async () => {
  ways = await startBothWays(NEWER, "/mcp");
});
afterAll(() => ways?.close());

async function talk(way: Way, sdk: Sdk): Promise<Wire[]> {
  const peer = await connect(way, sdk, { answers: true });
  const { client } = peer;
  const steps: Wire[] = [client.getServerCapabilities()];
  const asked = [
    () => client.listTools(),
    () => peer.request("tools/list"),
    () => peer.call("echo", { text: "grüß dich ☃\n\n" }),
    () => peer.call("sum", { a: 1, b: 2 }),
    () => peer.call("sum", { a: "1" }),
    () => peer.call("fail"),
    () => peer.call("ask"),
    () => peer.call("steps", {}, { onprogress: () => {} }),
    () => client.listResources(),
    () => client.readResource({ uri: "test://gr%C3%B6%C3%9Fe" }),
    () => client.readResource({ uri: "test://none" }),
    () => client.listPrompts(),
    () => client.getPrompt({ name: "größe" }),
    () => client.getPrompt({ name: "none" }),
  ];
  for (const ask of asked) steps.push(await outcome(ask()));
  await peer.close();
  return steps;
}

describe.each(["stdio", "http"] as const)("a server of the stateless era over %s", (transport) => {
  it("answers a stateless client as without the gateway, questions to the person too", async () => {
    const direct = await talk({ kind: "http", proxy_url: ways.http.url }, "v2 stateless");
    const through = await talk({ kind: "http", ...ways.grants[transport] }, "v2 stateless");
    expect(through).toEqual(direct);
    expect(direct[ASK + 1]).toMatchObject({
      result: { content: [{ text: expect.stringContaining("Ada") }] },
    });
  });

  it.each(["v1", "v2"] as const)(
    "answers a client of SDK %s, which has a session, with the same results",
    async (sdk) => {
      const [, ...direct] = await talk({ kind: "http", proxy_url: ways.http.url }, "v2 stateless");
      const [, ...through] = await talk({ kind: "http", ...ways.grants[transport] }, sdk);
      // A question within an answer has no form in the earlier era: the server is told that nobody can be asked.
      expect(through[ASK]).toMatchObject({ error: { code: expect.any(Number) } });
      expect(through.map(asInSession).toSpliced(ASK, 1)).toEqual(direct.map(asInSession).toSpliced(ASK, 1));
    },
  );
});

/** The step that asks the person. */
const ASK = 6;

/** Without what only results of the newer era say; of an error, that it is one. */
function asInSession({ result, error }: Wire): Wire {
  if (error !== undefined) return "an error";
  const { ttlMs: _ttl, cacheScope: _scope, resultType: _type, _meta, ...rest } = result;
  return rest;
}
