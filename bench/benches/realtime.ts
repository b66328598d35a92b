import { newDataDir, startAmbit } from "../harness/ambit.ts";
import type { Bench } from "../harness/bench.ts";
import { startChild } from "../harness/child.ts";
import { postgresAddress, postgresVersion } from "../harness/postgres.ts";
import { median } from "../harness/statistics.ts";
import type { LiveCommands } from "./live-worker.ts";
import { createNotesApp, type NotesApp, signUp, type User } from "./notes-app.ts";

const WORKER = new URL("live-worker.ts", import.meta.url);
const SUBSCRIBERS = [1, 100, 500];
const REPEATS = 5;
const WRITERS = 8;
const PACE = { perSecond: 100, forMs: 3_000 };
const BURST_CHANGES = 3_000;
/** Signing up waits on purpose, so several go on at once. */
const SIGN_UPS_AT_ONCE = 16;

/** How fast committed changes reach those who may see them, each subscriber a user who sees only their own rows. */
export const realtime: Bench = {
  name: "realtime",
  summary:
    "from an insert to the frame at its owner's socket, and changes per second, for 1 to 500 subscribers",
  async run({ resources, profileDir, report, note }) {
    const dataDir = newDataDir(resources);
    const profiling = profileDir === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileDir}`];
    const ambit = await startAmbit(resources, dataDir, profiling);
    const app = await createNotesApp(ambit);
    await app.api("POST", `/v1/${app.id}/realtime/configure`, { tables: ["notes"] });
    note(`signing up ${Math.max(...SUBSCRIBERS)} users`);
    const users = await signUpAll(Math.max(...SUBSCRIBERS), (name) => signUp(ambit, app, name));
    const worker = startChild<LiveCommands>(resources, WORKER);
    const target = postgresAddress(dataDir);
    await worker.call("openWriters", { target, table: tableOf(app), count: WRITERS });
    const version = await postgresVersion(dataDir);
    const url = `ws://${ambit.host}:${ambit.port}/v1/${app.id}/realtime`;
    for (const count of SUBSCRIBERS) {
      await worker.call("watch", { url, users: users.slice(0, count) });
      await worker.call("burst", BURST_CHANGES);
      const paced: Awaited<ReturnType<LiveCommands["pace"]>>[] = [];
      const bursts: Awaited<ReturnType<LiveCommands["burst"]>>[] = [];
      for (let repeat = 1; repeat <= REPEATS; repeat += 1) {
        paced.push(await worker.call("pace", PACE));
        bursts.push(await worker.call("burst", BURST_CHANGES));
        const { p50, p99 } = paced.at(-1)!;
        const shown = bursts.at(-1)!.shownPerSecond;
        note(
          `${count} subscribers, ${repeat}/${REPEATS}: p50 ${p50.frame.toFixed(2)} ms, p99 ${p99.frame.toFixed(2)} ms, ${shown.toFixed(0)} changes/s`,
        );
      }
      const common =
        `${count} subscriber${count === 1 ? "" : "s"}, each a user of their own on a socket of their own, owner's policy; ` +
        `every change is one insert and one frame, at its owner's; median of ${REPEATS}; ` +
        "subscribers and writers (one process), Ambit and Postgres share the machine";
      const steady = `at a steady ${PACE.perSecond} inserts a second; baseline: the insert's own answer; ${common}`;
      const all = (take: (each: (typeof paced)[number]) => number) => median(paced.map(take));
      for (const share of ["p50", "p99"] as const) {
        report(
          {
            measure: `realtime.insert_to_frame_${share}.s${count}`,
            value: all((each) => each[share].frame),
            baseline: all((each) => each[share].write),
            unit: "ms",
            conditions: steady,
          },
          version,
        );
      }
      report(
        {
          measure: `realtime.changes_per_second.s${count}`,
          value: median(bursts.map((each) => each.shownPerSecond)),
          baseline: median(bursts.map((each) => each.committedPerSecond)),
          unit: "changes/s",
          conditions: `${BURST_CHANGES} inserts over ${WRITERS} connections, until the last frame; baseline: commits per second meanwhile; ${common}`,
        },
        version,
      );
    }
  },
};

/** The schema of an app has its id for a name, which needs no quotes. */
const tableOf = (app: NotesApp): string => `${app.id}.notes`;

async function signUpAll(count: number, one: (name: string) => Promise<User>): Promise<User[]> {
  const users: User[] = [];
  for (let from = 0; from < count; from += SIGN_UPS_AT_ONCE) {
    const size = Math.min(SIGN_UPS_AT_ONCE, count - from);
    users.push(
      ...(await Promise.all(Array.from({ length: size }, (_, index) => one(`user${from + index}`)))),
    );
  }
  return users;
}
