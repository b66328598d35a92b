import WebSocket from "ws";
import { serve } from "../../harness/child.ts";
import { percentile } from "../../harness/statistics.ts";

const PATIENCE_MS = 20_000;

let sockets: WebSocket[] = [];
let expected = 0;
let received = 0;
let done: (() => void) | undefined;

/** A process with many clients of one room. */
const commands = {
  /** Connects `count` sockets to a room, closing those there were. */
  async connect({ url, count }: { url: string; count: number }): Promise<void> {
    for (const socket of sockets) socket.terminate();
    sockets = [];
    while (sockets.length < count) {
      const batch = Math.min(100, count - sockets.length);
      sockets.push(...(await Promise.all(Array.from({ length: batch }, () => open(url)))));
    }
  },
  /** Sends `times` messages to everyone, each when the last has reached all; deliveries per second and time to the last. */
  async broadcast(times: number): Promise<{ perSecond: number; p50Ms: number }> {
    const text = `all:${"x".repeat(96)}`;
    const lastMs: number[] = [];
    const startedAt = performance.now();
    for (let time = 0; time < times; time += 1) {
      const sentAt = performance.now();
      await heard(sockets.length, () => sockets[0]!.send(text));
      lastMs.push(performance.now() - sentAt);
    }
    const seconds = (performance.now() - startedAt) / 1_000;
    return { perSecond: (times * sockets.length) / seconds, p50Ms: percentile(lastMs, 0.5) };
  },
  /** Sends one message after the other and waits for each to come back; milliseconds. */
  async echo(times: number): Promise<{ p50Ms: number }> {
    const tookMs: number[] = [];
    for (let time = 0; time < times; time += 1) {
      const sentAt = performance.now();
      await heard(1, () => sockets[0]!.send("ping me"));
      tookMs.push(performance.now() - sentAt);
    }
    return { p50Ms: percentile(tookMs, 0.5) };
  },
};
export type SocketCommands = typeof commands;

function open(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  socket.on("message", () => {
    received += 1;
    if (received === expected) done?.();
  });
  return new Promise((resolve, reject) => {
    socket.on("open", () => resolve(socket));
    socket.on("error", reject);
  });
}

/** Until so many messages have come since `send`. */
function heard(count: number, send: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${received} of ${count} messages came`)), PATIENCE_MS);
    expected = count;
    received = 0;
    done = () => {
      clearTimeout(late);
      resolve();
    };
    send();
  });
}

serve(commands);
