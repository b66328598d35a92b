import type { ServerResponse } from "node:http";
import { commonHeaders, type Visit } from "./visit.ts";

/** An answer as an event stream: one JSON-RPC message to an event. */
export class EventStream {
  readonly #response: ServerResponse;
  #wroteAtMs: number;

  /** Sends the head. */
  constructor(visit: Visit, nowMs: number, more: Record<string, string> = {}) {
    this.#response = visit.response;
    this.#wroteAtMs = nowMs;
    this.#response.writeHead(200, {
      "content-type": "text/event-stream",
      "x-accel-buffering": "no",
      ...commonHeaders(visit),
      ...more,
    });
    this.#response.flushHeaders();
  }

  /** Sends a message; a promise when the client can't take more just now, resolved also when it goes away. */
  send(text: string, id: string | null, nowMs: number): Promise<void> | undefined {
    const response = this.#response;
    if (response.destroyed || response.writableEnded) return undefined;
    this.#wroteAtMs = nowMs;
    if (response.write(eventText(text, id))) return undefined;
    return new Promise((resolve) => {
      const done = () => {
        response.off("drain", done).off("close", done);
        resolve();
      };
      response.once("drain", done).once("close", done);
    });
  }

  /** A sign of life, when the last one was that long ago and the client reads. */
  keepAlive(everyMs: number, nowMs: number): void {
    const response = this.#response;
    if (nowMs - this.#wroteAtMs < everyMs || response.writableNeedDrain || response.writableEnded) return;
    this.#wroteAtMs = nowMs;
    response.write(": alive\n\n");
  }

  end(): void {
    this.#response.end();
  }
}

const BREAK = /\r\n|\r|\n/;

/** A message as an event. Between the tokens of JSON a line may end in any way, inside of them never. Pure. */
export function eventText(text: string, id: string | null): string {
  const data = BREAK.test(text) ? text.split(BREAK).join("\ndata: ") : text;
  return id === null ? `event: message\ndata: ${data}\n\n` : `id: ${id}\nevent: message\ndata: ${data}\n\n`;
}
