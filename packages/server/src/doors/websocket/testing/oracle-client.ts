import type { ReceivedFrame, TestClient } from "./client.ts";
import { columnsFor, type Looker, type World } from "./oracle-model.ts";
import type { AppStage } from "./stage.ts";

/** A client that keeps a copy of what it may see of `items`, by frames alone and by loading afresh when told to. */
export class OracleClient {
  readonly looker: Looker;
  readonly client: TestClient;
  readonly frames: ReceivedFrame[] = [];
  /** Rows by id. */
  readonly view = new Map<number, Record<string, unknown>>();
  resyncs = 0;
  readonly #app: AppStage;
  readonly #world: () => World;
  readonly #filter: string | null;
  #tail: Promise<void> = Promise.resolve();

  constructor(
    app: AppStage,
    looker: Looker,
    client: TestClient,
    options: { world(): World; filter: string | null },
  ) {
    this.#app = app;
    this.looker = looker;
    this.client = client;
    this.#world = options.world;
    this.#filter = options.filter;
    client.watch((frame) => {
      this.#tail = this.#tail.then(() => this.#take(frame));
    });
  }

  /** Loads everything now, as an application does after `subscribed`. */
  load(): void {
    this.#tail = this.#tail.then(() => this.#load());
  }

  /** Resolves when everything received so far has been taken in. */
  async settled(): Promise<void> {
    await this.#tail;
  }

  async #take(frame: ReceivedFrame): Promise<void> {
    if (frame.type === "resync" && (frame.table === undefined || frame.table === "items")) {
      this.resyncs += 1;
      await this.#load();
    }
    if (frame.type !== "change" || frame.table !== "items") return;
    this.frames.push(frame);
    const row = frame.record ?? frame.old_record;
    if (frame.op === "DELETE") this.view.delete(row.id);
    else this.view.set(row.id, row);
  }

  async #load(): Promise<void> {
    this.view.clear();
    for (const row of await this.read()) this.view.set(row.id as number, row);
  }

  /** What a SELECT gives this client now. */
  async read(): Promise<Record<string, unknown>[]> {
    // Column privileges may change between asking for them and selecting.
    for (let attempt = 0; ; attempt++) {
      const columns = columnsFor(this.looker, this.#world()).join(", ");
      const where = this.#filter === null ? "" : ` where ${this.#filter}`;
      try {
        return await this.#app.select(
          this.looker.role,
          this.looker.claims,
          `select ${columns} from items${where}`,
        );
      } catch (error) {
        if (attempt === 20) throw error;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  }
}
