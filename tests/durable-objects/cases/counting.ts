import { expect } from "vitest";
import type { AppCases } from "./types.ts";

/** State of one instance under many callers. */
export const counting: AppCases = {
  name: "counting",
  programs: ["counter", "rate-limiter", "names", "apart", "promise-cache"],
  cases: [
    {
      name: "a counter loses nothing under 60 callers at once",
      async run(client) {
        const answers = await Promise.all(
          Array.from({ length: 60 }, () =>
            client.fetch("counter/hot/add", { method: "POST", compare: "nothing" }),
          ),
        );
        const values = answers.map((reply) => Number(reply.text)).sort((a, b) => a - b);
        client.note("values", values);
        expect(values).toEqual(Array.from({ length: 60 }, (_, n) => n + 1));
        expect((await client.fetch("counter/hot")).text).toBe("60");
      },
    },
    {
      name: "a rate limiter lets through what its bucket holds",
      async run(client) {
        const at = (ms: number) =>
          client.fetch("rate-limiter/key-1", { headers: { "x-test-now": String(ms) } });
        const statuses = [];
        for (let n = 0; n < 7; n++) statuses.push((await at(1_000)).status);
        expect(statuses).toEqual([200, 200, 200, 200, 200, 429, 429]);
        expect((await at(2_500)).status).toBe(200);
        expect((await at(2_600)).headers["x-test-retry"]).toBe("1");
        expect((await at(60_000)).json()).toEqual({ left: 4 });
        expect((await client.fetch("rate-limiter/key-2", { headers: { "x-test-now": "0" } })).status).toBe(
          200,
        );
      },
    },
    {
      name: "ids: the same for the same name, refused for another class",
      async run(client) {
        expect((await client.fetch("names/self/check")).json()).toEqual({
          sameName: true,
          sameText: true,
          otherName: false,
          otherClass: false,
          digits: true,
          roundTrip: true,
          unique: false,
          nameOfUnique: null,
          foreign: "TypeError",
          malformed: "TypeError",
          throughName: { name: "self", same: true },
        });
        expect((await client.fetch("names/someone else/whoami".replace(" ", "%20"))).json()).toEqual({
          name: "someone else",
          same: false,
        });
      },
    },
    {
      name: "twelve instances side by side share nothing",
      async run(client) {
        const names = Array.from({ length: 12 }, (_, n) => `i${n}`);
        const rounds = [0, 1, 2].flatMap((round) => names.map((name) => ({ name, round })));
        await Promise.all(
          rounds.map(({ name, round }) =>
            client.fetch(`apart/${name}`, { method: "POST", body: `${name}-${round}`, compare: "nothing" }),
          ),
        );
        for (const name of names) {
          const state = (await client.fetch(`apart/${name}`)).json();
          expect(state).toEqual({
            seen: 4,
            stored: [`${name}-0`, `${name}-1`, `${name}-2`],
            rows: 4,
            moduleIsShared: true,
          });
        }
      },
    },
    {
      name: "a cached promise is worked out once for all who wait",
      async run(client) {
        const all = await Promise.all(
          Array.from({ length: 10 }, () => client.fetch("promise-cache/a?key=k", { compare: "nothing" })),
        );
        expect(new Set(all.map((reply) => reply.text))).toEqual(new Set(["k by run 1"]));
        expect((await client.fetch("promise-cache/a?key=k")).text).toBe("k by run 1");
        expect((await client.fetch("promise-cache/a?key=other")).text).toBe("other by run 2");
      },
    },
  ],
};
