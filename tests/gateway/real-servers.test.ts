import type { Client } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { Nodes } from "../support/functions.ts";
import {
  ALLOW_ALL,
  addGrant,
  addServer,
  approveTools,
  freePort,
  type Issued,
  installed,
  type Registration,
  startGateway,
} from "../support/gateway.ts";
import { asksEverything, livesInSession, type RunningServer, startEverything } from "./real/everything.ts";
import { interrupted } from "./real/interrupted.ts";
import { connect, outcome, type Sdk, type Way } from "./real/peer.ts";
import { normal, type Transcript, transcriptOf, type Wire } from "./real/transcript.ts";

/** The ways in which the reference server is reached: directly, and how the gateway is told of it. */
interface Target {
  readonly direct: Way;
  readonly grant: Issued;
}

const FOR_ANSWERING = [
  "get-roots-list",
  "trigger-elicitation-request",
  "trigger-sampling-request",
  "trigger-url-elicitation",
];
let nodes: Nodes;
const servers: RunningServer[] = [];
const targets = {} as Record<"stdio" | "Streamable HTTP" | "HTTP+SSE", Target>;
let runs = 0;

beforeAll(async () => {
  const ports = [await freePort(), await freePort()] as const;
  nodes = await startGateway(inject("postgres"), { ports });
  servers.push(await startEverything("streamableHttp", ports[0]), await startEverything("sse", ports[1]));
  const program = installed("server-everything", ["stdio"]);
  const target = async (direct: Way, registration: Registration): Promise<Target> => {
    const { server_id } = await addServer(nodes.owner, registration);
    const grant = await addGrant(nodes.owner, server_id, ALLOW_ALL);
    // It shows some tools only to clients that answer questions: the gateway sees them with the first of those, and
    // somebody has to review them.
    const first = await connect({ kind: "http", ...grant }, "v1", { answers: true });
    const shown = (await first.client.listTools()).tools.map(({ name }: Wire) => name);
    await first.close();
    const approved = await approveTools(nodes.owner, server_id);
    expect(approved.sort()).toEqual(FOR_ANSWERING.sort());
    expect(shown.filter((name: string) => FOR_ANSWERING.includes(name))).toEqual([]);
    return { direct, grant };
  };
  const [http, sse] = servers.map(({ url }) => url) as [string, string];
  targets.stdio = await target({ kind: "stdio", ...program }, { transport: "stdio", ...program });
  targets["Streamable HTTP"] = await target(
    { kind: "http", proxy_url: http },
    { transport: "http", url: http },
  );
  targets["HTTP+SSE"] = await target({ kind: "sse", proxy_url: sse }, { transport: "http", url: sse });
});
afterAll(async () => {
  await nodes?.close();
  await Promise.all(servers.map((server) => server.stop()));
});

/** The same conversation, by one way. */
async function talk(way: Way, sdk: Sdk, answers: boolean): Promise<{ steps: Wire; transcript: Transcript }> {
  runs += 1;
  const label = `run-${process.pid}-${runs}`;
  const peer = await connect(way, sdk, { answers });
  try {
    const inSession = answers ? await livesInSession(peer, label) : {};
    const steps = { ...inSession, ...(await asksEverything(peer, label)) };
    return { steps: normal(steps, [label]), transcript: transcriptOf(peer.recording, [label]) };
  } finally {
    await peer.close();
  }
}

/** Without what results of the newer era say beside, and without the member of tools that its client leaves out. */
function asInSession(steps: Record<string, Wire>): Wire {
  const entries = Object.entries(steps).map(([name, { result, error }]) => {
    if (error !== undefined) return [name, { error }];
    const { ttlMs: _ttl, cacheScope: _scope, ...rest } = result;
    if (name !== "0 tools") return [name, { result: rest }];
    return [name, { result: { ...rest, tools: rest.tools.map(({ execution: _, ...tool }: Wire) => tool) } }];
  });
  return Object.fromEntries(entries);
}

const throughGateway = ({ grant }: Target): Way => ({ kind: "http", ...grant });
/** Keys in their order count too. */
const text = (value: unknown) => JSON.stringify(value, null, 1);

describe.each(["stdio", "Streamable HTTP", "HTTP+SSE"] as const)("server-everything over %s", (transport) => {
  it.each(["v1", "v2"] as const)("tells a client of SDK %s the same as without the gateway", async (sdk) => {
    const target = targets[transport];
    const [direct, through] = await Promise.all([
      talk(target.direct, sdk, true),
      talk(throughGateway(target), sdk, true),
    ]);
    expect(text(through.transcript)).toBe(text(direct.transcript));
    expect(text(through.steps)).toBe(text(direct.steps));
    expect(direct.transcript.progressInTime).toBe(true);
    expect(Object.keys(direct.transcript.answers).length).toBeGreaterThan(50);
    expect(Object.keys(direct.transcript.notifications)).toEqual(
      expect.arrayContaining([
        "notifications/message",
        "notifications/resources/list_changed",
        "notifications/resources/updated",
      ]),
    );
    expect(new Set(direct.transcript.asked.map(({ method }: Wire) => method))).toEqual(
      new Set(["roots/list", "elicitation/create", "sampling/createMessage"]),
    );
  });

  it("gives stateless clients the results that clients with sessions get", async () => {
    const target = targets[transport];
    const direct = await talk(target.direct, "v2", false);
    const through = await talk(throughGateway(target), "v2 stateless", false);
    expect(asInSession(through.steps)).toEqual(asInSession(direct.steps));
    expect(through.steps["1 tools as they came"].result).toMatchObject({ ttlMs: 0, cacheScope: "private" });
  });

  it("tells stateless clients of progress, of unknown methods, and of lists that change", async () => {
    const peer = await connect(throughGateway(targets[transport]), "v2 stateless", { answers: false });
    const values: unknown[] = [];
    const onprogress = (progress: unknown) => values.push(progress);
    await peer.call("trigger-long-running-operation", { duration: 0.3, steps: 6 }, { onprogress });
    // The client itself drops what comes in the same moment as the answer.
    expect(values.length).toBeGreaterThanOrEqual(4);
    expect(values).toEqual(values.map((_, index) => ({ progress: index + 1, total: 6 })));
    await expect(peer.request("no/such/method")).rejects.toMatchObject({
      data: { status: 404, text: expect.stringContaining("-32601") },
    });
    const changed = Promise.withResolvers<void>();
    const client = peer.client as unknown as Client;
    client.setNotificationHandler("notifications/resources/list_changed", () => changed.resolve());
    const subscription = await client.listen({ resourcesListChanged: true });
    await peer.call("gzip-file-as-resource", { name: `${transport}.gz`, data: "data:text/plain,hello" });
    await changed.promise;
    await subscription.close();
    await peer.close();
  });
});

describe("a task", () => {
  /** A tool that runs on after its first answer, asks in between, and is waited for. */
  async function task(way: Way): Promise<Transcript> {
    const peer = await connect(way, "v1", { answers: true });
    const call = { name: "simulate-research-query", arguments: { topic: "python", ambiguous: true } };
    const made = await peer.request("tools/call", { ...call, task: { ttl: 60_000 } });
    const { taskId } = made.task;
    await outcome(peer.request("tasks/get", { taskId }));
    await outcome(peer.request("tasks/result", { taskId }));
    await outcome(peer.request("tasks/get", { taskId }));
    await outcome(peer.request("tasks/list"));
    await outcome(peer.request("tasks/get", { taskId: "none" }));
    await peer.close();
    return transcriptOf(peer.recording);
  }

  it("goes its way over each transport as without the gateway", async () => {
    const all = Object.values(targets).flatMap((target) => [
      task(target.direct),
      task(throughGateway(target)),
    ]);
    const seen = await Promise.all(all);
    for (let index = 0; index < seen.length; index += 2)
      expect(text(seen[index + 1])).toBe(text(seen[index]));
    expect(JSON.stringify(seen[0])).toContain("Monty Python");
  });
});

describe("a tool that is not there", () => {
  it.each(["v1", "v2", "v2 stateless"] as const)(
    "is an error for SDK %s, and never reaches the server",
    async (sdk) => {
      const peer = await connect(throughGateway(targets.stdio), sdk, { answers: false });
      const answer = await peer.call("no-such-tool");
      expect(answer).toMatchObject({
        isError: true,
        _meta: { "ambit/decision": { rule: "(tool changed)" } },
      });
      await peer.close();
    },
  );
});

describe("a program", () => {
  it("sees nothing of Ambit's environment", async () => {
    const peer = await connect(throughGateway(targets.stdio), "v1", { answers: false });
    const env = JSON.parse((await peer.call("get-env")).content[0].text);
    expect(Object.keys(env).sort()).toEqual(["HOME", "LANG", "PATH"]);
    await peer.close();
  });
});

describe("a stream that broke", () => {
  it("is taken up again, and nothing is lost or comes twice", async () => {
    const target = targets["Streamable HTTP"];
    const [direct, through] = await Promise.all([
      interrupted({ proxy_url: servers[0]!.url }),
      interrupted(target.grant),
    ]);
    expect(through).toEqual(direct);
    expect(through).toHaveLength(11);
  });
});
