import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ReceivedFrame, TestClient } from "./testing/client.ts";
import { type AppStage, type Node, Stage } from "./testing/stage.ts";

let stage: Stage;
let app: AppStage;
beforeAll(async () => {
  stage = await Stage.start();
  app = await stage.app(
    ["notes", "docs"],
    "create table notes (id int primary key, owner text, room text)",
    "alter table notes enable row level security",
    "create policy own on notes to butterbase_user using (owner = current_user_id())",
    "create table members (team int, user_id text, primary key (team, user_id))",
    "create table docs (id int primary key, team int)",
    "alter table docs enable row level security",
    "create policy team on docs to butterbase_user using (team in (select m.team from members m where m.user_id = current_user_id()))",
  );
});
afterAll(() => stage?.stop());

const as = (sub: string, node?: Node) => app.connect(stage.userToken({ sub }), node);

/** Subscribes from a place; gives the answer. */
async function from(client: TestClient, since: string, frame: object = {}): Promise<ReceivedFrame> {
  client.send({ type: "subscribe", table: "notes", since, ...frame });
  return client.ofType("subscribed");
}

const lastSeq = (client: TestClient): string =>
  client.frames.findLast((frame) => frame.seq !== undefined)!.seq;
const ids = (client: TestClient) =>
  client.changes().map(({ op, record, old_record }) => [op, (record ?? old_record).id]);

describe("coming back", () => {
  it("gives what was missed, each by row-level security and filter, once and in order", async () => {
    const first = await as("ada");
    await first.subscribe("notes");
    await app.write("insert into notes values (1, 'ada', 'a')", "insert into notes values (2, 'ada', 'a')");
    await first.fence();
    const seq = first.changes()[0]!.seq;
    first.close();
    await app.write("insert into notes values (3, 'ben', 'a'), (4, 'ada', 'b')");
    await app.write("update notes set owner = 'ben' where id = 1", "delete from notes where id = 4");
    const back = await as("ada");
    expect(await from(back, seq)).toMatchObject({ resumed: true });
    await app.write("insert into notes values (5, 'ada', 'a')");
    await back.fence();
    // The first note came before: the second, of the same transaction, did not.
    expect(ids(back)).toEqual([
      ["INSERT", 2],
      ["INSERT", 4],
      ["DELETE", 1],
      ["DELETE", 4],
      ["INSERT", 5],
    ]);
    expect(back.changes()[2]).toMatchObject({ reason: "leave", record: null });
    const seqs = back.changes().map((frame) => frame.seq);
    expect(seqs).toEqual([...seqs].sort());
    const filtered = await as("ada");
    await from(filtered, seq, { id: "b", filter: { room: "b" } });
    await filtered.fence();
    expect(filtered.changes().map(({ id, op }) => [id, op])).toEqual([
      ["b", "INSERT"],
      ["b", "DELETE"],
    ]);
  });

  it("works on another node, which began later", async () => {
    const first = await as("noa");
    await first.subscribe("notes");
    const seq = lastSeq(first);
    await app.write("insert into notes values (20, 'noa', 'a')");
    const later = await stage.startNode();
    await app.write("insert into notes values (21, 'noa', 'a')");
    const back = await as("noa", later);
    expect(await from(back, seq)).toMatchObject({ resumed: true });
    await back.fence();
    expect(ids(back)).toEqual([
      ["INSERT", 20],
      ["INSERT", 21],
    ]);
  });

  it("says when it can't be told what was missed", async () => {
    const client = await as("eve");
    expect(await from(client, "0000000000000001-00000000")).toMatchObject({ resumed: false });
    expect(await client.ofType("resync")).toMatchObject({ table: "notes", reason: "window_over" });
    const future = await as("eve");
    await from(future, "FFFFFFFFFFFFFFFF-00000000", { id: "f" });
    expect(await future.ofType("resync")).toMatchObject({ id: "f", reason: "window_over" });
    const elsewhere = await as("eve");
    await from(elsewhere, lastSeq(client), { epoch: "another" });
    expect(await elsewhere.ofType("resync")).toMatchObject({ reason: "window_over" });
  });

  it("gives the current rows instead where they were asked for", async () => {
    await app.write("insert into notes values (30, 'ina', 'a')");
    const client = await as("ina");
    expect(await from(client, "0000000000000001-00000000", { initial: true })).toMatchObject({
      resumed: false,
    });
    expect(await client.ofType("initial")).toMatchObject({ rows: [{ id: 30 }], done: true });
    expect(client.frames.some((frame) => frame.type === "resync")).toBe(false);
  });

  it("says so when policies changed in between, or the table was emptied", async () => {
    const first = await as("pat");
    const { seq } = await first.subscribe("notes");
    await app.write("insert into notes values (40, 'pat', 'a')");
    await app.define("create policy more on notes to butterbase_user using (room = 'all')");
    const back = await as("pat");
    expect(await from(back, seq)).toMatchObject({ resumed: false });
    expect(await back.ofType("resync")).toMatchObject({ reason: "policy_changed" });
    await back.fence();
    const now = lastSeq(back);
    await app.write("truncate notes");
    const again = await as("pat");
    await from(again, now);
    expect(await again.ofType("resync")).toMatchObject({ reason: "truncated" });
  });

  it("tells of memberships only those whose own have changed", async () => {
    await app.write("insert into members values (1, 'tom'), (1, 'ute')");
    const first = await as("tom");
    const { seq } = await first.subscribe("docs");
    await app.write("insert into docs values (1, 1), (2, 2)");
    await app.write("insert into members values (2, 'ute')");
    await app.write("insert into docs values (3, 2), (4, 1)");
    // Until the policy is compiled, and Postgres judges, a change of members is everybody's.
    await expect
      .poll(async () => {
        const tom = await as("tom");
        await from(tom, seq, { table: "docs" });
        await tom.fence();
        return [ids(tom), tom.frames.filter((frame) => frame.type === "resync").map(({ reason }) => reason)];
      })
      .toEqual([
        [
          ["INSERT", 1],
          ["INSERT", 4],
        ],
        [],
      ]);
    const ute = await as("ute");
    expect(await from(ute, seq, { table: "docs" })).toMatchObject({ resumed: false });
    expect(await ute.ofType("resync")).toMatchObject({ reason: "membership_changed" });
  });
});
