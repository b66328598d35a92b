import { expect, it } from "vitest";
import type { Transaction } from "../../engines/postgres/replication/transactions.ts";
import { createLog } from "../../kernel/log.ts";
import { Followers } from "./followers.ts";

it("one that fails is told that it missed something, and the others go on", async () => {
  const told: string[] = [];
  const followers = new Followers(createLog("silent"));
  for (const [name, fails] of [
    ["first", true],
    ["second", false],
  ] as const)
    followers.add({
      publications: [`of_${name}`],
      prepare: async () => void told.push(`${name} prepares`),
      onTransaction: ({ xid }) => {
        told.push(`${name} takes ${xid}`);
        if (fails && xid === 1) throw new Error("no");
      },
      onGap: () => told.push(`${name} missed`),
    });
  expect(followers.publications).toEqual(["of_first", "of_second"]);
  await followers.prepare();
  for (const xid of [1, 2]) followers.accept({ xid } as Transaction);
  followers.gap();
  expect(told).toEqual([
    ...["first prepares", "second prepares"],
    ...["first takes 1", "first missed", "second takes 1"],
    ...["first takes 2", "second takes 2", "first missed", "second missed"],
  ]);
});
