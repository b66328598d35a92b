import type { UpstreamFailure } from "../../types.ts";
import type { Channel } from "../types.ts";

/** A channel whose other end is the test. */
export interface Scripted {
  readonly channel: Channel;
  /** What was sent, parsed, in order. */
  // biome-ignore lint/suspicious/noExplicitAny: messages of every shape
  readonly sent: any[];
  /** A message of the server's. */
  say(message: object | string): void;
  tooLarge(id: number | null): void;
  die(message?: string): void;
  readonly closed: boolean;
}

export function scripted(): Scripted {
  let onMessage: (text: string) => void = () => {};
  let onClose: (failure: UpstreamFailure) => void = () => {};
  let onTooLarge: (id: string | number | null) => void = () => {};
  let closed = false;
  const sent: object[] = [];
  const end = (message: string) => {
    if (closed) return;
    closed = true;
    onClose({ kind: "broken", status: null, ran: "maybe", message });
  };
  return {
    sent,
    get closed() {
      return closed;
    },
    say: (message) => onMessage(typeof message === "string" ? message : JSON.stringify(message)),
    tooLarge: (id) => onTooLarge(id),
    die: (message = "died") => end(message),
    channel: {
      send: (text) => void sent.push(JSON.parse(text)),
      onMessage(listener) {
        onMessage = listener;
      },
      onClose(listener) {
        onClose = listener;
      },
      onTooLarge(listener) {
        onTooLarge = listener;
      },
      async close() {
        end("closed");
      },
    },
  };
}
