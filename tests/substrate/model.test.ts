import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apiAs } from "../support/api.ts";
import { discard, type Server, startServer } from "../support/server.ts";
import { newStaffed } from "../support/substrate.ts";
import { checkpoint, compareAll, compareBooks, newRun, play, telling } from "./model/play.ts";

/** AMBIT_SEED replays a run; AMBIT_RUNS and AMBIT_STEPS make more of them, and longer ones. */
const RUNS = Number(process.env.AMBIT_RUNS ?? 1);
const STEPS = Number(process.env.AMBIT_STEPS ?? 250);
const seedOf = (run: number) =>
  process.env.AMBIT_SEED === undefined
    ? Math.floor(Math.random() * 2 ** 31)
    : Number(process.env.AMBIT_SEED) + run;

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => discard(server));

describe("whatever people, agents and apps propose and decide", { timeout: 600_000 }, () => {
  it.each(Array.from({ length: RUNS }, (_, run) => seedOf(run)))(
    "the substrate agrees with a simple model (seed %i)",
    async (seed) => {
      const founder = apiAs(server.apiUrl, server.apiKey);
      const run = newRun(seed, await newStaffed(() => server.apiUrl, founder, `Model ${seed}`));
      await telling(run, seed, async () => {
        await play(run, STEPS / 2);
        const kept = [await checkpoint(run)];
        await play(run, STEPS / 2);
        await compareAll(run);
        await compareBooks(run, kept);
        expect(run.world.actions.size).toBeGreaterThan(STEPS / 8);
      });
    },
  );
});
