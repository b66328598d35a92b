import type { At } from "./calls.ts";
import { openSession, requestOf } from "./calls.ts";
import type { Answering } from "./upstream.ts";

/** A stream that a client has open. */
export interface Open {
  readonly text: string;
  /** When it ended, in milliseconds since the epoch. */
  readonly ended: Promise<number>;
  cancel(): void;
}

async function reading(url: string, init: RequestInit): Promise<Open> {
  const stop = new AbortController();
  const response = await fetch(url, { ...init, signal: stop.signal });
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
  let text = "";
  const read = async () => {
    try {
      for await (const piece of response.body!) text += Buffer.from(piece as Uint8Array).toString("utf8");
    } catch {
      // However it ended.
    }
    return Date.now();
  };
  const ended = read();
  return {
    get text() {
      return text;
    },
    ended,
    cancel: () => stop.abort(),
  };
}

/** Listens in a session of its own (GET). */
export async function listen(at: At): Promise<Open> {
  const headers = {
    ...{ authorization: `Bearer ${at.token}`, accept: "text/event-stream" },
    "mcp-session-id": await openSession(at),
  };
  return reading(at.url, { headers });
}

/** Calls a tool whose answer is a stream (POST). */
export function callStreaming(at: At, tool: string, args: object = {}): Promise<Open> {
  const { headers, body } = requestOf("tools/call", { name: tool, arguments: args });
  return reading(at.url, {
    ...{ method: "POST", body: JSON.stringify(body) },
    headers: { ...headers, authorization: `Bearer ${at.token}` },
  });
}

/** Answers with a stream that tells of progress and never ends. */
export const drips: Answering = (_arrival, response) => {
  response.writeHead(200, { "content-type": "text/event-stream" });
  const progress = {
    ...{ jsonrpc: "2.0", method: "notifications/progress" },
    params: { progressToken: 1, progress: 1 },
  };
  const timer = setInterval(() => response.write(`data: ${JSON.stringify(progress)}\n\n`), 50);
  response.on("close", () => clearInterval(timer));
};
