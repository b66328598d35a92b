import type { BenchContext } from "../../harness/bench.ts";
import type { Outcome } from "./run-scene.ts";
import type { Scene } from "./scenes.ts";
import type { Share } from "./writers.ts";

const SHARED =
  "clients (checking every frame: the right one, none missing, none twice, in order), writers, Ambit and Postgres share the machine";

/** How a scene was measured, in words. */
export function conditionsOf(scene: Scene, outcome: Outcome, bare: number): string {
  const numbers =
    `${outcome.changes} changes, ${outcome.changesPerSecond.toFixed(0)} a second, ` +
    `${outcome.deliveriesPerSecond.toFixed(0)} deliveries a second (a bare process that writes ready frames: ${bare.toFixed(0)}), ` +
    `${outcome.cpuPerChangeUs.toFixed(0)} µs of Ambit's processor time per change`;
  const how =
    scene.kind === "drain"
      ? "a backlog of inserts, 1,000 a transaction, written while Ambit was halted; until the last frame; " +
        "baseline of changes: a SELECT per change and subscriber, under its policies, divided by the subscribers; of deliveries: the bare process"
      : "inserts at a steady rate over 8 connections; from the insert's own clock to its frame at a client, p50 and p99";
  return `${scene.name}: ${outcome.clients} clients, ${scene.policy}; ${how}; ${numbers}; ${SHARED}`;
}

export function reportShare({ report }: BenchContext, name: string, share: Share, version: string): void {
  const who = name === "writer_share" ? "one idle client connected" : "no client connected";
  report(
    {
      measure: `realtime.${name}`,
      value: share.perSecond,
      unit: "tx/s",
      baseline: share.without,
      ratio: share.ratio,
      target: { of: "ratio", bound: "≥", number: 0.75 },
      conditions:
        `transactions of one row, inserts and updates by turns, over 8 connections; live changes of the table switched on, ${who}, ` +
        "nobody subscribed; baseline: another Ambit without live changes, alternating, 1 s each, medians of 7 rounds (the ratio too)",
    },
    version,
  );
}
