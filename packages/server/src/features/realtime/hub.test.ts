import { describe, expect, it } from "vitest";
import type { Relation } from "../../engines/postgres/replication/pgoutput.ts";
import type { StreamEvent, Transaction } from "../../engines/postgres/replication/transactions.ts";
import { createLog } from "../../kernel/log.ts";
import { Metrics } from "../../kernel/metrics.ts";
import { Hub } from "./hub.ts";
import { realtimeMetrics } from "./metrics.ts";
import { ShapeSource } from "./shape-source.ts";
import { type Peer, subscriptionOf } from "./subscriptions.ts";
import { noTable, type TableView } from "./table-view.ts";
import { received } from "./testing/received.ts";
import { sqlOnly } from "./testing/sql-only.ts";

const relation = (schema: string, table: string): Relation => ({
  oid: 1,
  schema,
  table,
  replicaIdentity: "f",
  columns: [{ name: "id", typeOid: 23, typmod: -1, isKey: true }],
});
const transaction = (...events: StreamEvent[]): Transaction => ({
  commitLsn: 1n,
  endLsn: 2n,
  commitTime: new Date(0),
  xid: 7,
  events,
  part: 0,
  firstEvent: 0,
  final: true,
});
const message = (prefix: string, content: string): StreamEvent => ({
  kind: "message",
  prefix,
  content: Buffer.from(content),
  transactional: true,
});
const open: TableView = {
  ...noTable("notes"),
  exists: true,
  enabled: true,
  columns: new Set(["id"]),
  form: "id:23",
  roles: { anon: { rows: "all", mask: null }, user: { rows: "all", mask: null } },
};
const closed: TableView = { ...open, roles: { ...open.roles, anon: { rows: "none", mask: null } } };

const hubPorts = () => ({
  load: async () => new Map([["notes", open]]),
  snapshot: async () => "100:100:",
  judge: { judge: async () => [] },
  filters: { judge: async () => [], problem: async () => null },
  rules: sqlOnly,
  onChanged: () => {},
  shapes: new ShapeSource({ query: async () => [] }),
  metrics: realtimeMetrics(new Metrics()),
  limitsHit: new Metrics().limitsHit,
  log: createLog("silent"),
  clock: () => 0,
  nodeId: "n",
  readTo: () => 0n,
  onNotice: () => {},
  onSessionEnded: () => {},
});

function stage() {
  const told: unknown[] = [];
  const state = { view: open };
  const hub: Hub = new Hub({
    ...hubPorts(),
    load: async () => new Map([["notes", state.view]]),
    writeMark: async (content) => hub.accept(transaction(message("ambit.mark", content))),
    onNotice: (appId, xid) => told.push(["notice", appId, xid]),
    onSessionEnded: (id) => told.push(["session", id]),
  });
  return { hub, state, told };
}

/** An anonymous subscriber of the app's notes; `got` is what kinds of frames it received. */
async function watching(hub: Hub) {
  const channel = hub.channel("app_a");
  const got: string[] = [];
  const table = channel.hold("notes");
  await channel.run(async () => {
    await channel.view(table);
    const peer: Peer = {
      viewer: { role: "anon", userId: null, claims: "", subject: "" },
      pending: null,
      send: (frames) => got.push(...received(...frames).map((frame) => frame.type)),
    };
    table.subscriptions.add(subscriptionOf(peer, "notes"));
  });
  return { channel, got };
}

describe("Hub", () => {
  it("judges the rows of a transaction by the policies that came with it", async () => {
    const { hub, state } = stage();
    const { channel, got } = await watching(hub);
    const insert: StreamEvent = { kind: "insert", relation: relation("app_a", "notes"), new: ["1"] };
    hub.accept(transaction(insert));
    await channel.run(() => {});
    expect(got).toEqual(["change"]);
    state.view = closed;
    hub.accept(transaction(insert, message("ambit.change", '{"app":"app_a","what":"rls"}')));
    await channel.run(() => {});
    expect(got).toEqual(["change", "resync"]);
  });

  it("passes on notices of others, and sessions that ended", () => {
    const { hub, told } = stage();
    hub.accept(
      transaction(
        message("ambit.change", '{"app":"app_b","what":"schema"}'),
        message("ambit.change", '{"app":"app_b","what":"realtime"}'),
        message("ambit.change", "not a notice"),
        message("other", '{"app":"app_c","what":"schema"}'),
        { kind: "delete", relation: relation("ambit", "auth_sessions"), old: ["42"] },
        { kind: "delete", relation: relation("app_b", "auth_sessions"), old: ["43"] },
      ),
    );
    expect(told).toEqual([
      ["notice", "app_b", 7],
      ["session", "42"],
    ]);
  });

  it("fails marks under way when changes are lost", async () => {
    const { hub } = stage();
    await hub.mark();
    const silent = new Hub({ ...hubPorts(), writeMark: async () => {} });
    const lost = silent.mark();
    silent.reset("stream_lost");
    await expect(lost).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
  });

  it("has whoever comes later wait for what the log has shown and queries don't see yet", async () => {
    const seen: string[] = [];
    const snapshots = ["5:8:7", "8:8:"];
    const hub = new Hub({
      ...hubPorts(),
      writeMark: async (content) => hub.accept(transaction(message("ambit.mark", content))),
      snapshot: async () => {
        const snapshot = snapshots.shift() ?? "8:8:";
        seen.push(snapshot);
        return snapshot;
      },
      load: async () => {
        seen.push("load");
        return new Map([["notes", open]]);
      },
    });
    hub.accept(transaction(message("ambit.change", '{"app":"app_a","what":"rls"}')));
    const channel = hub.channel("app_a");
    const table = channel.hold("notes");
    await channel.run(() => channel.view(table));
    expect(seen).toEqual(["5:8:7", "8:8:", "load"]);
  });

  it("shows no row of a transaction whose later part changes policies", async () => {
    const { hub, state } = stage();
    const { channel, got } = await watching(hub);
    const insert: StreamEvent = { kind: "insert", relation: relation("app_a", "notes"), new: ["1"] };
    hub.accept({ ...transaction(insert), endLsn: 1n, final: false });
    state.view = closed;
    const notice = message("ambit.change", '{"app":"app_a","what":"rls"}');
    hub.accept({ ...transaction(notice), part: 1, firstEvent: 1 });
    await channel.run(() => {});
    expect(got).toEqual(["resync", "resync"]);
  });
});
