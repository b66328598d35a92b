import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ReceivedFrame, TestClient } from "./testing/client.ts";
import { type AppStage, Stage } from "./testing/stage.ts";

let stage: Stage;
let app: AppStage;
beforeAll(async () => {
  stage = await Stage.start();
  app = await stage.app(
    ["docs"],
    "create table members (team int, user_id text, primary key (team, user_id))",
    "alter table members enable row level security",
    "create policy mine on members using (user_id = current_user_id())",
    "create table docs (id int primary key, team int, note text)",
    "alter table docs enable row level security",
    "create policy team on docs to butterbase_user using (exists (select 1 from members m where m.team = docs.team and m.user_id = current_user_id()))",
  );
});
afterAll(() => stage?.stop());

const counted = async (name: string): Promise<number> => {
  const text = await stage.node.metrics.registry.metrics();
  const found = [...text.matchAll(new RegExp(`^${name} (\\d+)$`, "gm"))];
  return found.reduce((sum, [, value]) => sum + Number(value), 0);
};

/** Subscribed to docs, and judged by the compiled policy from here on. */
async function member(sub: string): Promise<TestClient> {
  const client = await app.connect(stage.userToken({ sub }));
  await client.subscribe("docs");
  // Going over to the compiled policy takes a moment; a change of members shows whether it is done.
  for (let tries = 0; tries < 100; tries += 1) {
    const from = client.frames.length;
    await app.write(`insert into members values (${9_000 + tries}, 'nobody ${sub} ${Date.now()}')`);
    await client.fence();
    if (!client.frames.slice(from).some((frame) => frame.reason === "dependency_changed")) {
      client.frames.splice(0);
      return client;
    }
  }
  throw new Error("the policy was never compiled");
}

const short = (frames: readonly ReceivedFrame[]) =>
  frames.flatMap(({ type, op, reason, record, old_record }) => {
    if (type === "change") return [[op, (record ?? old_record).id]];
    return type === "resync" ? [[type, reason]] : [];
  });

describe("a policy that reads who belongs to a team", () => {
  it("shows each change by the members of its own moment, and tells only those whom a change of members concerns", async () => {
    await app.write("insert into members values (1, 'ada'), (2, 'ben')");
    const [ada, ben, eve] = [await member("ada"), await member("ben"), await member("eve")];
    await app.write("insert into docs values (1, 1, 'x'), (2, 2, 'x')");
    await app.write("insert into members values (1, 'eve')");
    await eve.fence();
    await app.write("insert into docs values (3, 1, 'x')");
    await app.write("delete from members where team = 1 and user_id = 'ada'");
    await app.write("insert into docs values (4, 1, 'x')");
    for (const client of [ada, ben, eve]) await client.fence();
    expect(short(ada.frames)).toEqual([
      ["INSERT", 1],
      ["INSERT", 3],
      ["resync", "membership_changed"],
    ]);
    expect(short(ben.frames)).toEqual([["INSERT", 2]]);
    expect(short(eve.frames)).toEqual([
      ["resync", "membership_changed"],
      ["INSERT", 3],
      ["INSERT", 4],
    ]);
    expect(await counted("ambit_realtime_mismatches_total")).toBe(0);
  });

  it("sends those nothing of a transaction that changes their membership, before or after its rows", async () => {
    await app.write(
      "insert into members values (5, 'max')",
      "insert into docs values (50, 5, 'old'), (51, 6, 'secret')",
    );
    const [max, other] = [await member("max"), await member("oda")];
    await app.write(
      "update docs set note = 'new' where id = 51",
      "insert into members values (6, 'max'), (5, 'oda')",
    );
    await max.fence();
    await app.write("update docs set note = 'later' where id in (50, 51)");
    await app.write("delete from members where user_id = 'max'", "delete from docs where id in (50, 51)");
    for (const client of [max, other]) await client.fence();
    expect(short(max.frames)).toEqual([
      ["resync", "membership_changed"],
      ["UPDATE", 50],
      ["UPDATE", 51],
      ["resync", "membership_changed"],
    ]);
    expect(short(other.frames)).toEqual([
      ["resync", "membership_changed"],
      ["UPDATE", 50],
      ["DELETE", 50],
    ]);
    expect(JSON.stringify(max.frames)).not.toContain("secret");
  });

  it("goes on exactly when the table of members is emptied, or its policies change", async () => {
    const kim = await member("kim");
    await app.write("insert into members values (7, 'kim')");
    await kim.fence();
    await app.write("insert into docs values (70, 7, 'x')");
    await app.write("truncate members");
    await app.write("insert into docs values (71, 7, 'x')");
    await kim.fence();
    expect(short(kim.frames)).toEqual([
      ["resync", "membership_changed"],
      ["INSERT", 70],
      ["resync", "dependency_changed"],
    ]);
    await app.write("insert into members values (7, 'kim')");
    await kim.fence();
    kim.frames.splice(0);
    await app.define("drop policy mine on members", "create policy none on members using (false)");
    await app.write("insert into docs values (72, 7, 'x')");
    await kim.fence();
    expect(short(kim.frames).filter(([what]) => what === "INSERT")).toEqual([]);
    await app.define(
      "drop policy none on members",
      "create policy mine on members using (user_id = current_user_id())",
    );
    await app.write("insert into docs values (73, 7, 'x')");
    await kim.fence();
    expect(
      await app.select("user", { sub: "kim" }, "select id from docs where id > 69 order by id"),
    ).toHaveLength(4);
    expect(short(kim.frames), JSON.stringify(kim.frames)).toEqual([["INSERT", 73]]);
  });
});
