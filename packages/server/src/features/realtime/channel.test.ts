import { afterEach, describe, expect, it } from "vitest";
import type { Relation } from "../../engines/postgres/replication/pgoutput.ts";
import { errors } from "../../kernel/errors.ts";
import { createLog } from "../../kernel/log.ts";
import { Metrics } from "../../kernel/metrics.ts";
import { Channel, type RowChange } from "./channel.ts";
import type { Question, Verdict } from "./judge.ts";
import { realtimeMetrics } from "./metrics.ts";
import type { Commit } from "./queue.ts";
import { sqlOnly } from "./rule-source.ts";
import { ShapeSource } from "./shape-source.ts";
import { type Peer, subscriptionOf, type Viewer } from "./subscriptions.ts";
import { noTable, type RoleView, type TableView } from "./table-view.ts";
import { received } from "./testing/received.ts";

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
function stage() {
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
    rules: sqlOnly,
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
});
