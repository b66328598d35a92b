import type { Log } from "./log.ts";

/** Work that is done again and again in the background. */
export interface Ticker {
  start(): void;
  /** Does the work soon, without waiting for its time; many calls before it begins are one. */
  wake(): void;
  /** Ends it; resolves when nothing of it is under way any more. */
  stop(): Promise<void>;
}

export interface TickerOptions {
  /** For the log. */
  readonly name: string;
  readonly everyMs: number;
  readonly log: Log;
  /** Never runs twice at once. `true` asks for another run at once, e.g. because a batch was full. */
  run(signal: AbortSignal): Promise<unknown>;
}

/** Runs `run` every `everyMs` after the last one ended; a failure is logged and the next run comes as ever. */
export function createTicker({ name, everyMs, log, run }: TickerOptions): Ticker {
  const stopping = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let underWay: Promise<void> | null = null;
  let started = false;
  let woken = false;

  const arm = (ms: number) => {
    clearTimeout(timer);
    timer = setTimeout(tick, ms).unref();
  };
  const tick = () => {
    if (underWay !== null || stopping.signal.aborted) return;
    woken = false;
    underWay = run(stopping.signal)
      .catch((error) => {
        if (!stopping.signal.aborted) log.warn({ err: error, ticker: name }, "work in the background failed");
      })
      .then((again) => {
        underWay = null;
        if (!stopping.signal.aborted) arm(again === true || woken ? 0 : everyMs);
      });
  };
  return {
    start() {
      if (started) return;
      started = true;
      arm(everyMs);
    },
    wake() {
      woken = true;
      if (started && underWay === null && !stopping.signal.aborted) arm(0);
    },
    async stop() {
      stopping.abort();
      clearTimeout(timer);
      await underWay;
    },
  };
}
