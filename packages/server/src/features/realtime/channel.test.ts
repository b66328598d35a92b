import { afterEach, describe, expect, it } from "vitest";
import type { Relation } from "../../engines/postgres/replication/pgoutput.ts";
import type { Transaction } from "../../engines/postgres/replication/transactions.ts";
import type { LogWindow } from "../../engines/postgres/replication/window-types.ts";
import { errors } from "../../kernel/errors.ts";
import { createLog } from "../../kernel/log.ts";
import { Metrics } from "../../kernel/metrics.ts";
import { Channel, type RowChange } from "./channel.ts";
import { seqOf } from "./frames.ts";
import type { Question, Verdict } from "./judge.ts";
import { realtimeMetrics } from "./metrics.ts";
import { compileRule } from "./policies/compile.ts";
import type { SourceColumn, SourceTable } from "./policies/source.ts";
import type { Commit } from "./queue.ts";
import { replay } from "./replay.ts";
import type { RuleSource } from "./rule-source.ts";
import { ShapeSource } from "./shape-source.ts";
import { type Peer, subscriptionOf, type Viewer } from "./subscriptions.ts";
import { noTable, type RoleView, type TableView } from "./table-view.ts";
import { received } from "./testing/received.ts";
import { sqlOnly } from "./testing/sql-only.ts";

const relation: Relation = {
  oid: 1,
  schema: "app_a",
  table: "notes",
  replicaIdentity: "f",
  columns: [{ name: "id", typeOid: 23, typmod: -1, isKey: true }],
};

/** A view in which users see what the judge lets them see. */
function view(dependsOn: string[] = [], user: RoleView["rows"] = { query: "", columns: ["id"] }): TableView {
  const columns = new Set(["id"]);
  const roles = { anon: { rows: "none", mask: null }, user: { rows: user, mask: null } } as const;
  return { ...noTable("notes"), exists: true, enabled: true, columns, form: "id:23", roles, dependsOn };
}

let lsn = 0n;
const commit = (xid: number): Commit => ({
  ...{ commitLsn: ++lsn, commitTime: new Date(0), xid, complete: true },
});
const inserted = (id: string) =>
  ({ kind: "insert", index: 0, relation, old: null, new: [id] }) satisfies RowChange;

const open: Channel[] = [];
afterEach(() => {
  for (const channel of open.splice(0)) channel.close();
});

/** A channel whose ports do what the test says; every port answers at once unless told otherwise. */
function stage(rules: RuleSource = sqlOnly) {
  const ports = {
    view: view(),
    onLoad: async () => {},
    onMark: async () => {},
    onSnapshot: async () => "1000:1000:",
    onJudge: async (question: Question): Promise<Verdict[]> =>
      question.identities.map(() => "1".repeat(question.rows.length)),
  };
  const channel = new Channel({
    appId: "app_a",
    load: async (tables) => {
      await ports.onLoad();
      return new Map(tables.map((table) => [table, table === "notes" ? ports.view : noTable(table)]));
    },
    mark: () => ports.onMark(),
    snapshot: () => ports.onSnapshot(),
    judge: { judge: (question) => ports.onJudge(question) },
    filters: { judge: async () => [], problem: async () => null },
    rules,
    onChanged: () => {},
    shapes: new ShapeSource({ query: async () => [] }),
    metrics: realtimeMetrics(new Metrics()),
    limitsHit: new Metrics().limitsHit,
    log: createLog("silent"),
    clock: () => 0,
  });
  open.push(channel);
  const insert = (id: number, xid = 1, table = "notes") =>
    channel.change(table, commit(xid), inserted(String(id)));
  return { channel, ports, insert };
}

/** A client of this role, subscribed to notes; `got` is what it received, in short. */
async function subscribe(channel: Channel, role: Viewer["role"] = "user") {
  const got: unknown[] = [];
  const peer: Peer = {
    viewer: { role, userId: "u", claims: '{"sub":"u"}', subject: "u" },
    pending: null,
    send(frames) {
      for (const sent of frames) {
        for (const frame of received(sent)) {
          got.push(
            frame.type === "change" ? frame.record.id : frame.type === "resync" ? frame.reason : frame.type,
          );
        }
      }
    },
  };
  const state = channel.hold("notes");
  await channel.run(async () => {
    await channel.view(state);
    state.subscriptions.add(subscriptionOf(peer, "notes"));
  });
  channel.release(state);
  return { got, done: () => channel.run(() => {}) };
}

/** Notes whose compiled policy shows each to those members who have its id: `u`, who is subscribed, has 1 and 2. */
async function compiledStage() {
  const column = (name: string, type: string): SourceColumn => ({
    ...{ name, type, typeKind: "b", labels: null, length: null, deterministic: true, virtual: false },
    ...{ anon: true, user: true },
  });
  const table = (name: string, columns: SourceColumn[], policies: SourceTable["policies"]): SourceTable => ({
    ...{ table: name, rls: policies.length > 0, inherited: false, forced: false, columns, policies },
  });
  const expression =
    "EXISTS ( SELECT 1 FROM app_a.members m WHERE ((m.id = notes.id) AND (m.who = ambit_helpers.current_user_id())))";
  const notes = table(
    "notes",
    [column("id", "int4")],
    [{ permissive: true, expression, anon: false, user: true }],
  );
  const members = table("members", [column("id", "int4"), column("who", "text")], []);
  const rule = await compileRule({
    ...{ appId: "app_a", role: "user", table: notes },
    lookup: () => members,
    functions: new Set(["ambit_helpers.current_user_id"]),
  });
  if ("refused" in rule) throw new Error(rule.refused);
  const source: Relation = {
    ...relation,
    ...{ oid: 2, table: "members" },
    columns: [...relation.columns, { name: "who", typeOid: 25, typmod: -1, isKey: true }],
  };
  const compiled = Promise.withResolvers<void>();
  const distrusted: string[] = [];
  const { channel, ports } = stage({
    compiled: async (_app, _view, role) => (role === "user" ? rule : null),
    members: async () => {
      compiled.resolve();
      return {
        snapshot: "100:100:",
        rows: [
          ["1", "u"],
          ["2", "u"],
        ],
      };
    },
    distrust: () => void distrusted.push("rule"),
  });
  ports.view = view(["members"]);
  ports.onJudge = async ({ identities }) => identities.map(() => null);
  const user = await subscribe(channel);
  const state = channel.tables.get("notes")!;
  await compiled.promise;
  await expect.poll(() => state.subscriptions.roles.user.index).not.toBeNull();
  return { channel, ports, user, members: source, distrusted };
}

describe("Channel", () => {
  it("sends changes and runs tasks in the order they came", async () => {
    const { channel, insert } = stage();
    const { got, done } = await subscribe(channel);
    insert(1);
    void channel.run(() => got.push("task"));
    insert(2);
    insert(3);
    await done();
    expect(got).toEqual([1, "task", 2, 3]);
  });

  it("drops verdicts when what the policy reads changed before they were made", async () => {
    const { channel, ports, insert } = stage();
    ports.view = view(["members"]);
    const user = await subscribe(channel);
    const service = await subscribe(channel, "service");
    insert(1);
    // The change of members was committed before the verdict, and shows in the log only afterwards.
    ports.onMark = async () => {
      ports.onMark = async () => {};
      insert(0, 2, "members");
    };
    await user.done();
    insert(2);
    await user.done();
    expect(user.got).toEqual(["dependency_changed", 2, "dependency_changed"]);
    expect(service.got).toEqual([1, 2]);
  });

  it("shows nothing of a stretch whose policies nobody knows any more", async () => {
    const { channel, ports, insert } = stage();
    const user = await subscribe(channel);
    const service = await subscribe(channel, "service");
    insert(1);
    channel.notice(null, 3);
    insert(2, 4);
    // A second change of policies was committed before the first was read, and shows in the log only afterwards.
    ports.onMark = async () => {
      ports.onMark = async () => {};
      channel.notice(null, 5);
    };
    await user.done();
    insert(3);
    await user.done();
    expect(user.got).toEqual([1, "policy_changed", 3]);
    expect(service.got).toEqual([1, 2, 3]);
  });

  it("asks queries nothing before they see what the log has shown", async () => {
    const { channel, ports, insert } = stage();
    const user = await subscribe(channel);
    const steps: string[] = [];
    ports.view = view([], "none");
    ports.onLoad = async () => void steps.push("load");
    const snapshots = ["40:42:41", "40:42:41", "42:42:"];
    ports.onSnapshot = async () => {
      steps.push("snapshot");
      return snapshots.shift()!;
    };
    channel.notice(null, 41);
    insert(1, 41);
    await user.done();
    expect(steps).toEqual(["snapshot", "snapshot", "snapshot", "load"]);
    expect(user.got).toEqual(["policy_changed"]);
  });

  it("waits for a database that does not answer, and loses nothing", async () => {
    const { channel, ports, insert } = stage();
    const user = await subscribe(channel);
    const { onJudge } = ports;
    let failures = 2;
    ports.onJudge = async (question) => {
      if (failures-- > 0) throw errors.DATABASE_UNAVAILABLE();
      return onJudge(question);
    };
    insert(1);
    await user.done();
    expect(user.got).toEqual([1]);
  });

  it("tells everyone to load afresh when a batch fails for good", async () => {
    const { channel, ports, insert } = stage();
    const user = await subscribe(channel);
    const { onJudge } = ports;
    ports.onJudge = async () => {
      ports.onJudge = onJudge;
      throw new Error("broken");
    };
    insert(1);
    await expect.poll(() => user.got, { timeout: 5_000 }).toEqual(["stream_lost"]);
    insert(2);
    await user.done();
    expect(user.got).toEqual(["stream_lost", 2]);
  });

  it("gives up what waits rather than filling the memory", async () => {
    const { channel, ports } = stage();
    const user = await subscribe(channel);
    const asked = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const { onJudge } = ports;
    ports.onJudge = async (question) => {
      asked.resolve();
      await gate.promise;
      return onJudge(question);
    };
    const large = (id: number) =>
      channel.change("notes", commit(1), inserted(`${" ".repeat(10 * 1024 * 1024)}${id}`));
    large(1);
    await asked.promise;
    for (let id = 2; id < 7; id++) large(id);
    gate.resolve();
    await user.done();
    expect(user.got[0]).toBe(1);
    expect(user.got).toContain("overrun");
    expect(user.got.at(-1)).toBe(6);
  });

  it("loses neither tasks nor the news of a loss that comes while a table is read again", async () => {
    const { channel, ports, insert } = stage();
    const user = await subscribe(channel);
    const asked = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    ports.onLoad = async () => {
      asked.resolve();
      await gate.promise;
    };
    const other: Relation = { ...relation, columns: [{ ...relation.columns[0]!, typeOid: 20 }] };
    channel.change("notes", commit(1), { ...inserted("1"), relation: other });
    await asked.promise;
    const task = user.done();
    channel.reset("stream_lost");
    gate.resolve();
    await task;
    await user.done();
    insert(2);
    await user.done();
    expect(user.got).toEqual(["stream_lost", 2]);
  });

  it("drops verdicts when the policies of what they read, or a function, changed before they were made", async () => {
    for (const reaching of [view(["members"]), { ...view(), callsFunctions: true }]) {
      const { channel, ports, insert } = stage();
      ports.view = reaching;
      const user = await subscribe(channel);
      const service = await subscribe(channel, "service");
      insert(1);
      ports.onMark = async () => {
        ports.onMark = async () => {};
        channel.notice(null, 2);
      };
      await user.done();
      insert(2);
      await user.done();
      expect(user.got).toEqual(["policy_changed", 2]);
      expect(service.got).toEqual([1, 2]);
    }
  });

  it("shows no row of a transaction that changes policies in a later part", async () => {
    const { channel, ports } = stage();
    ports.view = view([], "all");
    const user = await subscribe(channel);
    const service = await subscribe(channel, "service");
    const long: Commit = { ...commit(5), complete: false };
    channel.change("notes", long, inserted("1"));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(user.got).toEqual([]);
    long.complete = true;
    channel.notice(null, 5, long);
    channel.change("notes", long, { ...inserted("2"), index: 1 });
    channel.committed();
    await user.done();
    expect(user.got).toEqual(["policy_changed", 2]);
    expect(service.got).toEqual([1, 2]);
  });

  it("judges a transaction by the members of its end, also when a task comes between its parts", async () => {
    const { channel, user, members: source } = await compiledStage();
    const long: Commit = { ...commit(5), complete: false };
    channel.change("notes", long, inserted("1"));
    const between = user.done();
    long.complete = true;
    channel.change("members", long, {
      kind: "delete",
      index: 1,
      relation: source,
      old: ["1", "u"],
      new: null,
    });
    channel.change("notes", long, { ...inserted("2"), index: 2 });
    channel.committed();
    await between;
    await user.done();
    channel.change("notes", commit(6), inserted("1"));
    channel.change("notes", commit(7), inserted("2"));
    await user.done();
    expect(user.got).toEqual(["membership_changed", 2]);
  });

  it("tells of members nobody knows any more once, and of no mistake in policies", async () => {
    const { channel, user } = await compiledStage();
    const at = commit(5);
    channel.truncated("members", at);
    channel.change("notes", at, { ...inserted("1"), index: 1 });
    await user.done();
    expect(user.got).toEqual(["dependency_changed"]);
  });

  it("does not take policies for wrong because others hold by the time Postgres is asked", async () => {
    const { channel, ports, user, distrusted } = await compiledStage();
    const checked = Promise.withResolvers<void>();
    ports.onJudge = async ({ identities, rows }) => identities.map(() => "0".repeat(rows.length));
    ports.onMark = async () => {
      ports.onMark = async () => {};
      channel.notice(null, 6);
      checked.resolve();
    };
    channel.change("notes", commit(5), inserted("1"));
    await checked.promise;
    await user.done();
    expect(distrusted).toEqual([]);
    expect(user.got).toEqual([1]);
  });

  it("replays nothing by verdicts of another moment", async () => {
    const { channel, ports, insert } = stage();
    ports.view = view(["members"]);
    const user = await subscribe(channel);
    const state = channel.tables.get("notes")!;
    const [group] = state.subscriptions.groups();
    const [subscription] = group!.members;
    const transaction: Transaction = {
      ...{ commitLsn: 1n, endLsn: 2n, commitTime: new Date(0), xid: 1 },
      ...{ part: 0, firstEvent: 0, final: true, events: [{ kind: "insert", relation, new: ["1"] }] },
    };
    const window: LogWindow = { from: 0n, to: 2n, epoch: "e", since: () => [transaction] };
    const missed = { since: seqOf(0n, 0), until: seqOf(2n, 0) };
    const back = () => replay({ channel, state, subscription: subscription! }, missed, window);
    const changed = [() => channel.notice(null, 3), () => insert(0, 2, "members")];
    const reasons: unknown[] = [await channel.run(back)];
    for (const change of changed) {
      ports.onMark = async () => {
        ports.onMark = async () => {};
        change();
      };
      reasons.push(await channel.run(back));
      await user.done();
    }
    expect(reasons).toEqual([null, "policy_changed", "dependency_changed"]);
    expect(user.got.filter((what) => what === 1)).toEqual([1]);
  });

  it("tells of a transaction too large to wait for once when it is seen and once behind it", async () => {
    const { channel, insert } = stage();
    const user = await subscribe(channel);
    const huge: Commit = { ...commit(1), complete: false };
    for (let id = 1; id <= 12; id += 1) {
      if (id === 12) huge.complete = true;
      channel.change("notes", huge, inserted(`${" ".repeat(10 * 1024 * 1024)}${id}`));
      await new Promise((resolve) => setImmediate(resolve));
    }
    channel.committed();
    insert(13);
    await user.done();
    expect(user.got).toEqual(["overrun", "overrun", 13]);
  });
});
