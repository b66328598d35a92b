import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import WebSocket from "ws";
import { serve } from "../harness/child.ts";
import type { PostgresAddress } from "../harness/postgres.ts";
import { percentile } from "../harness/statistics.ts";
import type { User } from "./notes-app.ts";

/** How long the last frames of a run may take before some count as lost. */
const PATIENCE_MS = 30_000;

interface Watch {
  /** WebSocket endpoint of the app's changes. */
  readonly url: string;
  readonly users: readonly User[];
}

/** What frames are waited for: written notes by title, until the frame of each has come. */
interface Awaited {
  readonly ownerId: string;
  readonly sentAtMs: number;
}

let sockets: WebSocket[] = [];
let owners: string[] = [];
let writers: pg.Pool;
let lanes = 0;
let insert = "";
let problem: Error | undefined;
let written = 0;
let lastFrameAtMs = 0;
let frameMs: number[] = [];
const awaited = new Map<string, Awaited>();

function receive(userId: string, text: string): void {
  const at = performance.now();
  const frame = JSON.parse(text);
  if (frame.type === "resync") problem ??= new Error(`a client was told to load afresh: ${text}`);
  if (frame.type !== "change") return;
  const expected = awaited.get(frame.record.title);
  if (expected === undefined || expected.ownerId !== userId) {
    problem ??= new Error(`${userId} was shown a change twice or one of somebody else: ${text}`);
    return;
  }
  awaited.delete(frame.record.title);
  frameMs.push(at - expected.sentAtMs);
  lastFrameAtMs = at;
}

function subscribe(url: string, { id, token }: User): Promise<WebSocket> {
  const socket = new WebSocket(url, { headers: { authorization: `Bearer ${token}` } });
  return new Promise((resolve, reject) => {
    socket.on("open", () => socket.send(JSON.stringify({ type: "subscribe", table: "notes" })));
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("the server closed a socket")));
    socket.on("message", (data) => {
      const text = String(data);
      if (text.startsWith('{"type":"subscribed"')) resolve(socket);
      else receive(id, text);
    });
  });
}

/** Inserts the next note, of the next owner in turn; resolves to the time it took, once it is committed. */
async function write(): Promise<number> {
  const ownerId = owners[written % owners.length]!;
  const title = `Note ${written++}`;
  const sentAtMs = performance.now();
  awaited.set(title, { ownerId, sentAtMs });
  await writers.query({ name: "insert", text: insert, values: [ownerId, title] });
  return performance.now() - sentAtMs;
}

async function untilAllSeen(): Promise<void> {
  const giveUpAt = performance.now() + PATIENCE_MS;
  while (awaited.size > 0 && problem === undefined) {
    if (performance.now() > giveUpAt) throw new Error(`${awaited.size} changes were never shown`);
    await pause(5);
  }
  if (problem !== undefined) throw problem;
}

const commands = {
  /** Connections that write straight to the table, so that what is measured is the way out. */
  openWriters({ target, table, count }: { target: PostgresAddress; table: string; count: number }) {
    insert = `insert into ${table} (owner_id, title) values ($1, $2)`;
    writers = new pg.Pool({ ...target, user: "postgres", min: count, max: count });
    lanes = count;
  },
  /** One socket for each user, in place of those before. */
  async watch({ url, users }: Watch) {
    for (const socket of sockets) socket.terminate();
    owners = users.map((user) => user.id);
    sockets = await Promise.all(users.map((user) => subscribe(url, user)));
  },
  /** Writes at a steady rate; from sending the insert to its answer and to the frame at its owner's socket. */
  async pace({ perSecond, forMs }: { perSecond: number; forMs: number }) {
    frameMs = [];
    const writes: Promise<number>[] = [];
    const startedAt = performance.now();
    for (let sent = 0; sent < (perSecond * forMs) / 1_000; sent += 1) {
      const early = startedAt + (sent * 1_000) / perSecond - performance.now();
      if (early > 0) await pause(early);
      writes.push(write());
    }
    const writeMs = await Promise.all(writes);
    await untilAllSeen();
    const both = (share: number) => ({
      frame: percentile(frameMs, share),
      write: percentile(writeMs, share),
    });
    return { p50: both(0.5), p99: both(0.99) };
  },
  /** Writes as fast as Postgres takes it; commits per second, and changes shown per second until the last frame. */
  async burst(changes: number) {
    frameMs = [];
    let left = changes;
    const startedAt = performance.now();
    const lane = async () => {
      while (left-- > 0) await write();
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    const committedAt = performance.now();
    await untilAllSeen();
    const rate = (until: number) => (changes * 1_000) / (until - startedAt);
    return { shownPerSecond: rate(lastFrameAtMs), committedPerSecond: rate(committedAt) };
  },
};
export type LiveCommands = typeof commands;

serve(commands);
