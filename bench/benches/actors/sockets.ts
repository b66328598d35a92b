import type { RunningAmbit } from "../../harness/ambit.ts";
import type { Api } from "../../harness/api.ts";
import type { BenchContext } from "../../harness/bench.ts";
import { type Child, startChild } from "../../harness/child.ts";
import { median } from "../../harness/statistics.ts";
import { startBareActor } from "./bare.ts";
import { ROOM } from "./programs.ts";
import type { SocketCommands } from "./socket-worker.ts";

const WORKER = new URL("socket-worker.ts", import.meta.url);
const CLIENTS = 1_000;
const ROUNDS = 9;
const BROADCASTS = 20;
const ECHOES = 300;

/** WebSockets of one room through Ambit against those of a bare workerd: to a thousand at once, and there and back. */
export async function compareSockets(
  context: BenchContext,
  ambit: RunningAmbit,
  app: { readonly id: string; readonly api: Api },
  version: string,
): Promise<void> {
  const { resources, report } = context;
  await app.api("PUT", `/v1/${app.id}/runtime/logs`, { enabled: false });
  await app.api("POST", `/v1/${app.id}/durable-objects`, { name: "room", code: ROOM, access_mode: "public" });
  const bare = await startBareActor(resources, ROOM);
  const ours = startChild<SocketCommands>(resources, WORKER);
  const theirs = startChild<SocketCommands>(resources, WORKER);
  const ourUrl = `ws://${ambit.host}:${ambit.port}/v1/${app.id}/do/room/bench`;
  const theirUrl = `ws://127.0.0.1:${bare.port}/_do/room/bench`;
  const connect = async (count: number) => {
    await ours.call("connect", { url: ourUrl, count });
    await theirs.call("connect", { url: theirUrl, count });
  };
  await connect(CLIENTS);
  const broadcasts = await byTurns(
    ours,
    theirs,
    async (side) => side.call("broadcast", BROADCASTS),
    context,
    "broadcast",
  );
  report(
    {
      measure: "actors.broadcast",
      value: median(broadcasts.map(({ a }) => a.perSecond)),
      baseline: median(broadcasts.map(({ b }) => b.perSecond)),
      ratio: median(broadcasts.map(({ a, b }) => a.perSecond / b.perSecond)),
      unit: "messages/s",
      target: { of: "ratio", bound: "≥", number: 0.75 },
      conditions:
        `one message of 100 bytes to ${CLIENTS} hibernatable WebSockets, the next when all have it; logs off; ` +
        `${BROADCASTS} broadcasts a round, medians of ${ROUNDS} alternating rounds (the ratio too); baseline: a bare workerd; ` +
        "clients, Ambit and workerd share the machine",
    },
    version,
  );
  await connect(1);
  const echoes = await byTurns(ours, theirs, async (side) => side.call("echo", ECHOES), context, "echo");
  report(
    {
      measure: "actors.echo_added",
      value: median(echoes.map(({ a, b }) => a.p50Ms - b.p50Ms)),
      unit: "ms",
      target: { of: "value", bound: "≤", number: 0.15 },
      conditions:
        `p50 of a message there and back through Ambit (${median(echoes.map(({ a }) => a.p50Ms)).toFixed(3)} ms) less that on a bare ` +
        `workerd (${median(echoes.map(({ b }) => b.p50Ms)).toFixed(3)} ms); one socket, ${ECHOES} messages a round, ` +
        `median of ${ROUNDS} alternating rounds; logs off`,
    },
    version,
  );
}

interface Seen {
  readonly perSecond: number;
  readonly p50Ms: number;
}

async function byTurns<T extends Partial<Seen> & { p50Ms: number }>(
  ours: Child<SocketCommands>,
  theirs: Child<SocketCommands>,
  measure: (side: Child<SocketCommands>) => Promise<T>,
  { note }: BenchContext,
  what: string,
): Promise<{ a: T; b: T }[]> {
  await measure(ours);
  await measure(theirs);
  const seen: { a: T; b: T }[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    const pair = { a: await measure(ours), b: await measure(theirs) };
    seen.push(pair);
    note(`${what} ${round}/${ROUNDS}: p50 ${pair.a.p50Ms.toFixed(3)} ms, bare ${pair.b.p50Ms.toFixed(3)} ms`);
  }
  return seen;
}
