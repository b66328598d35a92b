import { expect } from "vitest";
import type { AppCases } from "./types.ts";

/** TypeScript and JavaScript as people write them. */
export const language: AppCases = {
  name: "language",
  programs: ["typescript", "private-members", "generators", "sorting-room"],
  cases: [
    {
      name: "enums, namespaces, parameter properties, overloads and the rest of TypeScript",
      async run(client) {
        expect((await client.fetch("typescript/a")).json()).toMatchObject({
          enum: [2, "Hearts", 11],
          constEnum: "high",
          namespace: 26,
          square: "square with 4 sides and area 9",
          made: 1,
          edge: 5,
          phantom: false,
          pick: "b",
          optional: 3,
          assigned: 7,
          names: ["x", "y"],
        });
      },
    },
    {
      name: "private members are private",
      async run(client) {
        expect((await client.fetch("private-members/a")).json()).toMatchObject({ count: 1, other: false });
        for (let n = 0; n < 2; n++) await client.fetch("private-members/a");
        const full = await client.fetch("private-members/a");
        expect([full.status, full.text]).toEqual([409, "RangeError: at most 3"]);
      },
    },
    {
      name: "generators make answers and clean up",
      async run(client) {
        const reply = await client.fetch("generators/a?n=4");
        expect(reply.text).toBe('{"n":1}\n{"n":2}\n{"n":3}\n{"n":4}\n');
        expect(reply.headers["x-test-first"]).toBe("1");
        expect((await client.fetch("generators/a", { method: "HEAD" })).headers["x-test-closed"]).toBe("2");
      },
    },
    {
      name: "a work queue with leases",
      async run(client) {
        const jobs = [
          { priority: 1, body: "low" },
          { priority: 9, body: "high" },
        ];
        const post = (path: string, body?: string) =>
          client.fetch(`sorting-room/q/${path}`, { method: "POST", ...(body ? { body } : {}) });
        expect((await post("jobs", JSON.stringify(jobs))).status).toBe(201);
        expect((await post("take?now=0")).json()).toMatchObject({ body: "high" });
        expect((await post("take?now=0")).json()).toMatchObject({ body: "low" });
        expect((await post("take?now=99")).status).toBe(204);
        const again = (await post("take?now=101")).json();
        expect(again).toMatchObject({ body: "high" });
        const gone = await client.fetch(`sorting-room/q/done?id=${again.id}`, { method: "DELETE" });
        expect(gone.json()).toEqual({ gone: true });
        expect((await post("take?now=500")).json()).toMatchObject({ body: "low" });
        expect((await client.fetch("sorting-room/q/other")).status).toBe(405);
      },
    },
  ],
};
