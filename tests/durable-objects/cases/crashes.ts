import { expect } from "vitest";
import type { AppCases } from "./types.ts";

/** What is there after the process was killed. */
export const crashes: AppCases = {
  name: "crashes",
  programs: ["alarm-clock", "output-gate", "durable-log"],
  alone: true,
  cases: [
    {
      name: "an alarm that fell due while the process was gone rings when it is back",
      async run(client) {
        await client.fetch("alarm-clock/a?in=400");
        await client.fetch("alarm-clock/far?in=3600000");
        await client.crash();
        const rang = await client.poll(
          "alarm-clock/a",
          (reply) => reply.status === 200 && reply.json().rang > 0,
        );
        expect(rang.json()).toEqual({ rang: 1, pending: false });
        const far = await client.poll("alarm-clock/far", (reply) => reply.status === 200);
        expect(far.json()).toEqual({ rang: 0, pending: true });
      },
    },
    {
      name: "an answer is not seen before what it rests on is stored",
      async run(client) {
        const answers = await Promise.all(
          Array.from({ length: 8 }, (_, n) =>
            client.fetch(`output-gate/a?key=k${n}`, { method: "POST", compare: "nothing" }),
          ),
        );
        expect(answers.map((reply) => reply.status)).toEqual(Array(8).fill(200));
        await client.crash();
        const kept = await client.poll("output-gate/a", (reply) => reply.status === 200);
        expect(kept.json()).toHaveLength(16);
        const next = await client.fetch("output-gate/a?key=k8", { method: "POST" });
        expect(next.text).toBe("stored 9");
      },
    },
    {
      name: "fields are lost in a crash, rows are not, and numbers go on",
      async run(client) {
        for (const line of ["one", "two ünïcode"]) {
          await client.fetch("durable-log/a", { method: "POST", body: line });
        }
        expect((await client.fetch("durable-log/a")).json()).toEqual({
          lines: ["one", "two ünïcode"],
          inMemory: ["one", "two ünïcode"],
        });
        await client.crash();
        const after = await client.poll("durable-log/a", (reply) => reply.status === 200);
        expect(after.json()).toEqual({ lines: ["one", "two ünïcode"], inMemory: [] });
        const third = await client.fetch("durable-log/a", { method: "POST", body: "three" });
        expect(third.json()).toEqual({ n: 3 });
      },
    },
  ],
};
