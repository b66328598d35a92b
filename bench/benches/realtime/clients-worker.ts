import { setTimeout as pause } from "node:timers/promises";
import { serve } from "../../harness/child.ts";
import { Client, type ClientPlan, type Tally } from "./client.ts";

export interface ConnectPlan extends Omit<ClientPlan, "token" | "group" | "sampled"> {
  readonly clients: readonly {
    readonly token: string | null;
    readonly group: number;
    /** Comes after the path. */
    readonly pathEnd?: string;
  }[];
  /** Connections being opened at the same time. */
  readonly atOnce: number;
  /** Of one client in this many latencies are kept. */
  readonly sampleEvery: number;
}

/** What a worker's clients were shown since the last look. */
export interface Seen {
  readonly deliveries: number;
  readonly lastAtMs: number;
  readonly latenciesMs: readonly number[];
}

const POLL_MS = 5;
const tally: Tally = { deliveries: 0, lastAtMs: 0, problem: undefined, latenciesMs: [] };
let clients: Client[] = [];

const commands = {
  /** Opens connections in addition to those there are, each subscribed; milliseconds it took. */
  async connect({ clients: wanted, atOnce, sampleEvery, ...plan }: ConnectPlan): Promise<number> {
    const startedAt = performance.now();
    let next = 0;
    const lane = async () => {
      while (next < wanted.length) {
        const index = next++;
        const { pathEnd = "", ...own } = wanted[index]!;
        const path = plan.path + pathEnd;
        const client = new Client({ ...plan, ...own, path, sampled: index % sampleEvery === 0 }, tally);
        clients.push(client);
        await client.ready;
      }
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, wanted.length) }, lane));
    return performance.now() - startedAt;
  },
  /** Waits until so many changes were delivered since the last look; rejects when one is wrong, or late. */
  async until({ deliveries, withinMs }: { deliveries: number; withinMs: number }): Promise<Seen> {
    const giveUpAt = performance.now() + withinMs;
    while (tally.deliveries < deliveries && tally.problem === undefined) {
      if (performance.now() > giveUpAt)
        throw new Error(`${deliveries - tally.deliveries} of ${deliveries} deliveries did not come`);
      await pause(POLL_MS);
    }
    if (tally.problem !== undefined) throw new Error(tally.problem);
    const seen = { ...tally, latenciesMs: [...tally.latenciesMs] };
    tally.deliveries = 0;
    tally.latenciesMs.length = 0;
    return seen;
  },
  /** Each client has to have been shown the last turn of its group and nothing beyond. */
  verify(turns: Readonly<Record<number, number>>): void {
    if (tally.problem !== undefined) throw new Error(tally.problem);
    for (const { group, turn } of clients) {
      if (turn !== (turns[group] ?? 0))
        throw new Error(`group ${group} was shown ${turn} rows of ${turns[group] ?? 0}`);
    }
    if (tally.deliveries > 0) throw new Error(`${tally.deliveries} deliveries too many`);
  },
  close(_: null): void {
    for (const client of clients) client.close();
    clients = [];
    Object.assign(tally, { deliveries: 0, problem: undefined });
    tally.latenciesMs.length = 0;
  },
};
export type ClientsCommands = typeof commands;

serve(commands);
