import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { Pool } from "undici";
import { locateWorkerd } from "../../process/binary.ts";
import { readTailBatch } from "../../tail/index.ts";
import type { Inspection, Program, TailBatch, TailEvent } from "../../types.ts";
import {
  actorSocket,
  functionSocket,
  listeningSockets,
  newTokens,
  type ProcessTokens,
  renderConfig,
  SOCKETS,
} from "../index.ts";

/** A callback as the Ambit of a test sees it. */
export interface Callback {
  readonly method: string;
  readonly path: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

export interface Reply {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at whatever comes back
  json(): any;
}

export interface Sent {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer | Readable;
}

/** A program in a workerd without a sandbox, with an Ambit behind it that the test writes. */
export interface Running {
  readonly tokens: ProcessTokens;
  readonly socketsDir: string;
  readonly storageDir: string;
  readonly callbacks: Callback[];
  readonly batches: TailBatch[];
  stderr(): string;
  /** On the socket of the class in the path, as `http://app.test<path>`; on the main one if there is none. */
  actor(path: string, sent?: Sent): Promise<Reply>;
  /** On the socket of this class, whatever the path. */
  on(unit: string, path: string): Promise<Reply>;
  function(name: string, path?: string, sent?: Sent): Promise<Reply>;
  inspect(unit: string, instance: string, inspection: Inspection): Promise<Reply>;
  /** Waits until an event for which `wanted` holds has come. */
  tailed(wanted: (event: TailEvent) => boolean): Promise<TailEvent>;
  stop(): Promise<void>;
}

type Ambit = (call: Callback, response: http.ServerResponse) => void;

const started = new Set<Running>();

export async function stopAll(): Promise<void> {
  await Promise.all(Array.from(started, (running) => running.stop()));
}

/** Starts the program; rejects with what workerd wrote when it ends instead. */
export async function run(
  program: Program,
  ambit: Ambit = (_call, response) => response.end("{}"),
): Promise<Running> {
  const dir = mkdtempSync(join(tmpdir(), "ambit-config-"));
  const [socketsDir, storageDir] = [join(dir, "s"), join(dir, "storage")];
  await Promise.all([mkdir(socketsDir), mkdir(storageDir)]);
  const tokens = newTokens(program);
  const callbacks: Callback[] = [];
  const batches: TailBatch[] = [];
  const servers = await Promise.all([
    listen(join(socketsDir, SOCKETS.ambit), (call, response) => {
      callbacks.push(call);
      ambit(call, response);
    }),
    listen(join(socketsDir, SOCKETS.tail), (call, response) => {
      batches.push(readTailBatch(Buffer.from(call.body)));
      response.end();
    }),
  ]);
  const file = join(dir, "config.capnp");
  writeFileSync(file, renderConfig(program, { socketsDir, storageDir }, tokens));
  const child = spawn(locateWorkerd(), ["serve", "--control-fd=3", file], {
    stdio: ["ignore", "ignore", "pipe", "pipe"],
  });
  let stderr = "";
  child.stderr!.on("data", (text) => {
    stderr += text;
  });
  const pools = new Map<string, Pool>();
  const request = (socket: string, path: string, sent: Sent = {}) => {
    const pool = pools.get(socket) ?? new Pool("http://app.test", { socketPath: join(socketsDir, socket) });
    pools.set(socket, pool);
    return send(pool, path, sent);
  };
  const running: Running = {
    tokens,
    socketsDir,
    storageDir,
    callbacks,
    batches,
    stderr: () => stderr,
    actor: (path, sent) => request(socketOf(program, path), path, sent),
    on: (unit, path) => request(actorSocket(program, unit), path),
    function: (name, path = "/", sent) => request(functionSocket(program, name), path, sent),
    inspect: (unit, instance, inspection) =>
      request(actorSocket(program, unit), `/_ambit/inspect/${unit}/name/${encodeURIComponent(instance)}`, {
        method: "POST",
        body: JSON.stringify(inspection),
      }),
    tailed: (wanted) => eventually(() => batches.flatMap((batch) => batch.events).find(wanted)),
    async stop() {
      started.delete(running);
      await Promise.all([...pools.values()].map((pool) => pool.destroy()));
      if (child.exitCode === null && child.signalCode === null) {
        child.kill("SIGKILL");
        await new Promise((resolve) => child.once("exit", resolve));
      }
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
      rmSync(dir, { recursive: true, force: true });
    },
  };
  started.add(running);
  try {
    await ready(child, listeningSockets(program).length);
  } catch {
    await running.stop();
    throw new Error(stderr);
  }
  return running;
}

function socketOf(program: Program, path: string): string {
  const name = /^\/(?:_do|_ambit\/inspect)\/([^/?]+)/.exec(path)?.[1] ?? "";
  return program.actors.some((unit) => unit.name === name) ? actorSocket(program, name) : SOCKETS.main;
}

/** Polls until there is something; fails the test when 10 s bring nothing. */
export async function eventually<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (const end = Date.now() + 10_000; Date.now() < end; ) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("Nothing came within 10 s.");
}

function ready(child: ChildProcess, sockets: number): Promise<void> {
  let text = "";
  return new Promise((resolve, reject) => {
    child.once("close", () => reject(new Error("ended")));
    (child.stdio[3] as Readable).on("data", (chunk) => {
      text += chunk;
      if (text.split('"listen"').length > sockets) resolve();
    });
  });
}

function listen(path: string, answer: Ambit): Promise<http.Server> {
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString("utf8");
      answer({ method: request.method!, path: request.url!, headers: request.headers, body }, response);
    });
  });
  return new Promise((resolve) => server.listen(path, () => resolve(server)));
}

async function send(pool: Pool, path: string, sent: Sent): Promise<Reply> {
  const { statusCode, headers, body } = await pool.request({
    path,
    method: (sent.method ?? (sent.body === undefined ? "GET" : "POST")) as "GET",
    headers: sent.headers,
    body: sent.body,
  });
  const text = await body.text();
  return { status: statusCode, headers, body: text, json: () => JSON.parse(text) };
}
