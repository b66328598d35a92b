import type { Frame, ResyncReason } from "./frames.ts";
import { limits } from "./limits.ts";
import type { RealtimeMetrics } from "./metrics.ts";
import type { Peer } from "./subscriptions.ts";

/** Collects frames per connection, so that each connection is written to once. */
export class Outbox {
  readonly #metrics: Pick<RealtimeMetrics, "frames" | "resyncs">;
  #frames = new Map<Peer, Frame[]>();
  #count = 0;

  constructor(metrics: Pick<RealtimeMetrics, "frames" | "resyncs">) {
    this.#metrics = metrics;
  }

  /** Enough has been collected to hand it over and let other work have its turn. */
  get full(): boolean {
    return this.#count >= limits.framesPerTurn;
  }

  put(peer: Peer, frame: Frame): void {
    const frames = this.#frames.get(peer);
    if (frames === undefined) this.#frames.set(peer, [frame]);
    else frames.push(frame);
    this.#count += 1;
  }

  resync(peer: Peer, frame: Frame, reason: ResyncReason): void {
    this.#metrics.resyncs.inc({ reason });
    this.put(peer, frame);
  }

  flush(): void {
    if (this.#count === 0) return;
    this.#metrics.frames.inc(this.#count);
    const frames = this.#frames;
    this.#frames = new Map();
    this.#count = 0;
    for (const [peer, list] of frames) peer.send(list);
  }
}
