import type { LogRing } from "../../engines/postgres/replication/window.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { AnchorLook } from "./anchor-store.ts";
import { limits } from "./limits.ts";
import { keptBytes, walWarning } from "./log-status.ts";
import type { RealtimeMetrics } from "./metrics.ts";

/** Shows operators what is kept of the log, and warns them before the window is lost. */
export class WalWatch {
  readonly #metrics: RealtimeMetrics;
  readonly #log: Log;
  readonly #clock: Clock;
  #warnedMs = Number.NEGATIVE_INFINITY;

  constructor(metrics: RealtimeMetrics, { log, clock }: { log: Log; clock: Clock }) {
    this.#metrics = metrics;
    this.#log = log;
    this.#clock = clock;
  }

  note(look: AnchorLook, window: Pick<LogRing, "to" | "bytes" | "oldest">): void {
    const metrics = this.#metrics;
    const nowMs = this.#clock();
    metrics.walKept.set(keptBytes(look));
    metrics.walSafe.set(look.safeBytes === null ? -1 : Number(look.safeBytes));
    metrics.walBehind.set(look.end > window.to ? Number(look.end - window.to) : 0);
    metrics.windowBytes.set(window.bytes);
    metrics.windowSeconds.set(
      window.oldest === null ? 0 : Math.max(0, nowMs - window.oldest.getTime()) / 1_000,
    );
    const warning = walWarning(look);
    if (warning === null || nowMs - this.#warnedMs < limits.walWarnMs) return;
    this.#warnedMs = nowMs;
    const { walStatus, safeBytes, maxKeptBytes } = look;
    const facts = {
      keptBytes: keptBytes(look),
      safeBytes: Number(safeBytes),
      maxKeptBytes: Number(maxKeptBytes),
    };
    this.#log.warn({ walStatus, ...facts }, `realtime: ${warning}`);
  }
}
