import { chownSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import {
  type Ask,
  asked,
  call,
  exchange,
  listening,
  openSession,
  request,
  stateless,
} from "../channel/testing/exchange.ts";
import type { Message, Upstream } from "../types.ts";
import { installed, stdioFixture } from "./testing/fixture.ts";
import { readUidMap, serverUser } from "./user.ts";

const fixture = stdioFixture();
afterAll(() => fixture.stop());

/** Sends the same requests as a client of either era. */
interface Client {
  send(message: Message): ReturnType<typeof asked>;
}

async function clientOf(upstream: Upstream, era: "session" | "stateless"): Promise<Client> {
  const how: Ask = { era, sessionId: era === "session" ? await openSession(upstream) : null };
  return { send: (message) => asked(upstream, era === "session" ? message : stateless(message), how) };
}

/** The test's Postgres has a socket that only its user may open, and programs run as other users. */
async function relayTo(path: string): Promise<{ port: number; close(): Promise<void> }> {
  const open = new Set<Socket>();
  const server = createServer((from) => {
    const to = connect(path);
    for (const socket of [from, to]) {
      open.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => open.delete(socket));
    }
    from.pipe(to).pipe(from);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const textOf = (seen: Awaited<ReturnType<typeof asked>>): string =>
  seen.messages.at(-1).result.content[0].text;

describe.each(["session", "stateless"] as const)("servers from npm, for clients of the %s era", (era) => {
  it("everything: tools, resources and prompts come back unchanged", async () => {
    const client = await clientOf(fixture.upstream(installed("server-everything", ["stdio"])), era);
    const listed = (await client.send(request("tools/list"))).messages.at(-1);
    expect(listed.result.tools.map(({ name }: any) => name)).toContain("echo");
    expect(textOf(await client.send(call("get-sum", { a: 2, b: 40 })))).toContain("42");
    const resources = (await client.send(request("resources/list"))).messages.at(-1).result.resources;
    expect(resources.length).toBeGreaterThan(0);
    const read = await client.send(request("resources/read", { uri: resources[0].uri }));
    expect(read.messages.at(-1).result.contents[0].uri).toBe(resources[0].uri);
    const prompt = await client.send(request("prompts/get", { name: "simple-prompt" }));
    expect(prompt.messages.at(-1).result.messages[0].role).toBe("user");
    const wrong = await client.send(request("no/such/method"));
    expect(wrong.messages.at(-1).error.code).toBe(-32601);
    if (era === "session") return;
    expect(listed.result).toMatchObject({ resultType: "complete", ttlMs: 0, cacheScope: "private" });
    expect(wrong.head?.status).toBe(404);
    expect((await client.send(request("ping"))).head?.status).toBe(404);
    expect((await client.send(request("resources/subscribe", { uri: "x" }))).head?.status).toBe(404);
  });

  it("filesystem: reads what lies in its directory", async () => {
    const id = `files-${era}`;
    const directory = join(fixture.dataDir, `shared-${era}`);
    mkdirSync(directory);
    writeFileSync(join(directory, "note.txt"), "hello from a file");
    const choice = serverUser(id, process.getuid!(), readUidMap());
    if (choice.kind === "own") chownSync(directory, choice.user.uid, choice.user.gid);
    const upstream = fixture.upstream(installed("server-filesystem", [directory]), { serverId: id });
    const client = await clientOf(upstream, era);
    const path = join(directory, "note.txt");
    expect(textOf(await client.send(call("read_text_file", { path })))).toBe("hello from a file");
    await client.send(call("write_file", { path: join(directory, "new.txt"), content: "written" }));
    expect(readFileSync(join(directory, "new.txt"), "utf8")).toBe("written");
    const outside = await client.send(call("read_text_file", { path: join(fixture.dataDir, "other") }));
    expect(outside.messages.at(-1).result.isError).toBe(true);
  });

  it("memory: keeps its file in the server's own directory", async () => {
    const upstream = fixture.upstream(installed("server-memory"), {
      serverId: `memory-${era}`,
    });
    const file = join(fixture.dataDir, "mcp", `memory-${era}`, "graph.jsonl");
    const own = fixture.upstream(
      { ...installed("server-memory"), env: { MEMORY_FILE_PATH: file } },
      {
        serverId: `memory-${era}`,
      },
    );
    await upstream.close();
    const client = await clientOf(own, era);
    const entities = [{ name: "Ada", entityType: "person", observations: ["writes programs"] }];
    await client.send(call("create_entities", { entities }));
    expect(textOf(await client.send(call("read_graph")))).toContain("writes programs");
    expect(readFileSync(file, "utf8")).toContain("Ada");
  });

  it("sequential-thinking: each thought is an answer", async () => {
    const client = await clientOf(fixture.upstream(installed("server-sequential-thinking")), era);
    const thought = { thought: "first", thoughtNumber: 1, totalThoughts: 1, nextThoughtNeeded: false };
    expect(textOf(await client.send(call("sequentialthinking", thought)))).toContain('"thoughtNumber": 1');
  });

  it("postgres: asks a real database", async () => {
    const { host, port, user } = inject("postgres");
    const relay = await relayTo(join(host, `.s.PGSQL.${port}`));
    const url = `postgresql://${user}@127.0.0.1:${relay.port}/postgres`;
    const client = await clientOf(fixture.upstream(installed("server-postgres", [url])), era);
    const answer = await client.send(call("query", { sql: "select 6 * 7 as answer" }));
    expect(JSON.parse(textOf(answer))).toEqual([{ answer: 42 }]);
    const direct = new pg.Client({ host, port, user, database: "postgres" });
    await direct.connect();
    const { rows } = await direct.query("select current_database() as name");
    await direct.end();
    const named = await client.send(call("query", { sql: "select current_database() as name" }));
    expect(JSON.parse(textOf(named))).toEqual(rows);
    await relay.close();
  });
});

describe("what a server and a client say to each other beside answers", () => {
  let upstream: Upstream;
  beforeAll(() => {
    upstream = fixture.upstream(installed("server-everything", ["stdio"]));
  });

  it.each(["session", "stateless"] as const)("progress comes before the answer, %s", async (era) => {
    const sessionId = era === "session" ? await openSession(upstream) : null;
    const message = call(
      "trigger-long-running-operation",
      { duration: 0.3, steps: 3 },
      { progressToken: "p-1" },
    );
    const seen = await asked(upstream, era === "session" ? message : stateless(message), { era, sessionId });
    expect(seen.head).toEqual({ status: 200, sessionId: null, streaming: true });
    const progress = seen.messages.filter(({ method }) => method === "notifications/progress");
    expect(progress.map(({ params }) => params)).toEqual(
      [1, 2, 3].map((step) => ({ progress: step, total: 3, progressToken: "p-1" })),
    );
    expect(seen.messages.at(-1).id).toBe(message.id);
  });

  it("without anything before it an answer is a single message", async () => {
    const sessionId = await openSession(upstream);
    const listener = new AbortController();
    listening(upstream, sessionId, listener.signal);
    await asked(upstream, call("echo", { message: "first" }), { sessionId });
    const seen = await asked(upstream, call("echo", { message: "alone" }, { progressToken: 7 }), {
      sessionId,
    });
    expect(seen.head?.streaming).toBe(false);
    expect(seen.texts).toHaveLength(1);
    listener.abort();
  });

  it("a client is asked in the middle of its call, and its answer gets there", async () => {
    const sessionId = await openSession(upstream, { elicitation: { form: {} }, sampling: {} });
    const seen = exchange(upstream, call("trigger-elicitation-request"), { sessionId });
    const form = await seen.until(({ method }) => method === "elicitation/create");
    const content = { name: "Ada", check: true };
    const answered = await asked(
      upstream,
      { jsonrpc: "2.0", id: form.id, result: { action: "accept", content } },
      { sessionId },
    );
    expect(answered.head?.status).toBe(202);
    await seen.done;
    expect(JSON.stringify(seen.messages.at(-1))).toContain("Ada");

    const sampling = exchange(upstream, call("trigger-sampling-request", { prompt: "hi" }), { sessionId });
    const wanted = await sampling.until(({ method }) => method === "sampling/createMessage");
    const result = { role: "assistant", content: { type: "text", text: "sampled words" }, model: "none" };
    await asked(upstream, { jsonrpc: "2.0", id: wanted.id, result }, { sessionId });
    await sampling.done;
    expect(JSON.stringify(sampling.messages.at(-1))).toContain("sampled words");
  });

  it("what the server asks by itself goes to the client's own stream", async () => {
    const sessionId = await openSession(upstream, { roots: { listChanged: true } });
    const listener = new AbortController();
    const stream = listening(upstream, sessionId, listener.signal);
    const roots = await stream.until(({ method }) => method === "roots/list");
    const result = { roots: [{ uri: "file:///work", name: "work" }] };
    await asked(upstream, { jsonrpc: "2.0", id: roots.id, result }, { sessionId });
    const seen = await asked(upstream, call("get-roots-list"), { sessionId });
    expect(JSON.stringify(seen.messages.at(-1))).toContain("file:///work");
    listener.abort();
    await stream.done;
  });

  it("what comes while nobody listens is kept for the next who does", async () => {
    const sessionId = await openSession(upstream, { roots: {} });
    // The server asks for the roots 350 ms after the session began.
    await new Promise((resolve) => setTimeout(resolve, 600));
    const listener = new AbortController();
    const stream = listening(upstream, sessionId, listener.signal);
    expect(stream.messages.map(({ method }) => method)).toContain("roots/list");
    const newer = listening(upstream, sessionId, listener.signal);
    await stream.done;
    expect(stream.ended).toBe(true);
    listener.abort();
    await newer.done;
  });

  it.each(["session", "stateless"] as const)(
    "an aborted call is cancelled in the server, %s",
    async (era) => {
      const sessionId = era === "session" ? await openSession(upstream) : null;
      const caller = new AbortController();
      const long = call(
        "trigger-long-running-operation",
        { duration: 60, steps: 60_000 },
        { progressToken: 1 },
      );
      const seen = exchange(upstream, era === "session" ? long : stateless(long), {
        era,
        sessionId,
        signal: caller.signal,
      });
      await seen.until(({ method }) => method === "notifications/progress");
      caller.abort();
      await seen.done;
      expect(seen.failure).toMatchObject({ kind: "broken", ran: "maybe" });
      const echo = call("echo", { message: "still there" });
      const after = await asked(upstream, era === "session" ? echo : stateless(echo), { era, sessionId });
      expect(textOf(after)).toBe("Echo: still there");
    },
  );
});

it("asks for itself, in the shared process, without a client's session", async () => {
  const upstream = fixture.upstream(installed("server-everything", ["stdio"]));
  expect(upstream.state()).toEqual({ reachable: null, problem: null, processes: 0 });
  const { signal } = new AbortController();
  const [listed, again] = (await Promise.all([
    upstream.ask("tools/list", {}, signal),
    upstream.ask("tools/list", {}, signal),
  ])) as any[];
  expect(listed.tools.length).toBeGreaterThan(5);
  expect(again.tools).toEqual(listed.tools);
  expect(upstream.state()).toEqual({ reachable: true, problem: null, processes: 1 });
  await expect(upstream.ask("no/such", {}, signal)).rejects.toMatchObject({
    failure: { kind: "refused", ran: "no" },
  });
  await upstream.close();
  expect(upstream.state().processes).toBe(0);
});
