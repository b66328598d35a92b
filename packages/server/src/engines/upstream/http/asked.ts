/** What is asked of the server. */
export interface Asked {
  readonly method: "POST" | "GET" | "DELETE";
  /** Null: that of the server's URL. */
  readonly path: string | null;
  readonly body: string | null;
  /** Names and values in turn, without credentials. */
  readonly headers: readonly string[];
  /** The id of the request that the answer is to; undefined when no answer is awaited. */
  readonly awaits: unknown;
  /** Has no end of its own: neither silence nor length is a fault. */
  readonly endless: boolean;
  /** Headers of the GET that takes a broken stream up again; null when that can't be done. */
  resumeHeaders(lastEventId: string): string[] | null;
  /** Tells the server that nobody waits any more, other than by closing the stream. */
  onCancelled(): void;
  /** An event that is no message. */
  onOtherEvent(type: string, data: string): void;
  readonly signal: AbortSignal;
}

/** What is asked without a message of its own. */
export function withoutMessage(method: "GET" | "DELETE", headers: string[], signal: AbortSignal): Asked {
  return {
    method,
    path: null,
    body: null,
    headers,
    awaits: undefined,
    endless: false,
    resumeHeaders: () => null,
    onCancelled() {},
    onOtherEvent() {},
    signal,
  };
}
