import { expect } from "vitest";
import type { AppCases } from "./types.ts";

/** What runs when: gates, sections, timers, work after the answer. */
export const gates: AppCases = {
  name: "gates",
  programs: ["block-concurrency", "input-gate", "wait-until", "timers", "promise-cache"],
  cases: [
    {
      name: "nothing is served before the constructor's section is done; one that fails ends the instance",
      async run(client) {
        const first = await Promise.all(
          Array.from({ length: 10 }, () => client.fetch("block-concurrency/a/look", { compare: "nothing" })),
        );
        for (const reply of first) expect(reply.json()).toEqual({ ready: true, value: 0, starts: 1 });
        const added = await Promise.all(
          Array.from({ length: 20 }, () => client.fetch("block-concurrency/a/add", { compare: "nothing" })),
        );
        expect(Math.max(...added.map((reply) => Number(reply.text)))).toBe(20);
        expect((await client.fetch("block-concurrency/a/break", { compare: "status" })).status).toBe(500);
        expect((await client.fetch("block-concurrency/a/look")).json()).toEqual({
          ready: true,
          value: 0,
          starts: 2,
        });
      },
    },
    {
      name: "requests don't get between a read and a write",
      async run(client) {
        const callers = Array.from({ length: 12 }, (_, n) => `c${n}`);
        await Promise.all(
          callers.map((who) => client.fetch(`input-gate/a?who=${who}`, { compare: "nothing" })),
        );
        const log = JSON.parse((await client.fetch("input-gate/a", { compare: "status" })).text) as string[];
        expect(log).toHaveLength(24);
        for (let n = 0; n < log.length; n += 2) expect(log[n + 1]).toBe(log[n]!.replace(" in", " out"));
      },
    },
    {
      name: "work given to waitUntil goes on after the answer",
      async run(client) {
        expect((await client.fetch("wait-until/a", { method: "POST" })).status).toBe(202);
        expect((await client.fetch("wait-until/a")).text).toBe("nothing yet");
        await client.fetch("wait-until/a", { method: "PUT", compare: "status" });
        await client.poll("wait-until/a", (reply) => reply.text === "done after the answer");
      },
    },
    {
      name: "timers keep their order and go on between requests",
      async run(client) {
        expect((await client.fetch("timers/a/order")).json()).toEqual([
          "now",
          "microtask",
          "timeout 0",
          "interval",
          "timeout 20",
          "time passed",
        ]);
        expect((await client.fetch("timers/b/later")).json()).toEqual({ ticks: 0 });
        await client.poll("timers/b/state", (reply) => reply.json().ticks === 1);
      },
    },
  ],
};
