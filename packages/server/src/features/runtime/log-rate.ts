import type { ProgramKind } from "../../engines/workerd/types.ts";
import type { Clock } from "../../kernel/clock.ts";
import { limits } from "./limits.ts";

/** What a program has logged in the second that runs, and what was left out since the last notice. */
export interface Rate {
  second: number;
  entries: number;
  failures: number;
  dropped: number;
}

export const newRate = (): Rate => ({ second: 0, entries: 0, failures: 0, dropped: 0 });

/** Whether one more entry is kept; counts it as one or the other. Failures have room of their own. */
export function takeTurn(rate: Rate, failure: boolean, nowMs: number): boolean {
  const second = Math.floor(nowMs / 1000);
  if (second !== rate.second) {
    rate.second = second;
    rate.entries = 0;
    rate.failures = 0;
  }
  if (failure ? rate.failures < limits.failuresPerSecond : rate.entries < limits.entriesPerSecond) {
    if (failure) rate.failures += 1;
    else rate.entries += 1;
    return true;
  }
  rate.dropped += 1;
  return false;
}

/** The rates of all programs; `onDropped` hears now and then how much was left out. */
export interface Rates {
  hasTurn(appId: string, kind: ProgramKind, failure: boolean): boolean;
  /** Tells of everything left out so far. */
  flush(): void;
  forget(appId: string): void;
  stop(): void;
}

interface ProgramRate extends Rate {
  readonly appId: string;
  readonly kind: ProgramKind;
  notice: NodeJS.Timeout | null;
}

export function createRates(
  clock: Clock,
  onDropped: (appId: string, kind: ProgramKind, dropped: number) => void,
): Rates {
  const rates = new Map<string, ProgramRate>();
  const disarm = (rate: ProgramRate) => {
    if (rate.notice !== null) clearTimeout(rate.notice);
    rate.notice = null;
  };
  const tell = (rate: ProgramRate) => {
    disarm(rate);
    const { dropped } = rate;
    rate.dropped = 0;
    if (dropped > 0) onDropped(rate.appId, rate.kind, dropped);
  };
  return {
    hasTurn(appId, kind, failure) {
      const key = `${appId}/${kind}`;
      let rate = rates.get(key);
      if (rate === undefined) {
        rate = { ...newRate(), appId, kind, notice: null };
        rates.set(key, rate);
      }
      const busy = rate;
      if (takeTurn(busy, failure, clock())) return true;
      busy.notice ??= setTimeout(() => tell(busy), limits.noticeMs).unref();
      return false;
    },
    flush() {
      for (const rate of rates.values()) tell(rate);
    },
    forget(appId) {
      for (const [key, rate] of rates) {
        if (rate.appId !== appId) continue;
        disarm(rate);
        rates.delete(key);
      }
    },
    stop() {
      for (const rate of rates.values()) disarm(rate);
    },
  };
}
