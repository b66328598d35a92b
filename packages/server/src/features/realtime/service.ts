import type { Platform } from "../../engines/platform.ts";
import { errors } from "../../kernel/errors.ts";
import { createGate } from "../../kernel/gate.ts";
import { newUuid } from "../../kernel/ids.ts";
import { Connection, type ConnectionPorts, type Transport } from "./connection.ts";
import { isCaptured } from "./drift.ts";
import { createExplainer, type Explainer } from "./explain.ts";
import type { LogFollower } from "./followers.ts";
import { followLog } from "./following.ts";
import { Holders } from "./holders.ts";
import { limits } from "./limits.ts";
import type { LogStatus } from "./log-status.ts";
import { realtimeMetrics } from "./metrics.ts";
import { Bus, createRooms, createRulesService, type RulesService } from "./rooms/index.ts";
import * as store from "./store.ts";
import type { Viewer } from "./subscriptions.ts";
import { disableTable, type EnabledTable, enableTables } from "./tables.ts";

export type { LogFollower } from "./followers.ts";
export { placeOf } from "./frames.ts";
export { Holders } from "./holders.ts";

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
  /** Says who sees a row, and why. */
  readonly explainer: Explainer;
  /** The log is being read at this moment. */
  readonly streaming: boolean;
  /** The log is being read, or would be if somebody needed it. */
  readonly readable: boolean;
  /** Resolves once every change committed from then on will be read. */
  ready(): Promise<void>;
  /**
   * Up to where in the log an app's clients on this node have been sent everything, to be given as `since` later; null
   * while something is on its way.
   */
  positionOf(appId: string): string | null;
  /** Positions of another epoch mean nothing. */
  readonly epoch: string;
  /** Rules for rooms and channels. */
  readonly rules: RulesService;
  /** What is kept of the log, read and held. Rejects while Postgres does not answer. */
  status(): Promise<LogStatus>;
  /**
   * Keeps the log being read until the returned function is called; to be called by those who `follow` while somebody
   * waits for what they tell.
   */
  hold(): () => void;
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

export interface RealtimeDeps {
  /** Runs the functions that answer clients' events. */
  readonly onEvent: EventHandler;
  /** Names of an app's enums. */
  enums(appId: string): Promise<ReadonlySet<string>>;
  /** An app's tables, grants or policies have changed; called before its clients are told, on every node that has any. */
  onChanged(appId: string): void;
}

export function createRealtimeService(
  platform: Platform,
  { onEvent, enums, onChanged }: RealtimeDeps,
): RealtimeService {
  const { database, log, clock } = platform;
  const { limitsHit } = platform.metrics;
  const metrics = realtimeMetrics(platform.metrics);
  const { hub, reader, caughtUp, ...following } = followLog(platform, metrics, { onChanged });
  const ready = () => reader.ready();
  const onLimit = (limit: string) => limitsHit.inc({ limit });
  const logPort = {
    ...{ nodeId: following.nodeId, nodes: reader.nodes, onGap: following.onGap },
    emit: (prefix: string, content: string) => reader.emit(prefix, content),
    onMessage: (prefix: string, listener: (content: string) => void) => reader.onMessage(prefix, listener),
  };
  const bus = new Bus({ reader: logPort, log, onLimit });
  const onUndecided = (sqlstate: string) => metrics.undecided.inc({ sqlstate });
  const rooms = createRooms({ bus, database, metrics: platform.metrics, log, clock, onUndecided });
  following.onNotice((appId) => rooms.recheck(appId));
  const rules = createRulesService({
    ...{ database, enums, onLimit },
    onChange: (appId) => rooms.rulesChanged(appId),
  });
  const explainer = createExplainer(platform);
  const initialReads = createGate({
    inside: limits.initialReads,
    waiting: limits.initialReadsWaiting,
    refusal: () => errors.DATABASE_UNAVAILABLE(),
  });
  const holders = new Holders(() => following.hold());
  const ports: ConnectionPorts = {
    ...{ hub, ready, rooms, metrics, onEvent, database, log, initialReads, explainer, limitsHit },
    window: () => reader.window,
    onClosed: () => holders.remove(),
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
    get readable() {
      return reader.readable;
    },
    ready,
    explainer,
    positionOf: (appId) => hub.positionOf(appId),
    get epoch() {
      return reader.window.epoch;
    },
    rules,
    status: () => reader.status(),
    connect(appId, viewer, transport) {
      holders.add();
      const clientId = flat(newUuid());
      return new Connection({ appId, clientId, viewer }, transport, ports);
    },
    hold: following.hold,
    onSessionEnded: following.onSessionEnded,
    onGap: following.onGap,
    follow: following.follow,
    start: () => following.start({ always: false }),
    async stop() {
      rooms.close();
      bus.close();
      await following.stop();
    },
  };
}

/** The same text in one piece: V8 keeps a new id as a tree of its parts, several times as large. */
const flat = (text: string): string => Buffer.from(text, "latin1").toString("latin1");
