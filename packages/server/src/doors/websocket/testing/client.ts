import { WebSocket } from "ws";

/** A frame as clients receive it. */
// biome-ignore lint/suspicious/noExplicitAny: frames of every type
export type ReceivedFrame = { type: string } & Record<string, any>;

let fences = 0;

/** A realtime client for tests: keeps every frame it received. */
export class TestClient {
  readonly ws: WebSocket;
  readonly frames: ReceivedFrame[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #opened: Promise<void>;
  readonly #watchers = new Set<(frame: ReceivedFrame) => void>();

  constructor(url: string, options: { headers?: Record<string, string>; protocols?: string[] } = {}) {
    this.ws = new WebSocket(url, options.protocols ?? [], { headers: options.headers ?? {} });
    this.ws.on("message", (data) => {
      const frame = JSON.parse(data.toString()) as ReceivedFrame;
      this.frames.push(frame);
      for (const watcher of [...this.#watchers]) watcher(frame);
    });
    this.closed = new Promise((resolve) => {
      this.ws.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    this.#opened = new Promise((resolve, reject) => {
      this.ws.once("open", resolve);
      this.ws.once("error", reject);
    });
    this.#opened.catch(() => {});
    this.ws.on("error", () => {});
  }

  opened(): Promise<void> {
    return this.#opened;
  }

  send(frame: unknown): void {
    this.ws.send(typeof frame === "string" ? frame : JSON.stringify(frame));
  }

  /** Calls `watcher` with every further frame. */
  watch(watcher: (frame: ReceivedFrame) => void): void {
    this.#watchers.add(watcher);
  }

  /** The first frame, received or to come, that fits. */
  async frame(
    fits: (frame: ReceivedFrame) => boolean,
    what = "a frame",
    timeoutMs = 5_000,
  ): Promise<ReceivedFrame> {
    const found = this.frames.find(fits);
    if (found !== undefined) return found;
    return new Promise((resolve, reject) => {
      const watcher = (frame: ReceivedFrame) => {
        if (!fits(frame)) return;
        clearTimeout(timer);
        this.#watchers.delete(watcher);
        resolve(frame);
      };
      const timer = setTimeout(() => {
        this.#watchers.delete(watcher);
        reject(new Error(`${what} did not come; received ${JSON.stringify(this.frames).slice(0, 2_000)}`));
      }, timeoutMs);
      this.#watchers.add(watcher);
    });
  }

  ofType(type: string): Promise<ReceivedFrame> {
    return this.frame((frame) => frame.type === type, `a frame of type ${type}`);
  }

  async subscribe(table: string, filter?: Record<string, unknown>): Promise<ReceivedFrame> {
    const from = this.frames.length;
    this.send({ type: "subscribe", table, ...(filter === undefined ? {} : { filter }) });
    return this.frame(
      (frame) => this.frames.indexOf(frame) >= from && frame.type === "subscribed" && frame.table === table,
      `subscribed ${table}`,
    );
  }

  /**
   * Resolves when everything committed before the call has been sent. The first new subscription is answered when it
   * has been read, the second when what was read has been sent.
   */
  async fence(): Promise<void> {
    // Tables that nobody else subscribes to: only a new one is answered by way of the log.
    for (let i = 0; i < 2; i++) await this.subscribe(`fence_${fences++}`);
  }

  changes(table?: string): ReceivedFrame[] {
    return this.frames.filter(
      (frame) => frame.type === "change" && (table === undefined || frame.table === table),
    );
  }

  /** Waits for `count` changes. */
  async changesOnceThere(count: number, table?: string, timeoutMs = 5_000): Promise<ReceivedFrame[]> {
    await this.frame(() => this.changes(table).length >= count, `${count} changes`, timeoutMs).catch(
      (error) => {
        if (this.changes(table).length < count) throw error;
      },
    );
    return this.changes(table);
  }

  close(): void {
    this.ws.close(1000);
  }
}
