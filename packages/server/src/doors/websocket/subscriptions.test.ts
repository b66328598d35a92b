import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ReceivedFrame, TestClient } from "./testing/client.ts";
import { type AppStage, SERVICE_KEY, Stage } from "./testing/stage.ts";

let stage: Stage;
let app: AppStage;
beforeAll(async () => {
  stage = await Stage.start();
  app = await stage.app(
    ["tasks"],
    "create table tasks (id int primary key, owner text, room text, level int, note text)",
    "alter table tasks enable row level security",
    "create policy own on tasks to butterbase_user using (owner = current_user_id())",
  );
});
afterAll(() => stage?.stop());

/** Sends a subscribe frame and gives its answer. */
async function subscribe(client: TestClient, frame: Record<string, unknown>): Promise<ReceivedFrame> {
  const from = client.frames.length;
  client.send({ type: "subscribe", table: "tasks", ...frame });
  return client.frame(
    (answer) =>
      client.frames.indexOf(answer) >= from && (answer.type === "subscribed" || answer.type === "error"),
    "an answer",
  );
}

const ids = (frames: readonly ReceivedFrame[]) =>
  frames.map(({ id, op, record, old_record }) => [id, op, (record ?? old_record).id]);

const as = (sub: string) => app.connect(stage.userToken({ sub }));

describe("subscriptions with an id", () => {
  it("have a filter and columns of their own, and end one by one", async () => {
    const client = await as("ada");
    await subscribe(client, { id: "a", filter: { room: "a" }, columns: ["note"] });
    await subscribe(client, { id: "b", filter: { room: "b" } });
    await subscribe(client, {});
    await app.write("insert into tasks values (1, 'ada', 'a', 1, 'x'), (2, 'ben', 'a', 1, 'y')");
    await client.fence();
    expect(ids(client.changes())).toEqual([
      ["a", "INSERT", 1],
      [undefined, "INSERT", 1],
    ]);
    expect(client.changes()[0]!.record).toEqual({ id: 1, note: "x" });
    expect(client.changes()[1]!.record).toEqual({ id: 1, owner: "ada", room: "a", level: 1, note: "x" });
    await app.write("update tasks set room = 'b' where id = 1");
    await client.fence();
    expect(ids(client.changes()).slice(2)).toEqual([
      ["a", "DELETE", 1],
      ["b", "INSERT", 1],
      [undefined, "UPDATE", 1],
    ]);
    expect(client.changes()[2]!.old_record).toEqual({ id: 1, note: "x" });
    client.send({ type: "unsubscribe", id: "b" });
    expect(await client.ofType("unsubscribed")).toEqual({ type: "unsubscribed", id: "b" });
    await app.write("update tasks set level = 2 where id = 1");
    await client.fence();
    expect(ids(client.changes()).slice(5)).toEqual([[undefined, "UPDATE", 1]]);
    client.send({ type: "unsubscribe", table: "tasks" });
    await app.write("delete from tasks");
    await client.fence();
    expect(client.changes()).toHaveLength(6);
  });

  it("are replaced by the next of the same id", async () => {
    const client = await as("eve");
    await subscribe(client, { id: "one", filter: { room: "a" } });
    await subscribe(client, { id: "one", filter: { room: "b" } });
    await app.write("insert into tasks values (10, 'eve', 'a', 1, ''), (11, 'eve', 'b', 1, '')");
    await client.fence();
    expect(ids(client.changes())).toEqual([["one", "INSERT", 11]]);
  });

  it("say what is wrong with a filter, a column or an id", async () => {
    const client = await as("eve");
    for (const [frame, words] of [
      [{ filter: { nowhere: 1 } }, "nowhere"],
      [{ filter: "room=like" }, "room"],
      [{ columns: ["nowhere"] }, "nowhere"],
      [{ columns: [] }, "columns"],
      [{ id: "" }, "id"],
      [{ since: "yesterday" }, "since"],
      [{ filter: "level=gte.1&limit=3" }, "limit"],
    ] as const) {
      const answer = await subscribe(client, frame);
      expect([answer.type, answer.message]).toEqual(["error", expect.stringContaining(words)]);
    }
  });

  it("take the operators of the data API", async () => {
    const client = await as("max");
    await subscribe(client, { id: "q", filter: "level=gte.3&or=(room.eq.a,note.is.null)" });
    await subscribe(client, { id: "o", filter: { level: { op: "lt", value: 3 } } });
    await subscribe(client, { id: "l", filter: "note=ilike.%25AX%25" });
    await app.write(
      "insert into tasks values (20, 'max', 'a', 3, 'n'), (21, 'max', 'b', 4, null), (22, 'max', 'b', 5, 'n'), (23, 'max', 'a', 2, '-ax-'), (24, 'max', 'a', null, 'n')",
    );
    await client.fence();
    expect(ids(client.changes())).toEqual([
      ["q", "INSERT", 20],
      ["q", "INSERT", 21],
      ["o", "INSERT", 23],
      ["l", "INSERT", 23],
    ]);
  });
});

describe("initial rows", () => {
  const rows = (client: TestClient, id?: string) =>
    client.frames
      .filter((frame) => frame.type === "initial" && frame.id === id)
      .flatMap((frame) => frame.rows);

  it("are what the viewer sees, under the filter and in the columns of the subscription", async () => {
    await app.write(
      "insert into tasks values (30, 'ina', 'a', 1, 'x'), (31, 'ina', 'b', 1, 'x'), (32, 'ben', 'a', 1, 'x')",
    );
    const client = await as("ina");
    const answer = await subscribe(client, {
      id: "i",
      initial: true,
      filter: { room: "a" },
      columns: ["level"],
    });
    const last = await client.frame((frame) => frame.type === "initial" && frame.done === true);
    expect(rows(client, "i")).toEqual([{ id: 30, level: 1 }]);
    expect([last.table, last.id, last.seq]).toEqual(["tasks", "i", answer.seq]);
    await subscribe(client, { initial: true });
    await client.frame((frame) => frame.type === "initial" && frame.id === undefined);
    expect(rows(client)).toEqual(await app.select("user", { sub: "ina" }, "select * from tasks"));
  });

  it("come before the changes, with no gap and no overlap, while others write", async () => {
    await app.write("insert into tasks select 1000 + n, 'uli', 'a', n, '' from generate_series(1, 2000) n");
    let writing = true;
    const write = async (from: number) => {
      for (let n = from; writing; n += 4) {
        await app.write(
          `insert into tasks values (${10_000 + n}, 'uli', 'a', ${n}, '')`,
          `update tasks set level = level + 1 where id = ${1000 + (n % 2000)}`,
          `delete from tasks where id = ${10_000 + n - 40}`,
        );
      }
    };
    const writers = [1, 2, 3, 4].map(write);
    const clients: TestClient[] = [];
    for (let at = 0; at < 8; at += 1) {
      const client = await as("uli");
      clients.push(client);
      await subscribe(client, { id: "x", initial: true });
      await client.frame((frame) => frame.type === "initial" && frame.done === true);
    }
    writing = false;
    await Promise.all(writers);
    const truth = await app.select("user", { sub: "uli" }, "select * from tasks order by id");
    for (const client of clients) {
      await client.fence();
      const first = client.frames.findIndex((frame) => frame.type === "change");
      const lastInitial = client.frames.findLastIndex((frame) => frame.type === "initial");
      expect(first === -1 || first > lastInitial).toBe(true);
      const view = new Map(rows(client, "x").map((row) => [row.id, row]));
      for (const { op, record, old_record } of client.changes()) {
        // An insert of what is there, or a change of what is not, would be an overlap or a gap.
        expect(view.has((record ?? old_record).id)).toBe(op !== "INSERT");
        if (op === "UPDATE") expect(old_record).toEqual(view.get(record.id));
        if (record === null) view.delete(old_record.id);
        else view.set(record.id, record);
      }
      expect([...view.values()].sort((a, b) => a.id - b.id)).toEqual(truth);
    }
  }, 60_000);

  it("are refused with a remedy when there are too many", async () => {
    await app.write("insert into tasks select 20000 + n, 'too', 'a', n, '' from generate_series(1, 10001) n");
    const client = await as("too");
    client.send({ type: "subscribe", table: "tasks", initial: true });
    const { message } = await client.ofType("error");
    expect(message).toContain("10000 rows");
    expect(message).toContain("filter");
  });
});

describe("a subscription's own wishes", () => {
  it("hold for a table that comes only later", async () => {
    const own = await stage.app([]);
    const client = await own.connect(SERVICE_KEY);
    client.send({ type: "subscribe", table: "later", id: "a", filter: { room: "a" }, columns: ["room"] });
    await client.ofType("subscribed");
    await own.define("create table later (id int primary key, room text, note text)");
    await stage.node.realtime.enable(own.id, ["later"]);
    await own.write("insert into later values (1, 'a', 'x'), (2, 'b', 'x')");
    await client.fence();
    expect(client.changes().map(({ record }) => record)).toEqual([{ id: 1, room: "a" }]);
  });
});

describe("while the first rows are being read", () => {
  /** Holds the reading of tasks back, until the returned function is called. */
  async function held(of: AppStage): Promise<() => Promise<void>> {
    const locked = Promise.withResolvers<void>();
    const free = Promise.withResolvers<void>();
    const writing = stage.world.platform.database.ownerTransaction(of.id, async (tx) => {
      await tx.query("lock table tasks in access exclusive mode");
      locked.resolve();
      await free.promise;
    });
    await locked.promise;
    return async () => {
      free.resolve();
      await writing;
    };
  }

  it("a renewed token counts for them too", async () => {
    const own = await stage.app(
      ["tasks"],
      "create table tasks (id int primary key, tenant text)",
      "alter table tasks enable row level security",
      `create policy tenants on tasks to butterbase_user
         using (tenant = (current_setting('request.jwt.claims')::jsonb ->> 'tenant'))`,
      "insert into tasks values (1, 'a'), (2, 'b')",
    );
    const client = await own.subscriber({ sub: "u", tenant: "a" }, "tasks");
    const release = await held(own);
    try {
      client.send({ type: "subscribe", table: "tasks", id: "i", initial: true });
      await client.frame(({ type, id }) => type === "subscribed" && id === "i");
      client.send({ type: "auth", token: stage.userToken({ sub: "u", tenant: "b" }) });
      await client.ofType("authenticated");
    } finally {
      await release();
    }
    expect((await client.ofType("initial")).rows).toEqual([{ id: 2, tenant: "b" }]);
  });

  it("another filter of the table does not make them vanish unsaid", async () => {
    const client = await as("ada");
    await subscribe(client, { id: "known" });
    const release = await held(app);
    try {
      await subscribe(client, { filter: { room: "x" }, initial: true });
      await subscribe(client, { filter: { room: "y" } });
    } finally {
      await release();
    }
    await client.fence();
    expect(client.frames.filter(({ type }) => type === "initial" || type === "resync")).toEqual([
      { type: "resync", table: "tasks", reason: "filters_changed" },
    ]);
  });
});
