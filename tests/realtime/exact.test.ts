/**
 * The promise: for every client and every commit, what it is sent equals what a SELECT as that identity would have shown
 * before and after that commit.
 *
 * Random apps (keys, types, policies, grants, members) are written to at random through the API and in SQL, many things
 * at once, while policies, grants and columns change. Triggers and a replication slot of the suite's own say what was
 * committed where; a second implementation of the policies says what of it each client has to be sent, frame by frame.
 * At quiet points each client's view, the data API and Postgres as that role have to agree.
 *
 * AMBIT_SEED repeats a run or looks elsewhere, AMBIT_STEPS makes it longer, AMBIT_RUNS makes more of them.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SEED } from "../gateway/stand/dice.ts";
import { Ground } from "./stand/ground.ts";
import { play } from "./stand/play.ts";

const STEPS = Number(process.env.AMBIT_STEPS ?? 120);
const RUNS = Number(process.env.AMBIT_RUNS ?? 2);
const seeds = Array.from({ length: RUNS }, (_, n) => SEED + n);
/** Some runs in which memberships change all the time, and some in which nothing excuses a missing frame. */
const restlessness = (seed: number) => ({ restless: seed % 2 === 0 ? 0.2 : 0 });
let ground: Ground;

beforeAll(async () => {
  ground = await Ground.start();
});
afterAll(() => ground?.close());

describe("everyone is sent exactly what they may see", { timeout: 60_000 + STEPS * RUNS * 1_000 }, () => {
  it.each(seeds)("by the frames that old clients know, seed %i", async (seed) => {
    const { judge } = await play(ground, {
      ...restlessness(seed),
      seed,
      steps: STEPS,
      modern: false,
      changes: 0.08,
      wishes: 0,
      losses: 0,
    });
    expect(judge.counts.exact).toBeGreaterThan(STEPS / 4);
  });

  it.each(seeds)("with ids, filters, columns and current rows, seed %i", async (seed) => {
    const { judge } = await play(ground, {
      ...restlessness(seed),
      seed,
      steps: STEPS,
      modern: true,
      changes: 0.08,
      wishes: 0.06,
      losses: 0,
    });
    expect(judge.counts.exact).toBeGreaterThan(STEPS / 4);
  });
});
