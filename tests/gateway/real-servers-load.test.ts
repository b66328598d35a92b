import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Issued } from "../support/gateway.ts";
import { type BothWays, startBothWays } from "./real/both-ways.ts";
import { connect, type Peer, type Sdk } from "./real/peer.ts";
import type { Wire } from "./real/transcript.ts";

const STEADY = fileURLToPath(new URL("real/steady.ts", import.meta.url));
const SDKS = ["v1", "v2", "v2 stateless"] as const;
const AT_ONCE = 32;

let ways: BothWays;
beforeAll(async () => {
  ways = await startBothWays(STEADY, "/");
});
afterAll(() => ways?.close());

const peerOf = (grant: Issued, sdk: Sdk): Promise<Peer> =>
  connect({ kind: "http", ...grant }, sdk, { answers: false });
const textOf = (result: Wire): string => result.content[0].text;

/** Answers come in another order than the calls went out. */
async function callsAtOnce(peers: readonly Peer[], label: string): Promise<void> {
  const wanted = Array.from({ length: AT_ONCE }, (_, index) => `${label} ${index}`);
  const got = await Promise.all(
    wanted.map((say, index) =>
      peers[index % peers.length]!.call("sleep", { ms: 10 + ((index * 7919) % 97), say }).then(textOf),
    ),
  );
  expect(got).toEqual(wanted);
}

describe.each(["stdio", "http"] as const)("over %s", (transport) => {
  it.each(SDKS)("each of many calls at once gets its own answer, SDK %s", async (sdk) => {
    const one = await peerOf(ways.grants[transport], sdk);
    await callsAtOnce([one], "one");
    await one.close();
    const some = await Promise.all(Array.from({ length: 8 }, () => peerOf(ways.grants[transport], sdk)));
    await callsAtOnce(some, "some");
    await Promise.all(some.map((peer) => peer.close()));
  });

  it.each(SDKS)(
    "large answers come whole, and too large ones are an error and no more, SDK %s",
    async (sdk) => {
      const peer = await peerOf(ways.grants[transport], sdk);
      const sizes = [70_000, 1_000_000, 4_000_000];
      const got = await Promise.all(sizes.map((chars) => peer.call("large", { chars }).then(textOf)));
      expect(got.map(({ length }) => length)).toEqual(sizes);
      for (const text of got) expect(/^ж+$/.test(text)).toBe(true);
      const tooLarge = peer.call("large", { chars: 6_000_000 }, { timeout: 10_000 });
      await expect(tooLarge).rejects.toThrow("too large");
      expect(textOf(await peer.call("sleep", { ms: 0, say: "still there" }))).toBe("still there");
      await peer.close();
    },
  );
});

describe("sessions", () => {
  it("are many over HTTP, each with its own answers", async () => {
    const peers = await Promise.all(Array.from({ length: 40 }, () => peerOf(ways.grants.http, "v1")));
    const said = await Promise.all(
      peers.map((peer, index) => peer.call("sleep", { ms: 20, say: `session ${index}` }).then(textOf)),
    );
    expect(said).toEqual(peers.map((_, index) => `session ${index}`));
    await Promise.all(peers.map((peer) => peer.close()));
  });

  it("of a program have a process each, up to a bound that clients are told of", async () => {
    const peers: Peer[] = [];
    const refused = await (async () => {
      for (let index = 0; index < 20; index++) peers.push(await peerOf(ways.grants.stdio, "v2"));
    })().then(
      () => null,
      (error: Error) => error.message,
    );
    expect(refused).toMatch(/refused.*It did not run/);
    expect(peers.length).toBeGreaterThanOrEqual(10);
    const pids = await Promise.all(peers.map((peer) => peer.call("pid").then(textOf)));
    expect(new Set(pids).size).toBe(peers.length);
    await peers.pop()!.close();
    const another = await peerOf(ways.grants.stdio, "v2");
    expect(pids).not.toContain(textOf(await another.call("pid")));
    await Promise.all([...peers, another].map((peer) => peer.close()));
  });
});
