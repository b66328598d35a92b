import { setTimeout as sleep } from "node:timers/promises";
import { connectRealtime, type Frame, type RealtimeClient } from "../../support/realtime.ts";
import type { Wish } from "./truth.ts";
import { Watch, type WatchPorts } from "./watch.ts";

/** The table that everyone sees, by which is known that all that came before has come. */
export const FENCE = "fence";

/** One end user's socket with its subscriptions; it can be lost and come back. */
export class Client {
  readonly watches: Watch[] = [];
  /** Error frames, which nobody here gives a reason for. */
  readonly errors: string[] = [];
  readonly ports: WatchPorts;
  #socket: RealtimeClient | null = null;
  #read = 0;
  #fence = -1;
  #reading: NodeJS.Timeout | undefined;

  constructor(ports: WatchPorts) {
    this.ports = ports;
  }

  get connected(): boolean {
    return this.#socket !== null && this.#socket.closed === undefined;
  }

  /** The last fence it has seen. */
  get fence(): number {
    this.#take();
    return this.#fence;
  }

  /** What came last, for whoever wonders why nothing more comes. */
  get lately(): string {
    const { closed, frames } = this.#socket ?? { closed: undefined, frames: [] };
    return `${closed === undefined ? "open" : JSON.stringify(closed)} ${JSON.stringify(frames.slice(-5)).slice(0, 600)}`;
  }

  /** Opens a socket and subscribes to everything again, from where each was. */
  async connect(withinMs = 15_000): Promise<void> {
    const { appId, looker, apiUrl } = this.ports;
    const deadline = Date.now() + withinMs;
    for (;;) {
      try {
        await this.drop();
        this.#socket = await connectRealtime(apiUrl(), appId, looker.token);
        this.#read = 0;
        this.#reading = setInterval(() => this.#take(), 3);
        await this.#socket.waitFor(({ type }) => type === "connected");
        await this.#socket.subscribe(FENCE);
        for (const watch of this.watches) await this.#subscribe(watch);
        return;
      } catch (error) {
        await this.drop();
        if (Date.now() > deadline) throw error;
        // It was told to try again.
        this.errors.length = 0;
        await sleep(100);
      }
    }
  }

  /** Adds a subscription. */
  async watch(wish: Wish, id: string | null, initial: boolean): Promise<Watch> {
    const watch = new Watch(this.ports, wish, id, initial);
    this.watches.push(watch);
    await this.#subscribe(watch);
    return watch;
  }

  async unwatch(watch: Watch): Promise<void> {
    this.#take();
    this.watches.splice(this.watches.indexOf(watch), 1);
    const { id } = watch;
    const from = this.#socket!.frames.length;
    this.#socket!.send({ type: "unsubscribe", ...(id === null ? { table: watch.wish.table } : { id }) });
    await this.#frame((frame) => frame.type === "unsubscribed", from);
  }

  /** Goes away without a word. */
  async drop(): Promise<void> {
    this.#take();
    clearInterval(this.#reading);
    await this.#socket?.close();
    this.#take();
    this.#socket = null;
    for (const watch of this.watches) watch.lost();
  }

  async close(): Promise<void> {
    clearInterval(this.#reading);
    await this.#socket?.close();
  }

  /** Waits until it has seen this fence, or any later one. */
  async passed(fence: number, withinMs: number): Promise<boolean> {
    const deadline = Date.now() + withinMs;
    while (this.fence < fence) {
      if (Date.now() > deadline) return false;
      await sleep(5);
    }
    return true;
  }

  async #subscribe(watch: Watch): Promise<void> {
    const { id, wish, initial, position } = watch;
    const since = position !== "" && id !== null && !watch.awaitsRows;
    watch.ask(since);
    const fields = {
      ...{ type: "subscribe", table: wish.table },
      ...(id === null ? {} : { id }),
      ...(wish.columns === null ? {} : { columns: wish.columns }),
      ...(since ? { since: position } : initial ? { initial: true } : {}),
    };
    // Several filters are several frames of a client without ids.
    for (const filter of wish.filters?.map(({ wire }) => wire) ?? [undefined]) {
      this.#take();
      const from = this.#socket!.frames.length;
      this.#socket!.send({ ...fields, ...(filter === undefined ? {} : { filter }) });
      const mine = (frame: Frame) =>
        frame.type === "subscribed" && frame.table === wish.table && (frame.id ?? null) === id;
      const answer = await this.#frame((frame) => mine(frame) || frame.type === "error", from);
      if (answer.type === "error") throw new Error(`${watch.name}: ${answer.message}`);
    }
    this.#take();
    if (this.connected) return;
    throw new Error("the socket was lost");
  }

  async #frame(test: (frame: Frame) => boolean, from: number): Promise<Frame> {
    const socket = this.#socket!;
    const deadline = Date.now() + 10_000;
    for (;;) {
      const found = socket.frames.slice(from).find(test);
      if (found !== undefined) return found;
      if (socket.closed !== undefined)
        throw new Error(`the socket was closed: ${JSON.stringify(socket.closed)}`);
      if (Date.now() > deadline)
        throw new Error(`no answer; got ${JSON.stringify(socket.frames.slice(from)).slice(0, 500)}`);
      await sleep(2);
    }
  }

  /** Hands on what has come, in the order it came. */
  #take(): void {
    const socket = this.#socket;
    if (socket === null) return;
    for (; this.#read < socket.frames.length; this.#read++) this.#route(socket.frames[this.#read]!);
  }

  #route(frame: Frame): void {
    if (frame.type === "change" && frame.table === FENCE)
      this.#fence = Math.max(this.#fence, frame.record?.id ?? -1);
    else if (frame.type === "error") this.errors.push(frame.message);
    else if (frame.type === "heartbeat") for (const watch of this.watches) watch.onHeartbeat(frame);
    else if (frame.type === "resync") {
      for (const watch of this.watches) {
        const named = frame.table === undefined || frame.table === watch.wish.table;
        if (named && (frame.id === undefined || frame.id === watch.id)) watch.onResync(frame);
      }
    } else if (["change", "subscribed", "initial"].includes(frame.type)) this.#toWatch(frame);
  }

  #toWatch(frame: Frame): void {
    const watch = this.watches.find(
      ({ id, wish }) =>
        id === (frame.id ?? null) && (frame.table === undefined || wish.table === frame.table),
    );
    if (watch === undefined) {
      // An answer to `unsubscribe` may have changes before it that nobody looks at any more.
      if (frame.table !== FENCE && frame.type !== "change")
        this.errors.push(`a frame of nobody: ${JSON.stringify(frame)}`);
    } else if (frame.type === "change") watch.onChange(frame);
    else if (frame.type === "initial") watch.onInitial(frame);
    else watch.onSubscribed(frame);
  }
}
