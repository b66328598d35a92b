import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../support/actors.ts";
import { apiAs } from "../support/api.ts";
import { discard, postgresPid, type Server, startServer } from "../support/server.ts";
import { newStaffed } from "../support/substrate.ts";
import { crashAmidst } from "./model/crash.ts";
import { checkpoint, compareAll, compareBooks, newRun, play, telling } from "./model/play.ts";

/** AMBIT_SEED replays a run; AMBIT_RUNS and AMBIT_STEPS make more of them, and longer ones. */
const RUNS = Number(process.env.AMBIT_RUNS ?? 3);
const STEPS = Number(process.env.AMBIT_STEPS ?? 250);
const given = process.env.AMBIT_SEED;
const seeds = Array.from({ length: RUNS }, (_, run) =>
  given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given) + run,
);

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => discard(server));

const organization = async (name: string) =>
  newStaffed(() => server.apiUrl, apiAs(server.apiUrl, server.apiKey), name);

describe("whatever people, agents and apps propose and decide", { timeout: 600_000 }, () => {
  it.each(seeds)("agrees with a simple model of it (AMBIT_SEED=%i)", async (seed) => {
    const run = newRun(seed, await organization(`Model ${seed}`));
    await telling(run, seed, async () => {
      await play(run, STEPS / 2);
      const kept = [await checkpoint(run)];
      await play(run, STEPS / 2);
      await compareAll(run);
      await compareBooks(run, kept);
      expect(run.world.actions.size).toBeGreaterThan(STEPS / 8);
    });
  });
});

const ENDS: Readonly<Record<string, () => Promise<void>>> = {
  async "Ambit is killed"() {
    await server.kill();
    server = await startServer({}, server.dataDir);
  },
  async "Postgres is killed"() {
    process.kill(postgresPid(server.dataDir)!, "SIGKILL");
    const owner = apiAs(server.apiUrl, server.apiKey);
    await eventually(
      async () => (await owner("GET", "/v1/organizations").catch(() => null))?.status === 200,
      "the database again",
      30_000,
    );
  },
  async "both are killed"() {
    process.kill(postgresPid(server.dataDir)!, "SIGKILL");
    await server.kill();
    server = await startServer({}, server.dataDir);
  },
};

describe("when it ends amidst proposals and approvals", { timeout: 600_000 }, () => {
  it.each(seeds.slice(0, Math.ceil(RUNS / 2)))(
    "each has happened wholly or not at all, and the model goes on (AMBIT_SEED=%i)",
    async (seed) => {
      const run = newRun(seed, await organization(`Crash ${seed}`));
      const kept: string[] = [];
      await telling(run, seed, async () => {
        await play(run, 40);
        for (const [what, end] of Object.entries(ENDS)) {
          run.trail.push(what);
          kept.push(await checkpoint(run));
          await crashAmidst(run, end);
          await compareAll(run);
          await play(run, 15);
        }
        await compareAll(run);
        await compareBooks(run, kept);
      });
    },
  );
});
