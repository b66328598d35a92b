import type { Readable } from "node:stream";
import { CONTROL_LINE_BYTES, STDERR_TAIL_BYTES } from "./limits.ts";

/** Calls `onListen` with each socket's name workerd reports on its control descriptor. */
export function readControl(stream: Readable, onListen: (socket: string) => void): void {
  let pending = "";
  stream.setEncoding("utf8");
  stream.on("data", (text: string) => {
    const lines = (pending + text).split("\n");
    pending = (lines.pop() ?? "").slice(-CONTROL_LINE_BYTES);
    for (const line of lines) {
      const socket = listening(line);
      if (socket !== null) onListen(socket);
    }
  });
  stream.on("error", () => {});
}

function listening(line: string): string | null {
  try {
    const message: unknown = JSON.parse(line);
    const { event, socket } = message as { event?: unknown; socket?: unknown };
    return event === "listen" && typeof socket === "string" ? socket : null;
  } catch {
    return null;
  }
}

/** Keeps the last bytes of a stream. */
export function keepTail(stream: Readable): () => string {
  let tail = Buffer.alloc(0);
  stream.on("data", (chunk: Buffer) => {
    const all = Buffer.concat([tail, chunk]);
    // Copied, so that a long chunk isn't held by a short view of it.
    tail = Buffer.from(all.subarray(Math.max(0, all.length - STDERR_TAIL_BYTES)));
  });
  stream.on("error", () => {});
  return () => tail.toString("utf8");
}
