import { setTimeout as sleep } from "node:timers/promises";
import type { Platform } from "../../engines/platform.ts";
import { newUuid } from "../../kernel/ids.ts";
import { CaptureCheck } from "./capture-check.ts";
import { loadViews } from "./catalog.ts";
import { SqlFilterJudge } from "./filters/judge.ts";
import { Followers, type LogFollower } from "./followers.ts";
import { Hub, type HubPorts } from "./hub.ts";
import { SqlJudge } from "./judge.ts";
import { limits } from "./limits.ts";
import { Mender } from "./mender.ts";
import { MARK_PREFIX } from "./messages.ts";
import type { RealtimeMetrics } from "./metrics.ts";
import { PolicyRules } from "./policy-rules.ts";
import { Reader } from "./reader.ts";
import { ShapeSource } from "./shape-source.ts";
import * as store from "./store.ts";
import { mendTables } from "./tables.ts";
import { WalWatch } from "./wal-watch.ts";

/** Everything of this node that follows the write-ahead log. */
export interface Following {
  readonly hub: Hub;
  readonly reader: Reader;
  onSessionEnded(listener: (sessionId: string) => void): void;
  onGap(listener: () => void): void;
  /** Tables, grants or policies of an app were changed. */
  onNotice(listener: (appId: string) => void): void;
  /** Names this run of the process. */
  readonly nodeId: string;
  follow(follower: LogFollower): void;
  /**
   * Keeps the log being read until the returned function is called, and for a while after. To be called before
   * `reader.ready()` by whoever is told of changes.
   */
  hold(): () => void;
  /** Waits, not for long, until this node has taken over what was committed. Other nodes follow by themselves. */
  caughtUp(): Promise<void>;
  /** Begins to follow; the log is then read as long as `hold` says, or all the time with `always`. */
  start(options?: { always?: boolean }): Promise<void>;
  stop(): Promise<void>;
}

export function followLog(
  platform: Platform,
  metrics: RealtimeMetrics,
  { onChanged }: Pick<HubPorts, "onChanged">,
): Following {
  const { database, log, clock, config } = platform;
  const sessionListeners = new Set<(sessionId: string) => void>();
  const gapListeners = new Set<() => void>();
  const noticeListeners = new Set<(appId: string) => void>();
  const followers = new Followers(log);
  const snapshot = () => store.readSnapshot(database);
  const mender = new Mender({ mend: (appId) => mendTables(database, appId), snapshot, log });
  const mendAll = async () => {
    for (const appId of await store.selectApps(database)) mender.ask(appId, 0);
  };
  const nodeId = newUuid().slice(0, 8);
  const hub = createHub(platform, metrics, nodeId, {
    snapshot,
    onChanged,
    writeMark: async (content) => void (await reader.emit(MARK_PREFIX, content)),
    readTo: () => reader.window.to,
    onNotice(appId, xid) {
      mender.ask(appId, xid);
      for (const listener of noticeListeners) listener(appId);
    },
    onSessionEnded(sessionId) {
      for (const listener of sessionListeners) listener(sessionId);
    },
  });
  const onGap = () => {
    metrics.epochs.inc();
    hub.reset("stream_lost");
    followers.gap();
    mendAll().catch((error) => log.warn({ err: error }, "realtime: tables could not be looked over"));
    for (const listener of gapListeners) listener();
  };
  const watch = new WalWatch(metrics, platform);
  const capture = new CaptureCheck({
    ...{ database, onGap },
    publish: () => store.ensurePublications(database),
    onUncaptured: (appId) => mender.ask(appId, 0),
  });
  const reader: Reader = new Reader({
    ...{ database, log, clock, nodeId, metrics: platform.metrics, onGap },
    windowMs: config.realtimeWindowMs,
    windowWalBytes: config.realtimeWindowBytes,
    windowMemoryBytes: config.realtimeWindowMemoryBytes,
    publications: () => followers.publications,
    prepare: () => followers.prepare(),
    onTransaction(transaction) {
      hub.accept(transaction);
      followers.accept(transaction);
    },
    onStreaming: (streaming) => metrics.streaming.set(streaming ? 1 : 0),
    onAwake: () => capture.look(),
    onLook: (look) => watch.note(look, reader.window),
    onCheck: () => capture.look(),
  });
  return {
    hub,
    reader,
    onSessionEnded: (listener) => void sessionListeners.add(listener),
    onGap: (listener) => void gapListeners.add(listener),
    onNotice: (listener) => void noticeListeners.add(listener),
    nodeId,
    follow: (follower) => followers.add(follower),
    async caughtUp() {
      if (!reader.streaming) return;
      const giveUp = sleep(limits.catchUpMs, undefined, { ref: false });
      await Promise.race([hub.mark().catch(() => {}), giveUp]);
    },
    hold: () => reader.hold(),
    async start({ always = true } = {}) {
      await store.ensurePublications(database);
      if (always) reader.hold();
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
  { database, log, clock, metrics: { limitsHit } }: Platform,
  metrics: RealtimeMetrics,
  nodeId: string,
  others: Pick<HubPorts, "snapshot" | "onNotice" | "onSessionEnded" | "onChanged" | "writeMark" | "readTo">,
): Hub {
  const onProblem = (app: string, sqlstate: string) => {
    metrics.undecided.inc({ sqlstate });
    log.warn({ app, sqlstate }, "realtime: visibility could not be decided");
  };
  return new Hub({
    load: (appId, tables) => database.transaction((tx) => loadViews(tx, appId, tables)),
    judge: new SqlJudge(database, clock, onProblem),
    rules: new PolicyRules({
      ...{ database, metrics, log },
      // What is asked here is hostile on purpose: that it fails for some says nothing about the app.
      judge: new SqlJudge(database, clock, () => {}),
    }),
    filters: new SqlFilterJudge(database, clock, onProblem),
    shapes: new ShapeSource(database),
    metrics,
    limitsHit,
    log,
    clock,
    nodeId,
    ...others,
  });
}
