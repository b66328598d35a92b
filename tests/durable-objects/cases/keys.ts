import { expect } from "vitest";
import type { AppCases } from "./types.ts";

/** The key-value side of storage. */
export const keys: AppCases = {
  name: "keys",
  programs: ["kv-list", "kv-many", "kv-sync", "clone-types", "large-values"],
  cases: [
    {
      name: "listing by prefix, limit, order and ends",
      async run(client) {
        await client.fetch("kv-list/a", { method: "PUT" });
        const list = async (options: object) => {
          const reply = await client.fetch("kv-list/a", { method: "POST", body: JSON.stringify(options) });
          return reply.status === 200 ? reply.json().map(([key]: [string]) => key) : reply.status;
        };
        expect(await list({ prefix: "user:" })).toEqual(["user:1", "user:10", "user:2", "user:é", "user:😀"]);
        expect(await list({ prefix: "user:", limit: 2, reverse: true })).toEqual(["user:😀", "user:é"]);
        expect(await list({ start: "b", end: "user:2" })).toEqual(["b", "user:1", "user:10"]);
        expect(await list({ startAfter: "b", limit: 1 })).toEqual(["user:1"]);
        expect(await list({ start: "user:10", end: "z", reverse: true, limit: 3 })).toHaveLength(3);
        expect(await list({ prefix: "nope" })).toEqual([]);
        expect(await list({})).toHaveLength(8);
        expect(await list({ limit: 0 })).toBe(400);
        expect(await list({ start: "a", startAfter: "b" })).toBe(400);
        expect(await list({ end: "a" })).toEqual([]);
      },
    },
    {
      name: "many keys at once, counted deletes, deleteAll",
      async run(client) {
        const log = (await client.fetch("kv-many/a")).json();
        expect(log.slice(1, 4)).toEqual([true, false, 2]);
        expect(log.slice(-3)).toEqual([[], { n: 0 }, true]);
      },
    },
    {
      name: "the synchronous key-value API",
      async run(client) {
        const log = (await client.fetch("kv-sync/a")).json();
        expect(log[0]).toBe(1);
        expect(log.at(-1)).toEqual(["d", "c", "b"]);
      },
    },
    {
      name: "values JSON doesn't know, through storage and back",
      async run(client) {
        const put = await client.fetch("clone-types/a", { method: "PUT" });
        expect(put.text).toBe("DataCloneError DataCloneError DataCloneError DataCloneError");
        expect((await client.fetch("clone-types/a")).json()).toEqual({
          set: [1, "2"],
          bigInMap: "1",
          date: 1_000,
          bytes: ["Uint8Array", 1, 2, 255],
          buffer: [1, 65_535],
          floats: ["0.1", "NaN", "-0"],
          big: String(2n ** 80n),
          pattern: "/a+b/gi",
          error: [true, "too far"],
          numbers: ["Infinity", "-0", "NaN"],
          sparse: [3, false],
          cyclic: true,
        });
      },
    },
    {
      name: "values and keys up to the documented sizes",
      async run(client) {
        const value = Buffer.alloc(1_900_000, 5);
        expect((await client.fetch("large-values/a?key=big", { method: "PUT", body: value })).status).toBe(
          204,
        );
        const back = await client.fetch("large-values/a?key=big");
        expect(back.body.equals(value)).toBe(true);
        await client.fetch("large-values/a?keyBytes=2000", { method: "PUT", body: "long key" });
        expect((await client.fetch("large-values/a?keyBytes=2000")).text).toBe("long key");
        expect((await client.fetch("large-values/a?key=none")).status).toBe(404);
      },
    },
  ],
};
