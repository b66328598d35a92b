import type { Platform } from "../../engines/platform.ts";
import { errors } from "../../kernel/errors.ts";
import { createGate } from "../../kernel/gate.ts";
import { newUuid } from "../../kernel/ids.ts";
import { Connection, type ConnectionPorts, type Transport } from "./connection.ts";
import { isCaptured } from "./drift.ts";
import type { LogFollower } from "./followers.ts";
import { followLog } from "./following.ts";
import { limits } from "./limits.ts";
import { realtimeMetrics } from "./metrics.ts";
import { Presence } from "./presence.ts";
import * as store from "./store.ts";
import type { Viewer } from "./subscriptions.ts";
import { disableTable, type EnabledTable, enableTables } from "./tables.ts";

export type { LogFollower } from "./followers.ts";
export { placeOf } from "./frames.ts";

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
  /**
   * Up to where in the log an app's clients on this node have been sent everything, to be given as `since` later; null
   * while something is on its way.
   */
  positionOf(appId: string): string | null;
  /** Begins a conversation with a client; the door feeds it messages and ends it. */
  connect(appId: string, viewer: Viewer, transport: Transport): Connection;
  /** Called when an end user's session was ended, on whichever node. */
  onSessionEnded(listener: (sessionId: string) => void): void;
  /** Called when such news may have been missed. */
  onGap(listener: () => void): void;
  /** Has `follower` read this node's log too; to be called before `start`. */
  follow(follower: LogFollower): void;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Runs the app's function for an event a client sent; null if the app has none of that name. */
export type EventHandler = ConnectionPorts["onEvent"];

export function createRealtimeService(platform: Platform, onEvent: EventHandler): RealtimeService {
  const { database } = platform;
  const metrics = realtimeMetrics(platform.metrics);
  const { hub, reader, caughtUp, ...following } = followLog(platform, metrics);
  const ready = () => reader.ready();
  const presence = new Presence();
  const initialReads = createGate({
    inside: limits.initialReads,
    waiting: limits.initialReadsWaiting,
    refusal: () => errors.DATABASE_UNAVAILABLE(),
  });
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
    ready,
    positionOf: (appId) => hub.positionOf(appId),
    connect(appId, viewer, transport) {
      const ports = {
        ...{ appId, clientId: newUuid(), hub, ready, presence, metrics, onEvent },
        ...{ database, log: platform.log, window: () => null, initialReads },
      };
      return new Connection(viewer, transport, ports);
    },
    onSessionEnded: following.onSessionEnded,
    onGap: following.onGap,
    follow: following.follow,
    start: following.start,
    stop: following.stop,
  };
}
