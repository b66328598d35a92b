import type { Client, ClientConfig } from "pg";
import type { Log } from "../../../../kernel/log.ts";
import {
  type ChangeStream,
  type ChangeStreamOptions,
  type ChangeStreamState,
  openChangeStream,
  type StatusDetail,
} from "../change-stream.ts";
import { type Row, UNCHANGED } from "../pgoutput.ts";
import { createSlot } from "../slots.ts";
import type { StreamEvent, Transaction } from "../transactions.ts";

const waitMs = 20_000;
export const silentLog = { info() {}, warn() {} } as unknown as Pick<Log, "info" | "warn">;

/** A change stream together with everything it has delivered and told. */
export class Recorder {
  readonly transactions: Transaction[] = [];
  readonly events: StreamEvent[] = [];
  readonly statuses: { state: ChangeStreamState | "gap"; detail: StatusDetail }[] = [];
  readonly stream: ChangeStream;
  #waiters: (() => void)[] = [];

  constructor(options: Omit<ChangeStreamOptions, "onTransaction" | "log"> & Partial<ChangeStreamOptions>) {
    this.stream = openChangeStream({
      log: silentLog,
      ...options,
      onTransaction: async (transaction) => {
        await options.onTransaction?.(transaction);
        this.transactions.push(transaction);
        for (const event of transaction.events) this.events.push(event);
        this.#wake();
      },
      onStatus: (state, detail) => {
        this.statuses.push({ state, detail });
        this.#wake();
      },
    });
  }

  /** Resolves once `done` is true of what was recorded; it is asked after every delivery and change of state. */
  readonly until = async (done: () => boolean, what = "the expected events"): Promise<void> => {
    const deadline = Date.now() + waitMs;
    while (!done()) {
      if (Date.now() > deadline) throw new Error(`The stream did not bring ${what} in time.`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 250);
        this.#waiters.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  };

  /** Waits for the message with this prefix: everything committed before it has then been recorded. */
  readonly untilMessage = (prefix: string): Promise<void> =>
    this.until(
      () => this.events.some((event) => event.kind === "message" && event.prefix === prefix),
      `the message ${prefix}`,
    );

  readonly untilState = (state: ChangeStreamState): Promise<void> =>
    this.until(() => this.stream.state === state, `the state ${state}`);

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}

/** The streams of one test, opened on the server the test file has started. */
export class Recorders {
  readonly #connection: () => ClientConfig;
  #open: Recorder[] = [];
  #gates: PromiseWithResolvers<void>[] = [];

  constructor(connection: () => ClientConfig) {
    this.#connection = connection;
  }

  /** Records the stream of the publication and slot called `name`. */
  record(name: string, options: Partial<ConstructorParameters<typeof Recorder>[0]> = {}): Recorder {
    const recorder = new Recorder({
      connection: this.#connection(),
      slot: name,
      publications: [name],
      ...options,
    });
    this.#open.push(recorder);
    return recorder;
  }

  /** What a handler waits for until `resolve` is called, or the test is over. */
  gate(): PromiseWithResolvers<void> {
    const gate = Promise.withResolvers<void>();
    this.#gates.push(gate);
    return gate;
  }

  /** At the end of each test. */
  async close(): Promise<void> {
    for (const gate of this.#gates) gate.resolve();
    await Promise.all(this.#open.map(({ stream }) => stream.stop()));
    this.#open = [];
    this.#gates = [];
  }
}

const show = (row: Row | null) =>
  row?.map((value) => (value === UNCHANGED ? "·" : (value ?? "null"))).join(",");

/** One event as one line, for comparing. */
export function line(event: StreamEvent): string {
  switch (event.kind) {
    case "insert":
      return `+${event.relation.table} ${show(event.new)}`;
    case "update":
      return `~${event.relation.table} ${show(event.old) ?? "?"} -> ${show(event.new)}`;
    case "delete":
      return `-${event.relation.table} ${show(event.old)}`;
    case "truncate":
      return `0 ${event.relations.map(({ table }) => table).sort()}`;
    case "message":
      return `! ${event.prefix} ${event.content}`;
  }
}

/** Publishes `tables` as `name` and makes a slot of that name. */
export async function publish(client: Client, name: string, tables: string): Promise<void> {
  await client.query(`CREATE PUBLICATION ${name} FOR TABLE ${tables}`);
  await createSlot(client, name);
}

/** Marks the present end of the log: see `untilMessage`. */
export async function mark(client: Client, prefix: string): Promise<void> {
  await client.query("SELECT pg_logical_emit_message(true, $1, '')", [prefix]);
}
