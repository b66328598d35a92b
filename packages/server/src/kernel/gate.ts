import type { AmbitError } from "./errors.ts";

export interface GateLimits {
  /** How many may be inside at once, per key. */
  readonly inside: number;
  /** How many may wait, per key; more are turned away. */
  readonly waiting: number;
  /** The error for those. */
  refusal(): AmbitError;
}

/** Lets work of one key in only so many at a time, in the order of arrival. */
export interface Gate {
  /** Throws the refusal when too many wait already. */
  run<T>(key: string, work: () => Promise<T>): Promise<T>;
}

export function createGate({ inside, waiting, refusal }: GateLimits): Gate {
  const states = new Map<string, { inside: number; queue: (() => void)[] }>();
  return {
    async run(key, work) {
      const state = states.get(key) ?? { inside: 0, queue: [] };
      states.set(key, state);
      if (state.inside < inside) state.inside += 1;
      else {
        if (state.queue.length >= waiting) throw refusal();
        // Whoever leaves hands its place on, so `inside` stays as it is.
        await new Promise<void>((enter) => state.queue.push(enter));
      }
      try {
        return await work();
      } finally {
        const next = state.queue.shift();
        if (next !== undefined) next();
        else {
          state.inside -= 1;
          if (state.inside === 0) states.delete(key);
        }
      }
    },
  };
}
