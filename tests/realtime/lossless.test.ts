/**
 * The promise: nothing is lost, nothing comes twice, and nothing comes out of order, whatever ends: a client's
 * connection, the connection on which the log is read, the server or the database (killed without warning), the slot.
 *
 * Random apps as in exact.test.ts. A client that comes back gives its last `seq`; what it then gets is held against the
 * log: all that it missed, judged as ever, or `resync`. As long as nothing but clients' connections end, there is no
 * excuse for a `resync` that no change of policies or members explains.
 *
 * AMBIT_SEED repeats a run or looks elsewhere, AMBIT_STEPS makes it longer, AMBIT_RUNS makes more of them.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SEED } from "../gateway/stand/dice.ts";
import { Ground } from "./stand/ground.ts";
import { type Plan, type Play, play } from "./stand/play.ts";

const STEPS = Number(process.env.AMBIT_STEPS ?? 90);
const RUNS = Number(process.env.AMBIT_RUNS ?? 1);
const seeds = Array.from({ length: RUNS }, (_, n) => SEED + n);
const calm = { steps: STEPS, modern: true, changes: 0, wishes: 0.03, losses: 0.05 };
let ground: Ground;

beforeAll(async () => {
  ground = await Ground.start();
});
afterAll(() => ground?.close());

/** Plays with something done to the ground between any two quiet points. */
const disturbed = (
  seed: number,
  what: string,
  work: () => Promise<unknown>,
  more: Partial<Plan> = {},
): Promise<Play> =>
  play(ground, {
    ...{ ...calm, seed, ...more },
    async disturb() {
      await work();
      return `!! ${what}`;
    },
  });

const resumed = ({ clients }: Play): number =>
  clients.flatMap(({ watches }) => watches).reduce((sum, watch) => sum + watch.resumed, 0);

describe("nothing is lost", { timeout: 120_000 + STEPS * 1_000 }, () => {
  it.each(seeds)("when clients are lost and come back with `since`, seed %i", async (seed) => {
    const played = await play(ground, { ...calm, seed, losses: 0.2 });
    expect(resumed(played), "subscriptions that went on where they were").toBeGreaterThan(5);
    expect(played.judge.counts.exact).toBeGreaterThan(STEPS);
  });

  it.each(seeds)("when policies change while clients are away, seed %i", async (seed) => {
    const played = await play(ground, { ...calm, seed, losses: 0.2, changes: 0.1 });
    expect(resumed(played)).toBeGreaterThan(0);
  });

  it.each(seeds)("when the connection on which the log is read is cut, seed %i", async (seed) => {
    const played = await disturbed(seed, "replication is cut", () => ground.cutReplication());
    expect(played.judge.counts.exact).toBeGreaterThan(STEPS);
  });

  it.each(seeds)("when Postgres is killed, seed %i", async (seed) => {
    const played = await disturbed(seed, "Postgres is killed", () => ground.killDatabase());
    expect(played.judge.counts.exact).toBeGreaterThan(STEPS / 2);
  });

  it.each(seeds)("when the server is killed, seed %i", async (seed) => {
    const played = await disturbed(seed, "the server is killed", () => ground.killServer(), { losses: 0 });
    expect(played.judge.counts.exact).toBeGreaterThan(0);
  });

  it.each(seeds)("when the slots are lost: then everyone is told to load afresh, seed %i", async (seed) => {
    let dropped = 0;
    const played = await disturbed(seed, "the slots are dropped", async () => {
      dropped += await ground.dropSlots();
    });
    expect(dropped).toBeGreaterThan(0);
    expect(played.judge.counts.resyncs).toBeGreaterThan(0);
  });
});
