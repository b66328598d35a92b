import { afterAll, beforeAll, expect, it } from "vitest";
import { createLog } from "../../kernel/log.ts";
import { loadViews } from "./catalog.ts";
import { SqlJudge } from "./judge.ts";
import { PolicyWorld } from "./policies/testing/policy-world.ts";
import { PolicyRules } from "./policy-rules.ts";

let world: PolicyWorld;
beforeAll(async () => {
  world = await PolicyWorld.start();
  await world.define(
    "create table docs (id int primary key, team int)",
    "create table members (team int, user_id text)",
    "alter table docs enable row level security",
  );
});
afterAll(() => world?.stop());

const MEMBERS = "exists (select 1 from members m where m.team = docs.team and m.user_id = current_user_id())";

it("checks a policy once, and again when columns of a table that it reads have another type", async () => {
  const { database, clock } = world.test.platform;
  const checks: string[] = [];
  const compiled = { inc: ({ result }: { result: string }) => void checks.push(result) };
  const rules = new PolicyRules({
    ...{ database, judge: new SqlJudge(database, clock, () => {}), log: createLog("silent") },
    metrics: { compiled } as unknown as ConstructorParameters<typeof PolicyRules>[0]["metrics"],
  });
  const compile = async () => {
    const views = await database.transaction((tx) => loadViews(tx, world.appId, ["docs"]));
    return rules.compiled(world.appId, { ...views.get("docs")!, unwatched: false }, "user");
  };
  await world.policy("docs", MEMBERS);
  expect(await compile()).not.toBeNull();
  expect(await compile()).not.toBeNull();
  expect(checks).toEqual(["equal"]);
  await world.define("drop policy p on docs", "alter table members alter column team type bigint");
  await world.policy("docs", MEMBERS);
  expect(await compile()).not.toBeNull();
  expect(checks).toEqual(["equal", "equal"]);
});
