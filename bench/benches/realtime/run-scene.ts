import type { Child } from "../../harness/child.ts";
import { percentile } from "../../harness/statistics.ts";
import { aimOf, groupOfClient, type Scene } from "./scenes.ts";
import { cpuMs } from "./server-process.ts";
import type { Settings } from "./settings.ts";
import type { Stand } from "./stand.ts";
import type { Swarm } from "./swarm.ts";
import type { WriterCommands } from "./writer-worker.ts";

/** What was seen of a scene, once every change had reached everyone it was for, and nobody else. */
export interface Outcome {
  readonly clients: number;
  readonly changes: number;
  readonly changesPerSecond: number;
  readonly deliveriesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Processor time of Ambit's process, microseconds. */
  readonly cpuPerChangeUs: number;
}

const ROWS_PER_TRANSACTION = 1_000;
const CONNECTING_AT_ONCE = 256;
/** Subscribing to a table that was emptied tells of that too, unless it is over. */
const SETTLE_MS = 300;

export interface Cast {
  readonly stand: Stand;
  readonly swarm: Swarm;
  readonly writer: Child<WriterCommands>;
  readonly settings: Settings;
}

/** Connects the scene's clients, plays it, and disconnects them. */
export async function runScene(scene: Scene, { stand, swarm, writer, settings }: Cast): Promise<Outcome> {
  const count = Math.min(settings.clients ?? scene.clients, stand.users.length);
  await writer.call("aim", aimOf(scene, stand, count));
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  await swarm.connect({
    host: stand.ambit.host,
    port: stand.ambit.port,
    path: stand.path,
    table: scene.table,
    clients: stand.users
      .slice(0, count)
      .map(({ token }, index) => ({ token, group: groupOfClient(scene, index) })),
    atOnce: CONNECTING_AT_ONCE,
    sampleEvery: scene.kind === "live" ? Math.ceil(count / 2_000) : 1_000_000,
  });
  try {
    return await (scene.kind === "drain" ? drain : live)(scene, count, { stand, swarm, writer, settings });
  } finally {
    await swarm.close();
  }
}

/** Ambit is halted while the backlog is written, so that what is measured is how fast it works that off. */
async function drain(
  scene: Scene,
  clients: number,
  { stand, swarm, writer, settings }: Cast,
): Promise<Outcome> {
  const { pid } = stand.ambit;
  const rows = settings.backlog ?? scene.changes;
  process.kill(pid, "SIGSTOP");
  let turns: Awaited<ReturnType<WriterCommands["burst"]>>["turns"];
  try {
    ({ turns } = await writer.call("burst", { rows, perTransaction: ROWS_PER_TRANSACTION }));
  } finally {
    process.kill(pid, "SIGCONT");
  }
  const beganAtMs = performance.timeOrigin + performance.now();
  const cpuBefore = cpuMs(pid);
  const seen = await swarm.until(turns, settings.capMs);
  return {
    ...rates(rows, seen.deliveries, seen.lastAtMs - beganAtMs),
    clients,
    p50Ms: Number.NaN,
    p99Ms: Number.NaN,
    cpuPerChangeUs: ((cpuMs(pid) - cpuBefore) * 1_000) / rows,
  };
}

async function live(
  scene: Scene,
  clients: number,
  { stand, swarm, writer, settings }: Cast,
): Promise<Outcome> {
  const { pid } = stand.ambit;
  const perSecond = settings.rate ?? scene.changes;
  const warm = await writer.call("pace", { perSecond, forMs: 1_000 });
  const before = await swarm.until(warm.turns, settings.capMs);
  const cpuBefore = cpuMs(pid);
  const { turns, beganAtMs } = await writer.call("pace", { perSecond, forMs: settings.forMs });
  const seen = await swarm.until(turns, settings.capMs);
  const total = (of: typeof turns) => Object.values(of).reduce((a, b) => a + b, 0);
  const changes = total(turns) - total(warm.turns);
  if (before.latenciesMs.length + seen.latenciesMs.length === 0) throw new Error("no latency was seen");
  return {
    ...rates(changes, seen.deliveries, seen.lastAtMs - beganAtMs),
    clients,
    p50Ms: percentile(seen.latenciesMs, 0.5),
    p99Ms: percentile(seen.latenciesMs, 0.99),
    cpuPerChangeUs: ((cpuMs(pid) - cpuBefore) * 1_000) / changes,
  };
}

const rates = (changes: number, deliveries: number, tookMs: number) => ({
  changes,
  changesPerSecond: (changes * 1_000) / tookMs,
  deliveriesPerSecond: (deliveries * 1_000) / tookMs,
});
