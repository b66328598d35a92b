import type { Bench, BenchContext } from "../../harness/bench.ts";
import { startChild } from "../../harness/child.ts";
import { postgresAddress } from "../../harness/postgres.ts";
import { bareDeliveriesPerSecond } from "./bare.ts";
import { measureIdle } from "./idle.ts";
import { conditionsOf, reportShare } from "./reports.ts";
import { type Cast, type Outcome, runScene } from "./run-scene.ts";
import { SCENES, type Scene } from "./scenes.ts";
import { readSettings, type Settings } from "./settings.ts";
import { questionsPerSecond } from "./sql-baseline.ts";
import { openStand, type Stand } from "./stand.ts";
import { startSwarm } from "./swarm.ts";
import type { WriterCommands } from "./writer-worker.ts";
import { compareWriters, type Side } from "./writers.ts";

const WRITER = new URL("writer-worker.ts", import.meta.url);
const WRITERS = 8;
const MOST_CLIENTS = 10_000;
const BASELINE_MS = 3_000;
/** Of a change's frame in these scenes, without its head. */
const FRAME_BYTES = 330;

/** How fast committed changes reach those who may see them, and what connections and capture cost. */
export const realtime: Bench = {
  name: "realtime",
  summary:
    "changes per second and latency to thousands of sockets under four policies, memory per connection, what writers pay",
  async run(context) {
    const settings = readSettings(context.settings);
    const wanted = (name: string) => settings.only === null || settings.only.has(name);
    const users = Math.min(settings.clients ?? MOST_CLIENTS, MOST_CLIENTS);
    const stand = await openStand(context, users);
    const swarm = startSwarm(context.resources, settings.processes);
    const writer = await startWriter(context, stand);
    const cast = { stand, swarm, writer, settings };
    if (wanted("idle")) await idle(context, cast, users);
    const scenes = SCENES.filter(({ name }) => wanted(name));
    const bare = scenes.length === 0 ? Number.NaN : await ceiling(context, cast, users);
    for (const scene of scenes) await play(scene, context, cast, bare);
    if (wanted("writer_share")) await writers(context, cast);
  },
};

async function startWriter({ resources }: BenchContext, stand: Stand) {
  const writer = startChild<WriterCommands>(resources, WRITER);
  await writer.call("open", { target: postgresAddress(stand.ambit.dataDir), connections: WRITERS });
  return writer;
}

async function idle({ report, note }: BenchContext, { stand, swarm }: Cast, users: number): Promise<void> {
  const seen = await measureIdle(stand, swarm, users);
  note(`${seen.clients} connections at once: ${seen.connectsPerSecond.toFixed(0)} opened per second`);
  report(
    {
      measure: "realtime.idle_conn_bytes",
      value: seen.bytesPerConnection,
      unit: "bytes",
      target: { of: "value", bound: "≤", number: 15_000 },
      conditions: `${seen.clients} connections opened at once, ${seen.connectsPerSecond.toFixed(0)} a second, each a user of their own with one subscription; growth of the process' resident memory 12 s later, by connection`,
    },
    stand.version,
  );
}

async function ceiling({ resources, note }: BenchContext, { swarm }: Cast, users: number): Promise<number> {
  const bare = await bareDeliveriesPerSecond(resources, swarm, users, FRAME_BYTES);
  note(`a bare process writes ${bare.toFixed(0)} ready frames a second to ${users} sockets`);
  return bare;
}

async function play(scene: Scene, context: BenchContext, cast: Cast, bare: number): Promise<void> {
  const { report, note } = context;
  let outcome: Outcome;
  try {
    outcome = await runScene(scene, cast);
  } catch (error) {
    note(`${scene.name} failed: ${error instanceof Error ? error.message.slice(0, 400) : error}`);
    process.exitCode = 1;
    return;
  }
  const { version } = cast.stand;
  const conditions = conditionsOf(scene, outcome, bare);
  if (scene.kind === "live") {
    const value = outcome.p99Ms;
    report(
      { measure: `realtime.${scene.name}_p99`, value, unit: "ms", target: scene.target, conditions },
      version,
    );
    report({ measure: `realtime.${scene.name}_p50`, value: outcome.p50Ms, unit: "ms", conditions }, version);
  } else {
    const questions =
      scene.name === "owner_drain" ? await questionsPerSecond(cast.stand, BASELINE_MS) : undefined;
    report(
      {
        ...{ measure: `realtime.${scene.name}`, value: outcome.changesPerSecond, unit: "changes/s" },
        ...(questions === undefined ? {} : { baseline: questions / outcome.clients }),
        ...{ target: scene.target, conditions },
      },
      version,
    );
    report(
      {
        ...{
          measure: `realtime.${scene.name}_deliveries`,
          value: outcome.deliveriesPerSecond,
          unit: "frames/s",
        },
        ...{ baseline: bare, conditions },
        ...(scene.name === "tenant_drain"
          ? { target: { of: "value", bound: "≥", number: 160_000 } as const }
          : {}),
      },
      version,
    );
  }
  const cpu = { measure: `realtime.${scene.name}_cpu`, value: outcome.cpuPerChangeUs, unit: "µs/change" };
  report({ ...cpu, conditions }, version);
}

async function writers(context: BenchContext, { stand, writer, swarm }: Cast): Promise<void> {
  const plain = await openStand(context, 0, false);
  const sides: [Side, Side] = [
    { stand, writer },
    { stand: plain, writer: await startWriter(context, plain) },
  ];
  reportShare(context, "writer_share", await compareWriters(...sides, swarm), stand.version);
  reportShare(context, "writer_share_nobody", await compareWriters(...sides, null), stand.version);
}

export type { Settings };
