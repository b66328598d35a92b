import type { Death, ProgramKind } from "../../engines/workerd/types.ts";
import { limits } from "./limits.ts";
import type { Blame } from "./types.ts";

/** Deaths that code brings about by itself; a crash may be anything. */
const BLAMED: ReadonlySet<Death> = new Set(["unresponsive", "memory"]);

const WHAT: Record<Death, string> = {
  unresponsive: "did not give the thread back",
  memory: "took too much memory",
  crashed: "crashed",
  descriptors: "opened too many files",
};

/** What a unit has to answer for: the deaths its requests were there for, oldest first. */
export type DeathRecord = readonly { readonly atMs: number; readonly death: Death }[];

/** The record after one more death: only as long as a decision needs it. Pure. */
export function recordDeath(record: DeathRecord, death: Death, atMs: number): DeathRecord {
  if (!BLAMED.has(death)) return record;
  return [...record, { atMs, death }].slice(-limits.blameDeaths);
}

/** Whether the unit is kept from running now. Pure. */
export function decideBlame(record: DeathRecord, nowMs: number): Blame | null {
  if (record.length < limits.blameDeaths) return null;
  const [first, last] = [record[0]!, record.at(-1)!];
  const untilMs = last.atMs + limits.blameMs;
  if (last.atMs - first.atMs > limits.blameWindowMs || nowMs >= untilMs) return null;
  const minutes = limits.blameWindowMs / 60_000;
  const reason = `${record.length} times within ${minutes} minutes the process ${WHAT[last.death]} while it ran this`;
  return { untilMs, reason };
}

/** The records of every unit of this node. */
export interface Blames {
  onDeath(appId: string, kind: ProgramKind, units: Iterable<string>, death: Death, nowMs: number): void;
  find(appId: string, kind: ProgramKind, unit: string, nowMs: number): Blame | null;
  pardon(appId: string, kind: ProgramKind, unit: string): void;
  forget(appId: string): void;
}

export function createBlames(): Blames {
  const records = new Map<string, DeathRecord>();
  const keyOf = (appId: string, kind: ProgramKind, unit: string) => `${appId}/${kind}/${unit}`;
  return {
    onDeath(appId, kind, units, death, nowMs) {
      for (const unit of new Set(units)) {
        const key = keyOf(appId, kind, unit);
        const record = recordDeath(records.get(key) ?? [], death, nowMs);
        if (record.length > 0) records.set(key, record);
      }
    },
    find(appId, kind, unit, nowMs) {
      // Asked for every request, and nearly always nobody is to blame.
      if (records.size === 0) return null;
      const record = records.get(keyOf(appId, kind, unit));
      return record === undefined ? null : decideBlame(record, nowMs);
    },
    pardon: (appId, kind, unit) => void records.delete(keyOf(appId, kind, unit)),
    forget(appId) {
      for (const key of records.keys()) if (key.startsWith(`${appId}/`)) records.delete(key);
    },
  };
}
