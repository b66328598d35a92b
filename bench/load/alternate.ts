import { median } from "../harness/statistics.ts";
import type { Generator } from "./generator.ts";
import type { Window } from "./plan.ts";

/** How a comparison is made. */
export interface Rounds {
  readonly rounds: number;
  /** Each side's share of a round. */
  readonly windowMs: number;
  /** Before the first round, each side, not counted. */
  readonly warmUpMs: number;
}

/** Many short rounds rather than few long ones: a burst of something else on the machine spoils few of them. */
export const ROUNDS: Rounds = { rounds: 15, windowMs: 1_000, warmUpMs: 3_000 };

/** In words, for the conditions of a measure. */
export const describeRounds = ({ rounds, windowMs, warmUpMs }: Rounds): string =>
  `medians of ${rounds} rounds (the ratio too), alternating ${windowMs / 1_000} s each after ${warmUpMs / 1_000} s to warm up`;

/** A number of a window. */
type Quantity = keyof Window;

/** The rounds of a comparison, and their medians. */
export interface Comparison {
  a(quantity: Quantity): number;
  b(quantity: Quantity): number;
  /** The median of each round's own ratio of a to b: both sides of a round see the same machine. */
  ratio(quantity: Quantity): number;
  /** The median of each round's own difference, a less b. */
  difference(quantity: Quantity): number;
}

/** Measures two sides by turns, A B A B, so that what else the machine does falls on both. */
export async function alternate(
  a: Generator,
  b: Generator,
  { rounds, windowMs, warmUpMs }: Rounds,
  seen: (round: number, a: Window, b: Window) => void,
): Promise<Comparison> {
  await a.run(warmUpMs);
  await b.run(warmUpMs);
  const pairs: { a: Window; b: Window }[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    const pair = { a: await a.run(windowMs), b: await b.run(windowMs) };
    pairs.push(pair);
    seen(round, pair.a, pair.b);
  }
  return {
    a: (quantity) => median(pairs.map((pair) => pair.a[quantity])),
    b: (quantity) => median(pairs.map((pair) => pair.b[quantity])),
    ratio: (quantity) => median(pairs.map((pair) => pair.a[quantity] / pair.b[quantity])),
    difference: (quantity) => median(pairs.map((pair) => pair.a[quantity] - pair.b[quantity])),
  };
}
