import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TestClient } from "./testing/client.ts";
import { Stage } from "./testing/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.start();
});
afterAll(() => stage?.stop());

const OWNED = [
  "alter table notes enable row level security",
  "create policy own on notes to butterbase_user using (owner = current_user_id())",
];
const notes = (columns = "id int primary key, owner text, body text") =>
  stage.app(["notes"], `create table notes (${columns})`, ...OWNED);

const idsOf = (client: TestClient) =>
  client.changes().map(({ op, record, old_record }) => [op, (record ?? old_record).id]);

/** Ends sessions of this database as a crash of the server would, but for the one that asks. */
const terminate = (which: string) =>
  stage.world.asSuperuser(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid() and ${which}`,
  );

describe("when connections to Postgres are cut", () => {
  it.each([
    ["the reader's", "backend_type = 'walsender'"],
    ["all of them", "true"],
  ])("%s: nothing is lost, doubled or out of order", async (_case, which) => {
    const app = await notes();
    const service = await app.subscriber("service", "notes");
    const user = await app.subscriber({ sub: "u" }, "notes");
    const { database } = stage.world.platform;
    let written = 0;
    let cuts = 0;
    const cutting = (async () => {
      while (written < 300) {
        await sleep(60);
        await terminate(which).then(
          () => (cuts += 1),
          () => {},
        );
      }
    })();
    while (written < 300) {
      const owner = written % 2 === 0 ? "u" : "v";
      try {
        await database.query(`insert into ${app.id}.notes values ($1, $2) on conflict do nothing`, [
          written,
          owner,
        ]);
        written += 1;
      } catch {
        await sleep(5);
      }
      if (written % 10 === 0) await sleep(5);
    }
    await cutting;
    expect(cuts).toBeGreaterThan(1);
    await database.query(`insert into ${app.id}.notes values (1000, 'u')`).catch(() => {});
    await database.query(`insert into ${app.id}.notes values (1000, 'u') on conflict do nothing`);
    await user.frame((frame) => frame.record?.id === 1000, "the last change", 15_000);
    await service.frame((frame) => frame.record?.id === 1000, "the last change", 15_000);
    const all = Array.from({ length: 300 }, (_, id) => id);
    expect(service.changes().map((change) => change.record.id)).toEqual([...all, 1000]);
    expect(user.changes().map((change) => change.record.id)).toEqual([
      ...all.filter((id) => id % 2 === 0),
      1000,
    ]);
  });

  it("and the slot is lost: every client is told to load afresh, and gets what comes after", async () => {
    const app = await notes();
    const user = await app.subscriber({ sub: "u" }, "notes");
    const { database } = stage.world.platform;
    const [row] = await database.query<{ slot_name: string }>(
      "select slot_name from pg_replication_slots where database = current_database() and not temporary",
    );
    for (let dropped = false; !dropped; ) {
      await terminate("backend_type = 'walsender'");
      dropped = await database.query("select pg_drop_replication_slot($1)", [row!.slot_name]).then(
        () => true,
        () => false,
      );
    }
    await app.write("insert into notes values (1, 'u')");
    expect(await user.ofType("resync")).toEqual({ type: "resync", table: "notes", reason: "stream_lost" });
    await app.write("insert into notes values (2, 'u')");
    await user.frame((frame) => frame.record?.id === 2);
  });
});

describe("several nodes", () => {
  it("send each change once", async () => {
    const app = await notes();
    const second = await stage.startNode();
    const here = await app.subscriber({ sub: "u" }, "notes");
    const there = await app.connect(stage.userToken({ sub: "u" }), second);
    await there.subscribe("notes");
    for (let id = 0; id < 20; id++) await app.write(`insert into notes values (${id}, 'u')`);
    for (const client of [here, there]) expect(await client.changesOnceThere(20)).toHaveLength(20);
    await sleep(50);
    expect(here.changes()).toEqual(there.changes());
    await second.stop();
  });
});

describe("when tables change under way", () => {
  it("policies hold from exactly the place where they changed", async () => {
    const app = await notes();
    const user = await app.subscriber({ sub: "u" }, "notes");
    const anon = await app.subscriber("anon", "notes");
    for (let id = 0; id < 30; id++) {
      await app.write(`insert into notes values (${id}, 'v')`);
      if (id === 9) await app.define("create policy all_may on notes using (true)");
      if (id === 19) await app.define("drop policy all_may on notes");
    }
    await app.write("insert into notes values (100, 'u')");
    await user.frame((frame) => frame.record?.id === 100);
    await anon.fence();
    // A second change of the policies may make the first one's range unknowable; then it is declared, never shown wrong.
    for (const client of [user, anon]) {
      const ids = client
        .changes()
        .map((change) => change.record.id)
        .filter((id) => id < 100);
      expect(ids.every((id) => id >= 10 && id < 20)).toBe(true);
      expect(client.frames.filter((frame) => frame.type === "resync").map((frame) => frame.reason)).toContain(
        "policy_changed",
      );
    }
  });

  it("columns come and go, and nobody misses a change", async () => {
    const app = await notes();
    const user = await app.subscriber({ sub: "u" }, "notes");
    await app.write("insert into notes values (1, 'u', 'a')");
    await app.define(
      "alter table notes add column extra int default 7",
      "alter table notes drop column body",
    );
    await app.write(
      "insert into notes (id, owner) values (2, 'u')",
      "update notes set extra = 8 where id = 1",
    );
    await user.changesOnceThere(3);
    expect(user.changes().map((change) => change.record)).toEqual([
      { id: 1, owner: "u", body: "a" },
      { id: 2, owner: "u", extra: 7 },
      { id: 1, owner: "u", extra: 8 },
    ]);
    expect(await user.ofType("resync")).toMatchObject({ table: "notes", reason: "table_changed" });
  });

  it("a table that is renamed goes on under its new name", async () => {
    const app = await notes();
    const user = await app.subscriber({ sub: "u" }, "memos");
    await app.define("alter table notes rename to memos");
    await app.write("insert into memos values (1, 'u')");
    await user.changesOnceThere(1, "memos");
    const names = async () => (await stage.node.realtime.tables(app.id)).map((table) => table.name);
    await expect.poll(names).toEqual(["memos"]);
  });

  it("a table that is dropped and made again is switched on again", async () => {
    const app = await notes();
    const user = await app.subscriber({ sub: "u" }, "notes");
    await app.define("drop table notes", "create table notes (id int primary key, owner text)", ...OWNED);
    await user.frame((frame) => frame.type === "resync" && frame.reason === "table_enabled");
    await app.write("insert into notes values (1, 'u')");
    await user.changesOnceThere(1);
  });

  it("a table that is switched off falls silent with a warning", async () => {
    const app = await notes();
    const service = await app.subscriber("service", "notes");
    await stage.node.realtime.disable(app.id, "notes");
    expect(await service.ofType("warning")).toMatchObject({
      code: "TABLE_NOT_REALTIME_ENABLED",
      table: "notes",
    });
    await app.write("insert into notes values (1, 'u')");
    await service.fence();
    expect(service.changes()).toEqual([]);
  });

  it("a table that is emptied is to be loaded afresh", async () => {
    const app = await notes();
    const user = await app.subscriber({ sub: "u" }, "notes");
    await app.write(
      "insert into notes values (1, 'u')",
      "truncate notes",
      "insert into notes values (2, 'u')",
    );
    await user.frame((frame) => frame.type === "resync" && frame.reason === "truncated");
    expect(idsOf(user).at(-1)).toEqual(["INSERT", 2]);
  });

  it("a table that only policies read is never shown", async () => {
    const app = await stage.app(
      [],
      "create table notes (id int primary key, team int)",
      "create table members (team int primary key, user_id text, twice int generated always as (team * 2) stored)",
      "alter table notes enable row level security",
      "create policy team on notes using (team in (select m.team from members m where m.user_id = current_user_id()))",
    );
    await stage.node.realtime.enable(app.id, ["notes"]);
    const service = await app.subscriber("service", "members", "notes");
    const user = await app.subscriber({ sub: "u" }, "notes");
    await app.write("insert into members values (1, 'u')", "insert into notes values (1, 1)");
    await user.changesOnceThere(1);
    expect(await user.ofType("resync")).toMatchObject({ table: "notes", reason: "dependency_changed" });
    await service.changesOnceThere(1);
    expect(service.changes("members")).toEqual([]);
    await stage.node.realtime.enable(app.id, ["members"]);
    await app.write("insert into members values (2, 'v')");
    const [shown] = await service.changesOnceThere(1, "members");
    expect(shown!.record).toEqual({ team: 2, user_id: "v", twice: 4 });
  });
});

describe("rows", () => {
  it("come whole, also large values a statement did not touch, in the form rows are read in", async () => {
    const app = await stage.app(
      [],
      "create type mood as enum ('fine', 'sad')",
      `create table notes (a int, b text, owner text, body text, at timestamptz, tags text[], meta jsonb, mood mood,
         price numeric(8,2), ratio float8, raw bytea, primary key (a, b))`,
      ...OWNED,
    );
    await stage.node.realtime.enable(app.id, ["notes"]);
    const user = await app.subscriber({ sub: "u" }, "notes");
    await app.write(
      `insert into notes values (1, 'k', 'u',
         (select string_agg(md5(i::text), '') from generate_series(1, 32768) i), '2026-01-02 03:04:05.6+02',
         array['x', null, '"'], '{"a": [1, 2.50]}', 'sad', 3.10, 0.1, '\\x00ff')`,
    );
    const read = (await app.select("user", { sub: "u" }, "select * from notes"))[0]!;
    expect((read.body as string).length).toBe(1_048_576);
    await app.write("update notes set b = 'l'", "delete from notes");
    const [insert, update, remove] = await user.changesOnceThere(3);
    expect(insert!.record).toEqual(read);
    expect(update!.record).toEqual({ ...read, b: "l" });
    expect(update!.old_record).toEqual(read);
    expect(remove!.old_record).toEqual({ ...read, b: "l" });
  });

  it("are not shown to a caller whose policy fails, who is told so; others get theirs", async () => {
    const app = await stage.app(
      ["notes"],
      "create table notes (id int primary key, owner uuid)",
      "alter table notes enable row level security",
      "create policy own on notes using (owner = current_user_id()::uuid)",
    );
    const id = "0199aaaa-0000-7000-8000-00000000000a";
    const broken = await app.subscriber({ sub: "not a uuid" }, "notes");
    const fine = await app.subscriber({ sub: id }, "notes");
    await app.write(`insert into notes values (1, '${id}'), (2, '${id}')`);
    await fine.changesOnceThere(2);
    expect((await broken.ofType("error")).message).toContain("could not be decided");
    await app.define("alter policy own on notes using (owner::text = current_user_id() or id = 3)");
    await app.write(`insert into notes values (3, '${id}')`);
    await broken.changesOnceThere(1);
    expect(broken.changes().map((change) => change.record.id)).toEqual([3]);
    expect(broken.frames.filter((frame) => frame.type === "error")).toHaveLength(1);
    expect(
      broken.frames.some((frame) => frame.type === "resync" && frame.reason === "evaluation_failed"),
    ).toBe(true);
  });

  it("of large transactions come in order", async () => {
    const app = await notes();
    const user = await app.subscriber({ sub: "u" }, "notes");
    await app.write(
      "insert into notes select i, case when i % 2 = 0 then 'u' else 'v' end from generate_series(1, 25000) i",
    );
    const changes = await user.changesOnceThere(12_500, "notes", 15_000);
    expect(changes.map((change) => change.record.id)).toEqual(
      Array.from({ length: 12_500 }, (_, at) => (at + 1) * 2),
    );
  });
});
