import { hash, verify } from "@node-rs/argon2";
import { authErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { normalizePassword } from "./password-rules.ts";

const PARAMETERS = { memoryCost: limits.hashMemoryKib, timeCost: limits.hashPasses, parallelism: 1 };

/** A hash of nothing in particular: comparing with it costs what comparing with a real one costs. */
const DECOY = `$argon2id$v=19$m=${limits.hashMemoryKib},t=${limits.hashPasses},p=1$${"A".repeat(22)}$${"A".repeat(43)}`;

/** Hashes passwords with Argon2id, two at a time. Throws AUTH_BUSY when too many wait. */
export interface PasswordHasher {
  hash(password: string): Promise<string>;
  /** Takes the same time when there is no hash to compare with; the answer is then false. */
  verify(stored: string | null, password: string): Promise<boolean>;
}

export function createPasswordHasher(): PasswordHasher {
  const bounded = createGate(limits.hashesAtOnce, limits.hashesWaiting);
  return {
    hash: (password) => bounded(() => hash(normalizePassword(password), PARAMETERS)),
    async verify(stored, password) {
      const matches = await bounded(() => verify(stored ?? DECOY, normalizePassword(password)));
      return matches && stored !== null;
    },
  };
}

/** Runs at most `atOnce` jobs; up to `waiting` more queue in order, the next is refused. */
export function createGate(atOnce: number, waiting: number): <T>(job: () => Promise<T>) => Promise<T> {
  const queue: (() => void)[] = [];
  let running = 0;
  return async (job) => {
    if (running < atOnce) running += 1;
    else {
      if (queue.length >= waiting) throw authErrors.AUTH_BUSY({ headers: { "Retry-After": "1" } });
      await new Promise<void>((resolve) => queue.push(resolve));
    }
    try {
      return await job();
    } finally {
      // The place goes to the next in line without becoming free in between.
      const next = queue.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
