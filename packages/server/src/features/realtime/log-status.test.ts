import { describe, expect, it } from "vitest";
import { Metrics } from "../../kernel/metrics.ts";
import type { AnchorLook } from "./anchor-store.ts";
import { limits } from "./limits.ts";
import { walWarning } from "./log-status.ts";
import { realtimeMetrics } from "./metrics.ts";
import { WalWatch } from "./wal-watch.ts";

const look = (more: Partial<AnchorLook> = {}): AnchorLook => ({
  ...{ epoch: "e", walStatus: "reserved", safeBytes: 600n, maxKeptBytes: 1_000n, restartLsn: 50n },
  ...{ confirmedLsn: 60n, end: 450n, now: new Date(0) },
  ...more,
});

describe("walWarning", () => {
  it.each([
    [{}, null],
    [{ walStatus: "extended", safeBytes: 251n }, null],
    [{ walStatus: "extended", safeBytes: 249n }, "nears"],
    [{ safeBytes: null, maxKeptBytes: null }, null],
    [{ walStatus: "unreserved", safeBytes: -5n }, "about to be lost"],
    [{ walStatus: "lost", safeBytes: null }, "was lost"],
  ] as const)("warning %#", (more, wanted) => {
    const found = walWarning(look(more));
    if (wanted === null) expect(found).toBeNull();
    else expect(found).toContain(wanted);
  });
});

describe("WalWatch", () => {
  it("shows what is kept, and warns now and then while it is too much", async () => {
    const metrics = new Metrics();
    const warned: unknown[] = [];
    let nowMs = 1_000_000;
    const log = { warn: (...line: unknown[]) => void warned.push(line) } as never;
    const watch = new WalWatch(realtimeMetrics(metrics), { log, clock: () => nowMs });
    const window = { to: 440n, bytes: 77, oldest: new Date(nowMs - 5_000) };
    watch.note(look(), window);
    expect(warned).toEqual([]);
    watch.note(look({ safeBytes: 10n }), window);
    watch.note(look({ safeBytes: 9n }), window);
    expect(warned).toHaveLength(1);
    nowMs += limits.walWarnMs;
    watch.note(look({ safeBytes: 9n }), window);
    expect(warned).toHaveLength(2);
    const text = await metrics.registry.metrics();
    for (const line of [
      "ambit_realtime_wal_kept_bytes 400",
      "ambit_realtime_wal_safe_bytes 9",
      "ambit_realtime_wal_behind_bytes 10",
      "ambit_realtime_window_bytes 77",
      "ambit_realtime_window_seconds 305",
    ]) {
      expect(text).toContain(`\n${line}\n`);
    }
  });
});
