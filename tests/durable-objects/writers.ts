import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";

/** One acknowledged write: what the instance answered, and when we asked and knew. */
export interface Ack {
  readonly instance: string;
  readonly line: string;
  readonly n: number;
  readonly life: number;
  readonly version: string;
  readonly askedAt: number;
  readonly knownAt: number;
}

/** A write that got another answer than 200, or none. */
export interface Failure {
  readonly status: number;
  readonly body: string;
  readonly atMs: number;
}

export interface Writers {
  readonly acks: readonly Ack[];
  readonly failures: readonly Failure[];
  /** The longest time one write took from asking to knowing. */
  longestMs(): number;
  /** Waits until `more` further writes were acknowledged. */
  progress(more: number, withinMs?: number): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Writers that give an instance of `sequence` one line after another until stopped. `base()` is asked for every write,
 * as a server that was started again is somewhere else.
 */
export function startWriters(base: () => string, instances: readonly string[], perInstance = 3): Writers {
  const acks: Ack[] = [];
  const failures: Failure[] = [];
  let stopped = false;
  let longest = 0;
  const write = async (instance: string, writer: number) => {
    for (let turn = 0; !stopped; turn++) {
      const line = `${instance}-w${writer}-${turn}-${Math.random().toString(36).slice(2, 8)}`;
      const askedAt = performance.now();
      try {
        const response = await fetch(`${base()}/sequence/${instance}`, { method: "POST", body: line });
        const text = await response.text();
        const knownAt = performance.now();
        longest = Math.max(longest, knownAt - askedAt);
        if (response.status === 200) acks.push({ instance, line, ...JSON.parse(text), askedAt, knownAt });
        else failures.push({ status: response.status, body: text, atMs: Date.now() });
        if (response.status !== 200) await sleep(15);
      } catch (error) {
        failures.push({ status: 0, body: String((error as Error).cause ?? error), atMs: Date.now() });
        await sleep(15);
      }
    }
  };
  const all = instances.flatMap((name) => Array.from({ length: perInstance }, (_, n) => write(name, n)));
  return {
    acks,
    failures,
    longestMs: () => longest,
    async progress(more, withinMs = 40_000) {
      const goal = acks.length + more;
      const deadline = Date.now() + withinMs;
      while (acks.length < goal) {
        if (Date.now() > deadline) {
          const last = failures.at(-1);
          throw new Error(`writes stand still; the last failure: ${JSON.stringify(last)}`);
        }
        await sleep(5);
      }
    },
    async stop() {
      stopped = true;
      await Promise.all(all);
    },
  };
}

interface Row {
  readonly n: number;
  readonly life: number;
  readonly line: string;
}

/**
 * Every acknowledged write is stored once and as it was told, and there was one instance at a time: numbers are never
 * given twice, and neither numbers nor lives go back from one acknowledged write to a later one.
 */
export async function expectNothingLost(base: string, { acks }: Pick<Writers, "acks">): Promise<void> {
  for (const instance of new Set(acks.map((ack) => ack.instance))) {
    const mine = acks.filter((ack) => ack.instance === instance);
    const response = await fetch(`${base}/sequence/${instance}`);
    expect(response.status, `the log of ${instance}`).toBe(200);
    const rows = (await response.json()) as Row[];
    const stored = new Map(rows.map((row) => [row.line, row]));
    const lost = mine.filter(({ line, n, life }) => {
      const row = stored.get(line);
      return row === undefined || row.n !== n || row.life !== life;
    });
    expect(lost, `acknowledged by ${instance}, and not there`).toEqual([]);
    expect(stored.size, `lines of ${instance} that were stored twice`).toBe(rows.length);
    expect(
      rows.map((row) => row.n),
      `numbers of ${instance}`,
    ).toEqual(rows.map((_, index) => index + 1));
    expect(goneBack(mine), `${instance} went back: two of it lived at once`).toEqual([]);
  }
}

/** Pairs where a write that was asked for after another was known has a smaller number or an earlier life. Pure. */
export function goneBack(acks: readonly Ack[]): [Ack, Ack][] {
  const asked = [...acks].sort((a, b) => a.askedAt - b.askedAt);
  const known = [...acks].sort((a, b) => a.knownAt - b.knownAt);
  const found: [Ack, Ack][] = [];
  let next = 0;
  let highest: Ack | undefined;
  for (const ack of asked) {
    for (; next < known.length && known[next]!.knownAt < ack.askedAt; next++) {
      if (highest === undefined || known[next]!.n > highest.n) highest = known[next];
    }
    if (highest !== undefined && (ack.n <= highest.n || ack.life < highest.life)) found.push([highest, ack]);
  }
  return found;
}
