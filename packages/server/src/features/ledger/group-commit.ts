/** Gathers what comes while something is being written, and writes it together. */
export interface GroupCommit<T> {
  /** Resolves once the item's batch is durable; rejects with what its batch met, at once when the queue is full. */
  add(item: T): Promise<void>;
  /** Resolves when nothing waits or is under way. */
  settled(): Promise<void>;
}

export interface GroupCommitOptions<T> {
  /** Writes a batch: all of it or, when it throws, none. */
  write(batch: readonly T[]): Promise<void>;
  bytesOf(item: T): number;
  /** What a full queue answers. */
  full(limit: "entries" | "bytes"): Error;
  readonly limits: {
    /** Batches under way at once. */
    readonly insertsAtOnce: number;
    /** Of one batch; an item that is larger goes alone. */
    readonly batchEntries: number;
    readonly batchBytes: number;
    /** Of what waits. */
    readonly queueEntries: number;
    readonly queueBytes: number;
  };
}

interface Waiting<T> {
  readonly item: T;
  readonly bytes: number;
  resolve(): void;
  reject(error: unknown): void;
}

/** Items are written in the order they came in; batches of one queue never overtake each other where one is under way at a time. */
export function createGroupCommit<T>({
  write,
  bytesOf,
  full,
  limits,
}: GroupCommitOptions<T>): GroupCommit<T> {
  let queue: Waiting<T>[] = [];
  let queuedBytes = 0;
  let underWay = 0;
  let asked = false;
  let onSettled: (() => void)[] = [];

  const takeBatch = (): Waiting<T>[] => {
    let count = 0;
    let bytes = 0;
    for (const { bytes: size } of queue) {
      if (count > 0 && (count === limits.batchEntries || bytes + size > limits.batchBytes)) break;
      count += 1;
      bytes += size;
    }
    const batch = queue.slice(0, count);
    queue = queue.slice(count);
    queuedBytes -= bytes;
    return batch;
  };

  const settleIfIdle = () => {
    if (underWay > 0 || queue.length > 0) return;
    for (const each of onSettled) each();
    onSettled = [];
  };

  const writeNext = async (): Promise<void> => {
    const batch = takeBatch();
    underWay += 1;
    try {
      await write(batch.map(({ item }) => item));
      for (const { resolve } of batch) resolve();
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
    underWay -= 1;
    settleIfIdle();
    ask();
  };

  /** Begins once everyone who is about to add something in this turn of the event loop has done so. */
  const ask = () => {
    if (asked || queue.length === 0 || underWay >= limits.insertsAtOnce) return;
    asked = true;
    setImmediate(() => {
      asked = false;
      while (queue.length > 0 && underWay < limits.insertsAtOnce) void writeNext();
    });
  };

  return {
    add(item) {
      const bytes = bytesOf(item);
      if (queue.length >= limits.queueEntries) return Promise.reject(full("entries"));
      if (queue.length > 0 && queuedBytes + bytes > limits.queueBytes) return Promise.reject(full("bytes"));
      return new Promise((resolve, reject) => {
        queue.push({ item, bytes, resolve, reject });
        queuedBytes += bytes;
        ask();
      });
    },
    settled() {
      if (underWay === 0 && queue.length === 0) return Promise.resolve();
      return new Promise((resolve) => onSettled.push(resolve));
    },
  };
}
