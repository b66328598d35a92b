import { percentile } from "../harness/statistics.ts";
import type { Window } from "./plan.ts";

/** One connection with at most one request under way. */
export interface Lane {
  /** Sends the request; resolves to the answer's body. Rejects for every answer that is not a success. */
  call(): Promise<string>;
}

/** Keeps every lane busy for `forMs`; what each sends waits for nothing but its own last answer. */
export async function runClosedLoop(lanes: readonly Lane[], forMs: number): Promise<Window> {
  const latenciesMs: number[] = [];
  const startedAt = performance.now();
  const endAt = startedAt + forMs;
  await Promise.all(
    lanes.map(async (lane) => {
      let sentAt = performance.now();
      while (sentAt < endAt) {
        await lane.call();
        const answeredAt = performance.now();
        latenciesMs.push(answeredAt - sentAt);
        sentAt = answeredAt;
      }
    }),
  );
  const seconds = (performance.now() - startedAt) / 1_000;
  return {
    perSecond: latenciesMs.length / seconds,
    p50Ms: percentile(latenciesMs, 0.5),
    p99Ms: percentile(latenciesMs, 0.99),
  };
}
