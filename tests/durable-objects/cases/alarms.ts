import { expect } from "vitest";
import type { AppCases } from "./types.ts";

/** Alarms: loops, retries, errors. */
export const alarms: AppCases = {
  name: "alarms",
  programs: ["game-loop", "alarm-retry", "alarm-api", "alarm-error", "no-alarm"],
  cases: [
    {
      name: "a game loop moves by alarms and stops by itself",
      async run(client) {
        const player = await client.connect("game-loop/arena", { label: "player" });
        player.send("3");
        for (let tick = 1; tick <= 6; tick++) {
          expect(JSON.parse(String(await player.next()))).toEqual({ tick, x: tick * 3, speed: 3 });
        }
        const end = await client.poll("game-loop/arena/state", (reply) => reply.json().alarm === null);
        expect(end.json().state).toEqual({ tick: 6, x: 18, speed: 3 });
        player.close(1000);
        await player.closed();
      },
    },
    {
      name: "a failed alarm is tried again, and told which try it is",
      async run(client) {
        await client.fetch("alarm-retry/a/start?failures=1");
        const between = await client.poll("alarm-retry/a/state", (reply) => reply.json().runs.length === 1);
        expect(between.json().runs).toEqual([{ isRetry: false, retryCount: 0 }]);
        const after = await client.poll(
          "alarm-retry/a/state",
          (reply) => reply.json().runs.length > 1,
          20_000,
        );
        expect(after.json()).toEqual({
          runs: [
            { isRetry: false, retryCount: 0 },
            { isRetry: true, retryCount: 1 },
          ],
          done: "run 1",
        });
      },
    },
    {
      name: "alarms are set, moved, asked for and taken back; one in the past rings at once",
      async run(client) {
        await client.fetch("alarm-api/a/script");
        await client.fetch("alarm-api/b/past", { compare: "status" });
        const fired = await client.poll("alarm-api/b/state", (reply) => reply.json().fired === 1);
        expect(fired.json()).toEqual({ fired: 1, left: null });
      },
    },
    {
      name: "an instance with a failing alarm serves, and a new alarm replaces the failing one",
      async run(client) {
        await client.fetch("alarm-error/a?mode=fail", { compare: "status" });
        await client.poll("alarm-error/a", (reply) => reply.json().failed);
        const started = Date.now();
        await client.fetch("alarm-error/a?mode=work", { compare: "status" });
        const done = await client.poll("alarm-error/a", (reply) => reply.json().worked);
        expect(done.json().worked).toBe(true);
        expect(Date.now() - started).toBeLessThan(15_000);
      },
    },
    {
      name: "a class without alarm() can't set one",
      async run(client) {
        expect((await client.fetch("no-alarm/a")).text).not.toBe("accepted");
      },
    },
  ],
};
