import { readdirSync, readFileSync } from "node:fs";
import { createServer, type Server as NetServer } from "node:net";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { eventually } from "../support/actors.ts";
import type { Nodes } from "../support/functions.ts";
import {
  ALLOW_ALL,
  addGrant,
  addServer,
  freePort,
  type Issued,
  type Registration,
  startGateway,
} from "../support/gateway.ts";
import { type RunningServer, startHttp } from "./real/everything.ts";
import { connect, type Peer, type Sdk, type Way } from "./real/peer.ts";

const STEADY = fileURLToPath(new URL("real/steady.ts", import.meta.url));
const SDKS = ["v1", "v2", "v2 stateless"] as const;

let nodes: Nodes;
let http: RunningServer;
let ports: [number, number];
const grants = {} as Record<"stdio" | "http", Issued>;
const steady = (port: number) =>
  startHttp({ command: process.execPath, args: [STEADY, String(port)] }, port, "/");

async function register(of: Nodes, registration: Registration): Promise<Issued> {
  const { server_id } = await addServer(of.owner, registration);
  return addGrant(of.owner, server_id, ALLOW_ALL);
}
const program = { transport: "stdio", command: process.execPath, args: [STEADY] } as const;

beforeAll(async () => {
  ports = [await freePort(), await freePort()];
  nodes = await startGateway(inject("postgres"), { ports });
  http = await steady(ports[0]);
  grants.stdio = await register(nodes, program);
  grants.http = await register(nodes, { transport: "http", url: http.url });
});
afterAll(async () => {
  await nodes?.close();
  await http?.stop();
});

const through = (grant: Issued): Way => ({ kind: "http", ...grant });
const peerOf = (grant: Issued, sdk: Sdk): Promise<Peer> => connect(through(grant), sdk, { answers: false });
const textOf = (result: any): string => result.content[0].text;

/** The programs that an Ambit has started: their home is in its directory. */
function programsOf(dataDir: string): number[] {
  return readdirSync("/proc").flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      return readFileSync(`/proc/${entry}/environ`, "utf8").includes(`HOME=${dataDir}/mcp/`)
        ? [Number(entry)]
        : [];
    } catch {
      return [];
    }
  });
}

describe.each(["stdio", "http"] as const)("over %s", (transport) => {
  it.each(SDKS)("what a client of SDK %s cancels stops in the server", async (sdk) => {
    const peer = await peerOf(grants[transport], sdk);
    const before = JSON.parse(textOf(await peer.call("count")));
    const stop = new AbortController();
    const seen = Promise.withResolvers<void>();
    const asking = { signal: stop.signal, onprogress: () => seen.resolve() };
    const working = peer.call("work", {}, asking).then(
      () => "answered",
      () => "cancelled",
    );
    await seen.promise;
    expect(JSON.parse(textOf(await peer.call("count")))).toEqual({ ...before, running: before.running + 1 });
    stop.abort();
    expect(await working).toBe("cancelled");
    await eventually(
      async () => JSON.parse(textOf(await peer.call("count"))).stopped === before.stopped + 1,
      "a server that has stopped",
      5_000,
    );
    expect(JSON.parse(textOf(await peer.call("count"))).running).toBe(before.running);
    await peer.close();
  });

  it.each(SDKS)("what a client of SDK %s waits for no longer stops too", async (sdk) => {
    const peer = await peerOf(grants[transport], sdk);
    const { stopped } = JSON.parse(textOf(await peer.call("count")));
    await expect(peer.call("work", {}, { timeout: 300 })).rejects.toThrow(/timed out/i);
    await eventually(
      async () => JSON.parse(textOf(await peer.call("count"))).stopped === stopped + 1,
      "a server that has stopped",
      5_000,
    );
    await peer.close();
  });

  it("a server that is killed in the middle is an error, and comes back", async () => {
    const stateless = await peerOf(grants[transport], "v2 stateless");
    const inSession = await peerOf(grants[transport], "v1");
    const pids = [stateless, inSession].map(async (peer) => Number(textOf(await peer.call("pid"))));
    const calls = [stateless, inSession].map((peer) => peer.call("sleep", { ms: 20_000, say: "late" }));
    const ends = Promise.allSettled(calls);
    await new Promise((resolve) => setTimeout(resolve, 200));
    const killedAt = Date.now();
    for (const pid of new Set(await Promise.all(pids))) process.kill(pid, "SIGKILL");
    for (const end of await ends) {
      expect(end).toMatchObject({
        status: "rejected",
        reason: { message: expect.stringContaining("may have run") },
      });
    }
    expect(Date.now() - killedAt).toBeLessThan(5_000);
    if (transport === "http") http = await steady(ports[0]);
    // Who has no session just goes on; a session is gone, and its client is told so and opens another.
    expect(
      textOf(
        await eventually(() => stateless.call("sleep", { ms: 0, say: "back" }).catch(() => false), "it"),
      ),
    ).toBe("back");
    await expect(inSession.call("pid")).rejects.toThrow();
    const again = await peerOf(grants[transport], "v1");
    expect(textOf(await again.call("sleep", { ms: 0, say: "new" }))).toBe("new");
    await Promise.all([stateless.close(), again.close()]);
  });
});

describe("a server that takes its time", () => {
  let silent: NetServer;
  let grant: Issued;
  beforeAll(async () => {
    // It takes connections and says nothing, so that no TLS handshake ever ends.
    silent = createServer(() => {}).listen(ports[1], "127.0.0.1");
    grant = await register(nodes, { transport: "http", url: `https://127.0.0.1:${ports[1]}/mcp` });
  });
  afterAll(() => void silent.close());

  it("and does not even connect is an error within seconds, for clients and for a scan", async () => {
    const began = Date.now();
    const path = `/v1/gateway/servers/${grant.proxy_url.split("/").at(-2)}/scan`;
    const [connecting, scan] = await Promise.all([
      peerOf(grant, "v2").then(() => "connected", String),
      nodes.owner("POST", path),
    ]);
    expect(connecting).toContain("It did not run");
    expect(scan).toMatchObject({ status: 502, body: { error: { code: "GATEWAY_UPSTREAM_FAILED" } } });
    expect(Date.now() - began).toBeLessThan(8_000);
  });
});

describe("programs", () => {
  it("are started anew when what they are started with changes", async () => {
    const { server_id } = await addServer(nodes.owner, program);
    const grant = await addGrant(nodes.owner, server_id, ALLOW_ALL);
    const peer = await peerOf(grant, "v2 stateless");
    const first = textOf(await peer.call("pid"));
    const changed = await nodes.owner("PATCH", `/v1/gateway/servers/${server_id}`, {
      env: { SOME: "thing" },
    });
    expect(changed.status).toBe(200);
    const second = await eventually(async () => {
      const pid = textOf(await peer.call("pid"));
      return pid !== first && pid;
    }, "another process");
    expect(readFileSync(`/proc/${second}/environ`, "utf8")).toContain("SOME=thing");
    await eventually(() => !programsOf(nodes.server.dataDir).includes(Number(first)), "the first one's end");
    await peer.close();
    expect((await nodes.owner("DELETE", `/v1/gateway/servers/${server_id}`)).status).toBe(200);
    await eventually(
      () => !programsOf(nodes.server.dataDir).includes(Number(second)),
      "the second one's end",
    );
  });
});

describe("Ambit ends while calls run", () => {
  /** Calls by every SDK to a program and over HTTP; resolves with what each was told. */
  async function endsWhileCalled(
    of: Nodes,
    end: (server: Nodes["server"]) => Promise<unknown>,
    timeout: number,
  ) {
    const { server } = of;
    const places = [await register(of, program), await register(of, { transport: "http", url: http.url })];
    const peers = await Promise.all(places.flatMap((place) => SDKS.map((sdk) => peerOf(place, sdk))));
    const told = Promise.all(
      peers.map((peer) =>
        peer.call("sleep", { ms: 60_000, say: "late" }, { timeout }).then(
          () => "an answer",
          (error: Error) => error.message,
        ),
      ),
    );
    await eventually(() => programsOf(server.dataDir).length >= 3, "programs that run");
    await new Promise((resolve) => setTimeout(resolve, 300));
    await end(server);
    const all = await told;
    await eventually(() => programsOf(server.dataDir).length === 0, "the end of all programs", 5_000);
    await Promise.allSettled(peers.map((peer) => peer.close()));
    return all;
  }

  it("killed: nothing is left", async () => {
    const own = await startGateway(inject("postgres"), { ports });
    try {
      // A client of v1 does not notice a stream that broke; it gives up in the end.
      expect(await endsWhileCalled(own, (server) => server.kill(), 2_000)).not.toContain("an answer");
    } finally {
      await own.close();
    }
  });

  it("stopped: clients are told, and nothing is left", async () => {
    const stop = async (server: Nodes["server"]) => expect(await server.stop()).toBe(0);
    const told = await endsWhileCalled(nodes, stop, 20_000);
    for (const each of told) expect(each).not.toMatch(/an answer|timed out/);
  });
});
