/** A socket that has not taken everything written to it yet. */
export interface Behind {
  /** Bytes that wait in this process; what the operating system has taken is not among them. */
  readonly queuedBytes: number;
  /** It was told to end and may still take what waits, for a moment. */
  readonly ended: boolean;
  /** Tells the client that it was too slow, and ends. */
  cutOff(): void;
  /** Ends at once; what waits is dropped. */
  terminate(): void;
}

export interface Standing {
  readonly bytes: number;
  readonly ended: boolean;
}

/**
 * Who has to go when more waits than may: of those that have ended already all, since what waits for them is no use any
 * more; of the others the slowest, until half of what may wait is left for those that stay. Gives positions in `queues`.
 * Pure.
 */
export function whomToCut(
  queues: readonly Standing[],
  mostBytes: number,
): { cutOff: number[]; terminate: number[] } {
  const all = queues.map((queue, at) => ({ ...queue, at }));
  if (sum(all) <= mostBytes) return { cutOff: [], terminate: [] };
  const open = all.filter((queue) => !queue.ended && queue.bytes > 0).sort((a, b) => b.bytes - a.bytes);
  let left = sum(open);
  const cutOff: number[] = [];
  if (left > mostBytes) {
    for (const { at, bytes } of open) {
      if (left <= mostBytes / 2) break;
      left -= bytes;
      cutOff.push(at);
    }
  }
  return { cutOff, terminate: all.filter((queue) => queue.ended).map(({ at }) => at) };
}

const sum = (queues: readonly Standing[]) => queues.reduce((total, { bytes }) => total + bytes, 0);

/**
 * What waits for all slow sockets together. Costs nothing for sockets that take everything at once. What waits for open
 * sockets is at most the limit and one writing; what waits for ended ones, which leave within a moment, is at most as
 * much again.
 */
export class Backlog<S extends Behind> {
  readonly #mostBytes: number;
  /** By socket, what waited when it was last looked at: never less than what waits now. */
  readonly #behind = new Map<S, number>();
  #total = 0;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** At most this many bytes wait, over all sockets. */
  get bytes(): number {
    return this.#total;
  }

  /** To be called after each writing that left something waiting. */
  note(socket: S): void {
    const bytes = socket.queuedBytes;
    this.#total += bytes - (this.#behind.get(socket) ?? 0);
    this.#behind.set(socket, bytes);
    if (this.#total > this.#mostBytes) this.#cut();
  }

  remove(socket: S): void {
    this.#total -= this.#behind.get(socket) ?? 0;
    this.#behind.delete(socket);
  }

  /** Looks again at who is still behind. */
  refresh(): void {
    this.#total = 0;
    for (const socket of this.#behind.keys()) {
      const bytes = socket.queuedBytes;
      if (bytes === 0) this.#behind.delete(socket);
      else this.#behind.set(socket, bytes);
      this.#total += bytes;
    }
  }

  #cut(): void {
    this.refresh();
    const sockets = [...this.#behind.keys()];
    const standings = sockets.map(({ queuedBytes, ended }) => ({ bytes: queuedBytes, ended }));
    const { cutOff, terminate } = whomToCut(standings, this.#mostBytes);
    for (const at of terminate) sockets[at]?.terminate();
    for (const at of cutOff) sockets[at]?.cutOff();
  }
}
