import { setTimeout as sleep } from "node:timers/promises";
import type { Platform } from "../../engines/platform.ts";
import { newUuid } from "../../kernel/ids.ts";
import { loadViews } from "./catalog.ts";
import { Connection, type ConnectionPorts, type Transport } from "./connection.ts";
import { isCaptured } from "./drift.ts";
import { Hub, type HubPorts } from "./hub.ts";
import { SqlJudge } from "./judge.ts";
import { limits } from "./limits.ts";
import { Mender } from "./mender.ts";
import { type RealtimeMetrics, realtimeMetrics } from "./metrics.ts";
import { Presence } from "./presence.ts";
import { Reader } from "./reader.ts";
import { ShapeSource } from "./shape-source.ts";
import * as store from "./store.ts";
import type { Viewer } from "./subscriptions.ts";
import { disableTable, type EnabledTable, enableTables, mendTables } from "./tables.ts";

/** A table whose changes are broadcast, as `get` shows it. */
export interface ConfiguredTable {
  readonly name: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** The log carries every change of it. */
  readonly captured: boolean;
}

export interface RealtimeService {
  /** Switches tables on, all or none. Throws VALIDATION_TABLE_NOT_FOUND, REALTIME_PRIMARY_KEY_REQUIRED, REALTIME_TABLE_BUSY. */
  enable(appId: string, tables: readonly string[]): Promise<EnabledTable[]>;
  disable(appId: string, table: string): Promise<void>;
  tables(appId: string): Promise<ConfiguredTable[]>;
  /** The log is being read at this moment. */
  readonly streaming: boolean;
  /** Resolves once every change committed from then on will be read. */
  ready(): Promise<void>;
  /** Begins a conversation with a client; the door feeds it messages and ends it. */
  connect(appId: string, viewer: Viewer, transport: Transport): Connection;
  /** Called when an end user's session was ended, on whichever node. */
  onSessionEnded(listener: (sessionId: string) => void): void;
  /** Called when such news may have been missed. */
  onGap(listener: () => void): void;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Runs the app's function for an event a client sent; null if the app has none of that name. */
export type EventHandler = ConnectionPorts["onEvent"];

export function createRealtimeService(platform: Platform, onEvent: EventHandler): RealtimeService {
  const { database, log } = platform;
  const metrics = realtimeMetrics(platform.metrics);
  const sessionListeners = new Set<(sessionId: string) => void>();
  const gapListeners = new Set<() => void>();
  const snapshot = () => store.readSnapshot(database);
  const mender = new Mender({ mend: (appId) => mendTables(database, appId), snapshot, log });
  const nodeId = newUuid().replaceAll("-", "").slice(0, 12);
  const hub = createHub(platform, metrics, nodeId, {
    snapshot,
    onNotice: (appId, xid) => mender.ask(appId, xid),
    onSessionEnded(sessionId) {
      for (const listener of sessionListeners) listener(sessionId);
    },
  });
  const reader = new Reader({
    database,
    log,
    nodeId,
    onTransaction: (transaction) => hub.accept(transaction),
    onGap() {
      hub.reset("stream_lost");
      for (const listener of gapListeners) listener();
    },
    onStreaming: (streaming) => metrics.streaming.set(streaming ? 1 : 0),
  });
  const presence = new Presence();
  /** This node has taken over what was committed; other nodes, and a node whose reader is cut off, follow later. */
  const caughtUp = async () => {
    if (!reader.streaming) return;
    const giveUp = sleep(limits.catchUpMs, undefined, { ref: false });
    await Promise.race([hub.mark().catch(() => {}), giveUp]);
  };
  return {
    async enable(appId, tables) {
      const enabled = await enableTables(database, appId, tables);
      await caughtUp();
      return enabled;
    },
    async disable(appId, table) {
      await disableTable(database, appId, table);
      await caughtUp();
    },
    async tables(appId) {
      const facts = await store.selectFacts(database, appId);
      return (await store.selectRecorded(database, appId)).map((row) => ({
        name: row.table_name,
        createdAt: row.created_at,
        updatedAt: row.updated_at,
        captured: isCaptured(row, facts),
      }));
    },
    get streaming() {
      return reader.streaming;
    },
    ready: () => reader.ready(),
    connect(appId, viewer, transport) {
      const ready = () => reader.ready();
      return new Connection(viewer, transport, {
        appId,
        clientId: newUuid(),
        hub,
        ready,
        presence,
        metrics,
        onEvent,
      });
    },
    onSessionEnded: (listener) => void sessionListeners.add(listener),
    onGap: (listener) => void gapListeners.add(listener),
    async start() {
      await store.ensurePublications(database);
      reader.start();
      for (const appId of await store.selectApps(database)) mender.ask(appId, 0);
    },
    async stop() {
      mender.close();
      hub.close();
      await reader.stop();
    },
  };
}

function createHub(
  { database, log, clock }: Platform,
  metrics: RealtimeMetrics,
  nodeId: string,
  others: Pick<HubPorts, "snapshot" | "onNotice" | "onSessionEnded">,
): Hub {
  const onProblem = (app: string, sqlstate: string) => {
    metrics.undecided.inc({ sqlstate });
    log.warn({ app, sqlstate }, "realtime: visibility could not be decided");
  };
  return new Hub({
    load: (appId, tables) => database.transaction((tx) => loadViews(tx, appId, tables)),
    writeMark: (content) => store.writeMark(database, content),
    judge: new SqlJudge(database, clock, onProblem),
    shapes: new ShapeSource(database),
    metrics,
    log,
    clock,
    nodeId,
    ...others,
  });
}
