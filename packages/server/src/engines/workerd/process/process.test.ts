import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import {
  closeProcesses,
  listenIn,
  type ProcessPaths,
  StorageLockedError,
  startProcess,
  type WorkerdProcess,
} from "./index.ts";
import { commandOf, isAlive } from "./proc.ts";
import { configOf, ended, fetchText, hello, optionsOf, scratch, serverOn, until } from "./testing.ts";

const place = scratch();
afterAll(() => {
  closeProcesses();
  place.cleanUp();
});

async function end(program: WorkerdProcess) {
  program.kill();
  return await program.exited;
}

describe("a process", () => {
  it("listens, answers, is measured by its own pid and stops when asked", async () => {
    const program = await startProcess(optionsOf(place.dir));
    await program.ready;
    expect(commandOf(program.pid)).toBe("workerd");
    expect(await fetchText(program.socketsDir)).toBe("hello");
    // It holds the app's variables, and has been read.
    expect(existsSync(join(program.socketsDir, "../config.capnp"))).toBe(false);
    expect(program.rssBytes()).toBeGreaterThan(20 * 1024 * 1024);
    expect(program.cpuMs()).toBeGreaterThan(0);
    expect(program.descriptors()).toBeGreaterThan(5);
    program.terminate();
    expect(await program.exited).toMatchObject({ code: 0, signal: null });
    expect(isAlive(program.pid)).toBe(false);
    expect(existsSync(program.socketsDir)).toBe(false);
    expect(program.rssBytes()).toBe(0);
    expect(program.descriptors()).toBe(0);
    expect(program.cpuMs()).toBeGreaterThan(0);
  });

  it("counts the CPU time user code takes", async () => {
    const spin = `export default { fetch() { const end = Date.now() + 300; let n = 0; while (Date.now() < end) n++; return new Response("" + n); } };`;
    const program = await startProcess(
      optionsOf(place.dir, { configText: configOf(spin), storage: "empty" }),
    );
    await program.ready;
    const before = program.cpuMs();
    await fetchText(program.socketsDir);
    expect(program.cpuMs() - before).toBeGreaterThan(50);
    await end(program);
  });

  it("tells the signal that ended it and takes everything around it along", async () => {
    const program = await startProcess(optionsOf(place.dir));
    await program.ready;
    expect(await end(program)).toMatchObject({ code: null, signal: "SIGKILL" });
    expect(isAlive(program.pid)).toBe(false);
  });

  it("waits for every socket that was named", async () => {
    const text = ({ socketsDir, storageDir }: ProcessPaths) =>
      configOf(hello)({ socketsDir, storageDir }).replace(
        "sockets = [",
        `sockets = [(name = "fn-0", address = "unix:${socketsDir}/fn-0.sock", http = (), service = "fn-one"), `,
      );
    const program = await startProcess(optionsOf(place.dir, { configText: text, sockets: ["main", "fn-0"] }));
    await program.ready;
    expect(existsSync(join(program.socketsDir, "fn-0.sock"))).toBe(true);
    await end(program);
  });

  it("reaches sockets Ambit listens on beside its own", async () => {
    const code = `export default { async fetch() { return await fetch("http://example.com/there"); } };`;
    const text = (paths: ProcessPaths) =>
      configOf(code)(paths).replace(
        /network = \(.*?\)\)/,
        `external = (address = "unix:${paths.socketsDir}/egress.sock", http = (style = proxy)))`,
      );
    const program = await startProcess(optionsOf(place.dir, { configText: text }));
    const proxy = createServer({ requireHostHeader: false }, (request, response) =>
      response.end(`got ${request.url}`),
    );
    await new Promise<void>((resolve) => proxy.listen(listenIn(program, "egress.sock"), resolve));
    await program.ready;
    expect(await fetchText(program.socketsDir)).toBe("got http://example.com/there");
    proxy.close();
    await end(program);
  });

  it("keeps the end of what it wrote to standard error", async () => {
    const code = `export default { fetch() { console.error("x".repeat(40_000) + "the end"); return new Response("ok"); } };`;
    const program = await startProcess(optionsOf(place.dir, { configText: configOf(code) }));
    await program.ready;
    await fetchText(program.socketsDir);
    const { stderr } = await end(program);
    expect(stderr.length).toBeLessThanOrEqual(16 * 1024);
    expect(stderr.length).toBeGreaterThan(8 * 1024);
    expect(stderr.trim().endsWith("the end")).toBe(true);
  });
});

describe("the storage", () => {
  const writer = `export default { async fetch(request, env) {
    if (request.url.endsWith("/write")) await env.DISK.fetch("http://disk/note", { method: "PUT", body: "kept" });
    return await env.DISK.fetch("http://disk/note");
  } };`;

  it("outlives the process, and belongs to the app alone", async () => {
    const options = optionsOf(place.dir, { key: "app_keep/actors", configText: configOf(writer) });
    const first = await startProcess(options);
    await first.ready;
    expect(await fetchText(first.socketsDir, "/write")).toBe("kept");
    const dir = join(place.dir, "app_keep/actors/storage");
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    const ofProcess = /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${first.pid}/status`, "utf8"))?.[1];
    expect(statSync(dir).uid).toBe(Number(ofProcess));
    await end(first);
    const second = await startProcess(options);
    await second.ready;
    expect(await fetchText(second.socketsDir, "/read")).toBe("kept");
    await end(second);
  });

  it("is handed over with its files when it belonged to another user", async () => {
    const storage = join(place.dir, "app_moved/actors/storage");
    mkdirSync(storage, { recursive: true });
    writeFileSync(join(storage, "note"), "from before", { mode: 0o600 });
    const program = await startProcess(
      optionsOf(place.dir, { key: "app_moved/actors", configText: configOf(writer) }),
    );
    await program.ready;
    expect(await fetchText(program.socketsDir, "/read")).toBe("from before");
    await end(program);
  });

  it("is empty for a canary, which leaves nothing and needs no lock", async () => {
    const options = optionsOf(place.dir, { key: "app_canary/actors", configText: configOf(writer) });
    const real = await startProcess(options);
    await real.ready;
    await fetchText(real.socketsDir, "/write");
    const canary = await startProcess({ ...options, storage: "empty" });
    await canary.ready;
    expect(await fetchText(canary.socketsDir, "/read")).not.toBe("kept");
    await end(canary);
    expect(existsSync(canary.socketsDir)).toBe(false);
    await end(real);
  });

  it("has one process at a time", async () => {
    const first = await startProcess(optionsOf(place.dir));
    await first.ready;
    await expect(startProcess(optionsOf(place.dir))).rejects.toBeInstanceOf(StorageLockedError);
    expect(await fetchText(first.socketsDir)).toBe("hello");
    // A start that finds its predecessor dying waits for it.
    setTimeout(() => first.kill(), 100);
    const next = await startProcess(optionsOf(place.dir));
    await next.ready;
    await end(next);
  });
});

describe("another Ambit on the same data", () => {
  it("is kept out while this one lives, and let in as soon as it is killed", async () => {
    const other = await serverOn(place.dir);
    const pid = Number(other.said.pid);
    expect(commandOf(pid)).toBe("workerd");
    await expect(startProcess(optionsOf(place.dir))).rejects.toBeInstanceOf(StorageLockedError);
    other.child.kill("SIGKILL");
    await ended(other.child);
    await until("workerd dies with its Ambit", () => !isAlive(pid));
    const program = await startProcess(optionsOf(place.dir));
    await program.ready;
    await end(program);
  });
});
