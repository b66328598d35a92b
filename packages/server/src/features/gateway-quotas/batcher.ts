/** Gathers what comes while something is being asked, and asks it together. */
export interface Batcher<T, R> {
  /** Resolves with the item's own answer; rejects with what its batch met, when it is late, or when too many wait. */
  add(item: T): Promise<R>;
  /** Resolves when nothing waits or is under way. */
  settled(): Promise<void>;
}

export interface BatcherOptions<T, R> {
  /** Asks for a batch; the answers in the order of the items. */
  ask(batch: readonly T[]): Promise<readonly R[]>;
  /** How large an item is, in the unit of `batchWeight`. */
  weightOf(item: T): number;
  /** What `add` rejects with when the queue is full, and when no answer came in time. */
  full(): Error;
  late(): Error;
  /** An answer that nobody waits for any more. */
  onLate(item: T, answer: R): void;
  readonly limits: {
    readonly waitMs: number;
    /** Batches under way at once. One that is late does not count any more… */
    readonly batchesAtOnce: number;
    /** …but of such there are at most so many. */
    readonly unanswered: number;
    readonly batchWeight: number;
    readonly queueItems: number;
  };
}

interface Waiting<T, R> {
  readonly item: T;
  readonly timer: NodeJS.Timeout;
  /** It has its answer, or was told that it is late. */
  over: boolean;
  resolve(answer: R): void;
  reject(error: unknown): void;
}

/** An item is asked about once, in the order of arrival; one that is late before its turn, never. */
export function createBatcher<T, R>(options: BatcherOptions<T, R>): Batcher<T, R> {
  const { ask, weightOf, limits } = options;
  let queue: Waiting<T, R>[] = [];
  let underWay = 0;
  let unanswered = 0;
  let asked = false;
  let onSettled: (() => void)[] = [];

  const takeBatch = (): Waiting<T, R>[] => {
    queue = queue.filter(({ over }) => !over);
    let count = 0;
    let weight = 0;
    for (const { item } of queue) {
      weight += weightOf(item);
      if (count > 0 && weight > limits.batchWeight) break;
      count += 1;
    }
    const batch = queue.slice(0, count);
    queue = queue.slice(count);
    return batch;
  };

  const end = ({ timer }: Waiting<T, R>): void => clearTimeout(timer);
  const answer = (waiting: Waiting<T, R>, given: R) => {
    if (waiting.over) return options.onLate(waiting.item, given);
    waiting.over = true;
    end(waiting);
    waiting.resolve(given);
  };
  const fail = (waiting: Waiting<T, R>, error: unknown) => {
    if (waiting.over) return;
    waiting.over = true;
    end(waiting);
    waiting.reject(error);
  };

  const askNext = async (): Promise<void> => {
    const batch = takeBatch();
    if (batch.length === 0) return;
    underWay += 1;
    unanswered += 1;
    let counts = true;
    const stopCounting = () => {
      if (!counts) return;
      counts = false;
      underWay -= 1;
      soon();
    };
    const late = setTimeout(stopCounting, limits.waitMs).unref();
    try {
      const answers = await ask(batch.map(({ item }) => item));
      for (const [index, waiting] of batch.entries()) answer(waiting, answers[index]!);
    } catch (error) {
      for (const waiting of batch) fail(waiting, error);
    }
    clearTimeout(late);
    unanswered -= 1;
    stopCounting();
    soon();
    settleIfIdle();
  };

  const mayAsk = () =>
    queue.length > 0 &&
    underWay < limits.batchesAtOnce &&
    unanswered < limits.batchesAtOnce + limits.unanswered;

  /** Begins once everyone who is about to add something in this turn of the event loop has done so. */
  const soon = () => {
    if (asked || !mayAsk()) return;
    asked = true;
    setImmediate(() => {
      asked = false;
      while (mayAsk()) void askNext();
      settleIfIdle();
    });
  };

  const settleIfIdle = () => {
    if (unanswered > 0 || queue.length > 0) return;
    for (const each of onSettled) each();
    onSettled = [];
  };

  return {
    add(item) {
      if (queue.length >= limits.queueItems) return Promise.reject(options.full());
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => fail(waiting, options.late()), limits.waitMs);
        const waiting: Waiting<T, R> = { item, timer, over: false, resolve, reject };
        queue.push(waiting);
        soon();
      });
    },
    settled() {
      if (unanswered === 0 && queue.length === 0) return Promise.resolve();
      return new Promise((resolve) => onSettled.push(resolve));
    },
  };
}
