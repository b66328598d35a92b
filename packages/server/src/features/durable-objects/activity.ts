import { LRUCache } from "lru-cache";
import type { Queryable } from "../../engines/postgres/database.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { upsertInstances } from "./instance-store.ts";
import { limits } from "./limits.ts";

/** Remembers which instances were reached, and writes it down in batches, never on a request's way. */
export interface Activity {
  /** An instance was reached by its name. Only sets a number. */
  saw(classId: string, name: string, atMs: number): void;
  /** When the instance was last reached through this node, if that may not be written yet. */
  lastAtMs(classId: string, name: string): number | null;
  /** Writes what is due; with `all`, everything that waits. */
  flush(all?: boolean): Promise<void>;
}

export function createActivity(
  database: Queryable,
  { log, clock }: { log: Log; clock: Clock },
  idFromName: (uniqueKey: string, name: string) => string,
): Activity {
  let pending = new Map<string, Map<string, number>>();
  let count = 0;
  /** When an instance was last written; those seen again soon wait, but none is forgotten. */
  const written = new LRUCache<string, { id: string; atMs: number }>({ max: limits.activityPending });
  let writing: Promise<void> = Promise.resolve();

  const take = (all: boolean) => {
    const nowMs = clock();
    const due: { classId: string; instanceId: string; name: string; atMs: number }[] = [];
    const kept = new Map<string, Map<string, number>>();
    count = 0;
    for (const [classId, names] of pending) {
      for (const [name, atMs] of names) {
        const before = written.get(`${classId}/${name}`);
        const soon = before !== undefined && nowMs - before.atMs < limits.activityAgainMs;
        if (!all && (soon || due.length >= limits.activityBatch)) {
          if (!kept.has(classId)) kept.set(classId, new Map());
          kept.get(classId)!.set(name, atMs);
          count += 1;
        } else due.push({ classId, name, atMs, instanceId: before?.id ?? idFromName(classId, name) });
      }
    }
    pending = kept;
    return due;
  };
  const saw = (classId: string, name: string, atMs: number) => {
    let names = pending.get(classId);
    if (names === undefined) {
      names = new Map();
      pending.set(classId, names);
    }
    const before = names.get(name);
    if (before === undefined) {
      if (count >= limits.activityPending) return;
      count += 1;
    }
    names.set(name, before === undefined ? atMs : Math.max(before, atMs));
  };
  const write = async (all: boolean) => {
    const due = take(all);
    if (due.length === 0) return;
    try {
      await upsertInstances(database, due);
      for (const { classId, name, instanceId, atMs } of due)
        written.set(`${classId}/${name}`, { id: instanceId, atMs });
    } catch (error) {
      for (const each of due) saw(each.classId, each.name, each.atMs);
      log.warn({ error: (error as Error).message }, "activity of instances was not written yet");
    }
  };
  return {
    saw,
    lastAtMs: (classId, name) =>
      pending.get(classId)?.get(name) ?? written.get(`${classId}/${name}`)?.atMs ?? null,
    flush(all = false) {
      writing = writing.then(() => write(all));
      return writing;
    },
  };
}
