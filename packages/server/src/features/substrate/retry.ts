import { limits } from "./limits.ts";

/** What Postgres says to a transaction that met another at the same rows: not serialisable, deadlock, key just taken. */
const MET_ANOTHER = new Set(["40001", "40P01", "23505"]);

/** Does `work` again, a few times, as long as it fails only because another transaction was at the same rows. */
export async function withRetries<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      if (attempt >= limits.attempts || typeof code !== "string" || !MET_ANOTHER.has(code)) throw error;
      const pauseMs = Math.random() * limits.retryPauseMs * 2 ** attempt;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}
