import { setTimeout as sleep } from "node:timers/promises";
import type { Platform } from "../../engines/platform.ts";
import { newUuid } from "../../kernel/ids.ts";
import { loadViews } from "./catalog.ts";
import { SqlFilterJudge } from "./filters/judge.ts";
import { Followers, type LogFollower } from "./followers.ts";
import { Hub, type HubPorts } from "./hub.ts";
import { SqlJudge } from "./judge.ts";
import { limits } from "./limits.ts";
import { Mender } from "./mender.ts";
import type { RealtimeMetrics } from "./metrics.ts";
import { Reader } from "./reader.ts";
import { sqlOnly } from "./rule-source.ts";
import { ShapeSource } from "./shape-source.ts";
import * as store from "./store.ts";
import { mendTables } from "./tables.ts";

/** Everything of this node that follows the write-ahead log. */
export interface Following {
  readonly hub: Hub;
  readonly reader: Reader;
  onSessionEnded(listener: (sessionId: string) => void): void;
  onGap(listener: () => void): void;
  follow(follower: LogFollower): void;
  /** Waits, not for long, until this node has taken over what was committed. Other nodes follow by themselves. */
  caughtUp(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function followLog(platform: Platform, metrics: RealtimeMetrics): Following {
  const { database, log } = platform;
  const sessionListeners = new Set<(sessionId: string) => void>();
  const gapListeners = new Set<() => void>();
  const followers = new Followers(log);
  const snapshot = () => store.readSnapshot(database);
  const mender = new Mender({ mend: (appId) => mendTables(database, appId), snapshot, log });
  const mendAll = async () => {
    for (const appId of await store.selectApps(database)) mender.ask(appId, 0);
  };
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
    publications: () => followers.publications,
    prepare: () => followers.prepare(),
    onTransaction(transaction) {
      hub.accept(transaction);
      followers.accept(transaction);
    },
    onGap() {
      hub.reset("stream_lost");
      followers.gap();
      mendAll().catch((error) => log.warn({ err: error }, "realtime: tables could not be looked over"));
      for (const listener of gapListeners) listener();
    },
    onStreaming: (streaming) => metrics.streaming.set(streaming ? 1 : 0),
  });
  return {
    hub,
    reader,
    onSessionEnded: (listener) => void sessionListeners.add(listener),
    onGap: (listener) => void gapListeners.add(listener),
    follow: (follower) => followers.add(follower),
    async caughtUp() {
      if (!reader.streaming) return;
      const giveUp = sleep(limits.catchUpMs, undefined, { ref: false });
      await Promise.race([hub.mark().catch(() => {}), giveUp]);
    },
    async start() {
      await store.ensurePublications(database);
      reader.start();
      await mendAll();
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
    rules: sqlOnly,
    filters: new SqlFilterJudge(database, clock, onProblem),
    shapes: new ShapeSource(database),
    metrics,
    log,
    clock,
    nodeId,
    ...others,
  });
}
