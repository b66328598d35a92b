import { LRUCache } from "lru-cache";
import { limits } from "./limits.ts";

/** A cache of lookups by key, bounded in entries and age; concurrent misses of one key share one lookup. */
export interface Lookup<V> {
  get(key: string): Promise<V>;
  /** The cached value without a lookup, or undefined. */
  peek(key: string): V | undefined;
  /** Forget one key, or all. Lookups under way are not stored either. */
  forget(key?: string): void;
}

/** `load` answers for a miss; its rejections are not cached. `null` results are cached like any other. */
export function createLookup<V extends object | string | null>(
  load: (key: string) => Promise<V>,
  options: { maxAgeMs?: number; maxEntries?: number } = {},
): Lookup<V> {
  const cache = new LRUCache<string, { value: V }>({
    max: options.maxEntries ?? limits.cacheEntries,
    ttl: options.maxAgeMs ?? limits.cacheMs,
  });
  const pending = new Map<string, Promise<V>>();
  let generation = 0;
  return {
    async get(key) {
      const hit = cache.get(key);
      if (hit !== undefined) return hit.value;
      const running = pending.get(key);
      if (running !== undefined) return running;
      const startedAt = generation;
      const lookup = load(key)
        .then((value) => {
          if (startedAt === generation) cache.set(key, { value });
          return value;
        })
        .finally(() => {
          if (pending.get(key) === lookup) pending.delete(key);
        });
      pending.set(key, lookup);
      return lookup;
    },
    peek: (key) => cache.get(key)?.value,
    forget(key) {
      generation += 1;
      pending.clear();
      if (key === undefined) cache.clear();
      else cache.delete(key);
    },
  };
}
