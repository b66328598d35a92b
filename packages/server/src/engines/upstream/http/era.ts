import { type Collected, collect } from "../bridge/collect.ts";
import { asObject, STATELESS_VERSION, statelessMeta } from "../channel/messages.ts";
import {
  type Era,
  type Message,
  UpstreamError,
  type UpstreamFailure,
  type UpstreamListener,
  type UpstreamRequest,
} from "../types.ts";

/** Which era a server speaks, asked once and remembered for a while. */
export interface EraFinder {
  /** From memory; null when nobody has asked yet. Asks again in the background when that was long ago. */
  peek(): Era | null;
  /** Asks when it is not known. Rejects with an UpstreamError when there is no telling; that is not remembered. */
  find(signal: AbortSignal): Promise<Era>;
  /** What is known turned out to be wrong. */
  forget(): void;
}

export interface EraFinderOptions {
  send(request: UpstreamRequest, listener: UpstreamListener): void;
  readonly clientInfo: Message;
  /** How long an answer is believed. */
  readonly believeMs: number;
  /** How long the server may take to answer. */
  readonly askMs: number;
  readonly nowMs: () => number;
}

export function createEraFinder(options: EraFinderOptions): EraFinder {
  const { nowMs } = options;
  let known: { readonly era: Era; readonly untilMs: number } | null = null;
  let asking: Promise<Era> | null = null;
  let forgotten = 0;

  const ask = async (): Promise<Era> => {
    const asOf = forgotten;
    const id = "era";
    const params = { _meta: statelessMeta(options.clientInfo) };
    const request: UpstreamRequest = {
      message: { jsonrpc: "2.0", id, method: "server/discover", params },
      era: "stateless",
      sessionId: null,
      headers: { "mcp-protocol-version": STATELESS_VERSION },
      signal: AbortSignal.timeout(options.askMs),
    };
    let era: Era;
    try {
      era = eraByAnswer(await collect(id, (listener) => options.send(request, listener)));
    } catch (error) {
      if (!(error instanceof UpstreamError) || !saysNothingOfIt(error.failure)) throw error;
      era = "session";
    }
    if (asOf === forgotten) known = { era, untilMs: nowMs() + options.believeMs };
    return era;
  };
  const shared = (): Promise<Era> => {
    asking ??= ask().finally(() => {
      asking = null;
    });
    return asking;
  };
  return {
    peek() {
      if (known !== null && known.untilMs <= nowMs()) shared().catch(() => {});
      return known?.era ?? null;
    },
    find(signal) {
      if (known !== null) return Promise.resolve(known.era);
      return until(signal, shared());
    },
    forget() {
      forgotten += 1;
      known = null;
    },
  };
}

/** What the answer to `server/discover` tells. Pure. */
export function eraByAnswer({ answer }: Pick<Collected, "answer">): Era {
  const versions = asObject(answer.result)?.supportedVersions;
  return Array.isArray(versions) && versions.includes(STATELESS_VERSION) ? "stateless" : "session";
}

/** Whether a failure is what a server may answer that has never heard of `server/discover`. Pure. */
function saysNothingOfIt({ kind, status }: UpstreamFailure): boolean {
  if (kind === "body") return true;
  return kind === "refused" && status !== null && status !== 401 && status !== 403 && status !== 429;
}

/** Waits for what others wait for too, but not beyond the signal. */
function until<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new UpstreamError(CANCELLED));
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

const CANCELLED: UpstreamFailure = {
  kind: "broken",
  status: null,
  ran: "no",
  message: "The request was cancelled.",
};
