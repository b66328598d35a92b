import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { isAlive } from "../../workerd/process/proc.ts";
import {
  asked,
  call,
  exchange,
  listening,
  openSession,
  request,
  stateless,
} from "../channel/testing/exchange.ts";
import type { Message, Upstream } from "../types.ts";
import { stdioFixture } from "./testing/fixture.ts";

const fixture = stdioFixture();
afterAll(() => fixture.stop());

const unruly = { command: process.execPath, args: [new URL("testing/unruly.ts", import.meta.url).pathname] };
const asRoot = process.getuid?.() === 0;

async function value(upstream: Upstream, name: string, args: Message = {}, sessionId?: string): Promise<any> {
  const message = call(name, args);
  const seen = await asked(
    upstream,
    sessionId ? message : stateless(message),
    sessionId ? { sessionId } : { era: "stateless" },
  );
  if (seen.failure) throw new Error(JSON.stringify(seen.failure));
  return seen.messages.at(-1).result.value;
}

async function until(what: string, holds: () => boolean, ms = 5_000): Promise<void> {
  const end = Date.now() + ms;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`still not: ${what}`);
    await sleep(10);
  }
}

describe("processes", () => {
  it("one for each session, one for everybody else", async () => {
    const upstream = fixture.upstream(unruly);
    const [a, b] = [await openSession(upstream), await openSession(upstream)];
    const pids = [
      await value(upstream, "pid", {}, a),
      await value(upstream, "pid", {}, b),
      await value(upstream, "pid"),
      await value(upstream, "pid"),
    ];
    expect(pids[2]).toBe(pids[3]);
    expect(new Set(pids).size).toBe(3);
    expect(upstream.state().processes).toBe(3);
    await upstream.endSession(a);
    await upstream.endSession(a);
    expect(isAlive(pids[0])).toBe(false);
    expect(upstream.state().processes).toBe(2);
    const gone = await asked(upstream, request("tools/list"), { sessionId: a });
    expect(gone.head).toEqual({ status: 404, sessionId: null, streaming: false });
    expect(gone.messages[0].error).toEqual({ code: -32001, message: "Session not found" });
    await upstream.close();
    expect(pids.map(isAlive)).toEqual([false, false, false, false]);
  });

  it("as many sessions as allowed and no more; quiet ones make room", async () => {
    const limits: string[] = [];
    const upstream = fixture.upstream(unruly, {
      channelLimits: { maxChannels: 4, sessionEvictableAfterMs: 400 },
      onLimit: (limit) => limits.push(limit),
    });
    const initialize = request("initialize", {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: {},
    });
    const opened = await Promise.all(Array.from({ length: 30 }, () => asked(upstream, initialize)));
    const sessions = opened.flatMap(({ head }) => head?.sessionId ?? []);
    expect(sessions).toHaveLength(3);
    expect(opened.filter(({ failure }) => failure?.kind === "refused" && failure.ran === "no")).toHaveLength(
      27,
    );
    expect(limits).toHaveLength(27);
    // The place of the shared process is kept.
    expect(await value(upstream, "echo", { still: "served" })).toEqual({ still: "served" });
    expect(upstream.state().processes).toBe(4);
    await sleep(450);
    await value(upstream, "pid", {}, sessions[0]);
    const listener = new AbortController();
    listening(upstream, sessions[1]!, listener.signal);
    const another = await openSession(upstream);
    expect(upstream.state().processes).toBe(4);
    const statuses = await Promise.all(
      [...sessions, another].map(
        async (sessionId) => (await asked(upstream, call("pid"), { sessionId })).head?.status,
      ),
    );
    expect(statuses).toEqual([200, 200, 404, 200]);
    listener.abort();
    await upstream.close();
  });

  it("idle sessions and an idle shared process end, busy ones don't", async () => {
    const upstream = fixture.upstream(unruly, { channelLimits: { sessionIdleMs: 300, sharedIdleMs: 300 } });
    const pid = await value(upstream, "pid");
    await until("the shared process has ended", () => upstream.state().processes === 0);
    expect(isAlive(pid)).toBe(false);
    expect(await value(upstream, "pid")).not.toBe(pid);
    const sessionId = await openSession(upstream);
    const busy = await asked(upstream, call("sleep", { ms: 1_000 }), { sessionId });
    expect(busy.messages.at(-1).result.value).toBe("slept");
    await until("everything has ended", () => upstream.state().processes === 0);
    expect((await asked(upstream, call("pid"), { sessionId })).head?.status).toBe(404);
  });

  it("dies in the middle of calls: they fail, the session is gone, others live on", async () => {
    const upstream = fixture.upstream(unruly);
    const [a, b] = [await openSession(upstream), await openSession(upstream)];
    const pid = await value(upstream, "pid", {}, a);
    const stream = listening(upstream, a, new AbortController().signal);
    const calls = [1, 2, 3].map(() => exchange(upstream, call("sleep", { ms: 60_000 }), { sessionId: a }));
    const other = exchange(upstream, call("sleep", { ms: 300 }), { sessionId: b });
    await value(upstream, "echo", {}, a);
    process.kill(pid, "SIGKILL");
    await Promise.all([...calls, stream].map(({ done }) => done));
    for (const { failure } of calls) expect(failure).toMatchObject({ kind: "broken", ran: "maybe" });
    expect(stream.failure?.kind).toBe("broken");
    expect((await asked(upstream, call("echo"), { sessionId: a })).head?.status).toBe(404);
    await other.done;
    expect(other.messages.at(-1).result.value).toBe("slept");
  });

  it("starts the shared process again, with growing waits", async () => {
    const upstream = fixture.upstream(unruly, {
      limits: { firstBackoffMs: 20, lastBackoffMs: 10_000, maxStartWaitMs: 100 },
    });
    const died = async () => (await asked(upstream, stateless(call("crash")), { era: "stateless" })).failure;
    expect(await died()).toMatchObject({ kind: "broken", ran: "maybe" });
    expect(upstream.state()).toMatchObject({ reachable: false, processes: 0 });
    expect(upstream.state().problem).toContain("exit code 3");
    // 20 and 40 and 80 ms are waited for; 160 ms is more than a caller has to wait.
    for (let crash = 2; crash <= 4; crash++) expect(await died()).toMatchObject({ ran: "maybe" });
    const refused = await died();
    expect(refused).toMatchObject({ kind: "connect", ran: "no" });
    expect(refused?.message).toContain("4 times in a row");
    await sleep(200);
    expect(await value(upstream, "echo", { back: true })).toEqual({ back: true });
    expect(upstream.state()).toMatchObject({ reachable: true, problem: null });
  });

  it("what can't be started is a failure of the connection", async () => {
    const upstream = fixture.upstream({ command: "/no/such/program", args: [] });
    const seen = await asked(upstream, stateless(call("echo")), { era: "stateless" });
    expect(seen.failure).toMatchObject({ ran: "no" });
    expect(upstream.state().reachable).toBe(false);
    await expect(upstream.ask("tools/list", {}, new AbortController().signal)).rejects.toMatchObject({
      failure: { ran: "no" },
    });
  });
});

describe("what a program writes and reads", () => {
  it("garbage is dropped, and nobody hears of it", async () => {
    const upstream = fixture.upstream(unruly);
    const sessionId = await openSession(upstream);
    const seen = await asked(upstream, call("garbage"), { sessionId });
    expect(seen.messages.map((message) => message.result?.value)).toEqual(["after garbage"]);
  });

  it("a line of nearly the limit passes whole; one above it fails its own call alone", async () => {
    const maxMessageBytes = 1_000_000;
    const upstream = fixture.upstream(unruly, { limits: { maxMessageBytes } });
    const sessionId = await openSession(upstream);
    expect(await value(upstream, "huge", { bytes: 999_000 }, sessionId)).toHaveLength(999_000);
    const other = exchange(upstream, call("sleep", { ms: 300 }), { sessionId });
    const tooLarge = await asked(upstream, call("huge", { bytes: 5_000_000 }), { sessionId });
    expect(tooLarge.failure).toMatchObject({ kind: "too_large", ran: "maybe" });
    await other.done;
    expect(other.messages.at(-1).result.value).toBe("slept");
    // Nobody can tell whose it was: nobody is left waiting.
    const nameless = exchange(upstream, call("hugeNameless", { bytes: 2_000_000 }), { sessionId });
    await nameless.done;
    expect(nameless.failure?.kind).toBe("too_large");
    expect(await value(upstream, "echo", { a: 1 }, sessionId)).toEqual({ a: 1 });
    const sent = await asked(upstream, call("echo", { text: "y".repeat(maxMessageBytes) }), { sessionId });
    expect(sent.failure).toMatchObject({ kind: "too_large", ran: "no" });
  });

  it("takes 10 MB by default, far beyond 64 KB", async () => {
    const upstream = fixture.upstream(unruly);
    const sessionId = await openSession(upstream);
    expect(await value(upstream, "huge", { bytes: 10_000_000 }, sessionId)).toHaveLength(10_000_000);
    const text = "z".repeat(9_000_000);
    expect((await value(upstream, "echo", { text }, sessionId)).text === text).toBe(true);
  });

  it("bytes that come one by one, in the middle of characters, make the same text", async () => {
    const upstream = fixture.upstream(unruly);
    const sessionId = await openSession(upstream);
    const seen = await asked(upstream, call("slowly"), { sessionId });
    expect(seen.messages[0].params.data).toBe("ä€😀");
  });

  it("a slow reader gets everything in order and holds up nobody else", async () => {
    const upstream = fixture.upstream(unruly);
    const sessionId = await openSession(upstream);
    let reading = 0;
    const slow = exchange(upstream, call("many", { count: 50, size: 10 }, { progressToken: "slow" }), {
      sessionId,
      async read() {
        expect(++reading).toBe(1);
        await sleep(5);
        reading -= 1;
      },
    });
    const begun = Date.now();
    await value(upstream, "echo", {}, sessionId);
    expect(Date.now() - begun).toBeLessThan(200);
    await slow.done;
    expect(slow.messages.slice(0, -1).map(({ params }) => params.progress)).toEqual(
      Array.from({ length: 50 }, (_, index) => index + 1),
    );
    expect(slow.messages.at(-1).result.value).toBe("sent");
  });

  it("what waits for a slow reader is bounded, and the answer comes all the same", async () => {
    const upstream = fixture.upstream(unruly, { channelLimits: { maxWaitingMessages: 5 } });
    const sessionId = await openSession(upstream);
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const slow = exchange(upstream, call("many", { count: 100, size: 10 }, { progressToken: 1 }), {
      sessionId,
      read: () => gate,
    });
    await value(upstream, "echo", {}, sessionId);
    open();
    await slow.done;
    expect(slow.messages).toHaveLength(7);
    expect(slow.messages.at(-1).result.value).toBe("sent");
  });

  it("a program that does not read is not fed without end", async () => {
    const upstream = fixture.upstream(unruly, { limits: { maxPendingBytes: 1_000_000 } });
    const sessionId = await openSession(upstream);
    await value(upstream, "deaf", {}, sessionId);
    await sleep(100);
    const seen = Array.from({ length: 10 }, () =>
      exchange(upstream, call("echo", { text: "x".repeat(300_000) }), { sessionId }),
    );
    await until("some were refused", () => seen.some(({ failure }) => failure !== null));
    for (const { failure } of seen)
      if (failure !== null) expect(failure).toMatchObject({ kind: "refused", ran: "no" });
    await upstream.close();
    await Promise.all(seen.map(({ done }) => done));
  });

  it("standard error is kept for people, without secrets", async () => {
    const env = { API_TOKEN: "tok-12345", KEY: "-----BEGIN-----\nabcdefgh\n-----END-----" };
    const args = [...unruly.args, "postgres://user:pa55word@db/x"];
    const upstream = fixture.upstream({ ...unruly, args, env });
    const text = "no access with tok-12345 (pa55word)\nabcdefgh\nreason: closed\n";
    await value(upstream, "complain", { text });
    await asked(upstream, stateless(call("crash")), { era: "stateless" });
    const { problem } = upstream.state();
    expect(problem).toContain("reason: closed");
    for (const secret of ["tok-12345", "pa55word", "abcdefgh"]) expect(problem).not.toContain(secret);
  });
});

it("hundreds of callers with the same ids share one process, each with its own answers", async () => {
  const upstream = fixture.upstream(unruly);
  const ids = [1, "1", "a"];
  const seen = await Promise.all(
    Array.from({ length: 300 }, async (_, n) => {
      const id = ids[n % 3]!;
      const message = { ...call(n % 5 === 0 ? "sleep" : "echo", { n, ms: n % 7 }), id };
      const { messages } = await asked(upstream, stateless(message), { era: "stateless" });
      return { n, id, answer: messages.at(-1) };
    }),
  );
  for (const { n, id, answer } of seen) {
    expect(answer.id).toBe(id);
    expect(answer.result.value).toEqual(n % 5 === 0 ? "slept" : { n, ms: n % 7 });
  }
  expect(upstream.state().processes).toBe(1);
});

describe("what a program is given", () => {
  it("an environment, a directory and limits of its own", async () => {
    process.env.AMBIT_TEST_SECRET = "never";
    const upstream = fixture.upstream({ ...unruly, env: { REGISTERED: "yes" } }, { serverId: "given" });
    const own = join(fixture.dataDir, "mcp", "given");
    expect(await value(upstream, "env")).toEqual({
      PATH: process.env.PATH,
      HOME: own,
      LANG: "C.UTF-8",
      REGISTERED: "yes",
    });
    delete process.env.AMBIT_TEST_SECRET;
    expect(await value(upstream, "cwd")).toBe(own);
    expect(statSync(own).mode & 0o777).toBe(0o700);
    expect(await value(upstream, "status")).toMatch(/NoNewPrivs:\s+1/);
    const limits: string = await value(upstream, "limits");
    expect(limits).toMatch(/Max core file size\s+0\s/);
    expect(limits).toMatch(/Max open files\s+4096\s/);
  });

  it.runIf(asRoot)(
    "a user of its own, who can read neither Ambit's secrets nor other servers' files",
    async () => {
      writeFileSync(join(fixture.dataDir, "master.key"), "secret", { mode: 0o600 });
      const [one, two] = [
        fixture.upstream(unruly, { serverId: "one" }),
        fixture.upstream(unruly, { serverId: "two" }),
      ];
      await value(two, "pid");
      const [uid, gid, groups] = await value(one, "uid");
      expect(uid).toBeGreaterThanOrEqual(40_000);
      expect([gid, groups]).toEqual([uid, [uid]]);
      expect((await value(two, "uid"))[0]).not.toBe(uid);
      expect(await value(one, "status")).toMatch(/CapEff:\s+0000000000000000/);
      const file = (name: string, id: string) => {
        const path = join(fixture.dataDir, "mcp", id, name);
        writeFileSync(path, "content");
        return path;
      };
      const read = async (path: string) => value(one, "read", { path });
      expect(await read(file("public", "one"))).toBe("readable");
      expect(await read(file("public", "two"))).toBe("EACCES");
      expect(await read(join(fixture.dataDir, "master.key"))).toBe("EACCES");
      expect(await read(join(fixture.dataDir, "mcp", ".running", "x"))).toBe("EACCES");
      expect(await read(`/proc/${process.pid}/environ`)).toBe("EACCES");
      expect(await read(`/proc/${await value(two, "pid")}/environ`)).toBe("EACCES");
    },
  );

  it.runIf(asRoot)("a registered environment does nothing before the change of user", async () => {
    const trace = join(fixture.dataDir, "mcp", "traced", "loader");
    const upstream = fixture.upstream(
      { ...unruly, env: { LD_DEBUG: "files", LD_DEBUG_OUTPUT: trace } },
      { serverId: "traced" },
    );
    const [uid] = await value(upstream, "uid");
    // The dynamic loader of the first program that saw this environment made the file, as whoever it ran as.
    expect(statSync(`${trace}.${await value(upstream, "pid")}`).uid).toBe(uid);
  });
});

describe("the end of a program", () => {
  it.each([false, true])(
    "takes what it started along, also in a session of its own: %s",
    async (detached) => {
      if (detached && !asRoot) return;
      const upstream = fixture.upstream(unruly);
      const [pid, child] = [await value(upstream, "pid"), await value(upstream, "child", { detached })];
      expect([pid, child].map(isAlive)).toEqual([true, true]);
      await upstream.close();
      await until("both have ended", () => !isAlive(pid) && !isAlive(child));
    },
  );

  it("of one session leaves the others alone", async () => {
    const upstream = fixture.upstream(unruly);
    const [a, b] = [await openSession(upstream), await openSession(upstream)];
    const [ending, staying] = [
      await value(upstream, "child", { detached: false }, a),
      await value(upstream, "child", { detached: false }, b),
    ];
    await upstream.endSession(a);
    await until("the child of the one has ended", () => !isAlive(ending));
    expect(isAlive(staying)).toBe(true);
    await upstream.close();
    await until("the other as well", () => !isAlive(staying));
  });

  it("is enforced when it does not want to end", async () => {
    const upstream = fixture.upstream(unruly, { limits: { terminateAfterMs: 50, killAfterMs: 200 } });
    const pid = await value(upstream, "pid");
    await value(upstream, "stubborn");
    const begun = Date.now();
    await upstream.close();
    expect(isAlive(pid)).toBe(false);
    expect(Date.now() - begun).toBeGreaterThanOrEqual(200);
  });

  it("leaves no note", async () => {
    const upstream = fixture.upstream(unruly);
    const pid = await value(upstream, "pid");
    const note = join(fixture.dataDir, "mcp", ".running", `${pid}.json`);
    expect(JSON.parse(readFileSync(note, "utf8")).pid).toBe(pid);
    await upstream.close();
    expect(existsSync(note)).toBe(false);
  });
});
