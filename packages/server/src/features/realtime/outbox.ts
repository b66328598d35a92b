import type { Frame, ResyncReason } from "./frames.ts";
import { limits } from "./limits.ts";
import type { RealtimeMetrics } from "./metrics.ts";
import type { ChangeEntry } from "./queue.ts";
import type { Peer, Subscription } from "./subscriptions.ts";

/** Collects frames per connection, so that each connection is written to once. */
export class Outbox {
  readonly #metrics: Pick<RealtimeMetrics, "frames" | "resyncs">;
  #peers: Peer[] = [];
  #count = 0;

  constructor(metrics: Pick<RealtimeMetrics, "frames" | "resyncs">) {
    this.#metrics = metrics;
  }

  /** Enough has been collected to hand it over and let other work have its turn. */
  get full(): boolean {
    return this.#count >= limits.framesPerTurn;
  }

  /** A frame for a subscription; `change` is what it tells of, null for anything but a change. */
  put(subscription: Subscription, frame: Frame, change: ChangeEntry | null): void {
    if (subscription.gate === null) this.toPeer(subscription.peer, frame);
    else subscription.gate.take(frame, change);
  }

  toPeer(peer: Peer, frame: Frame): void {
    if (peer.pending === null) {
      peer.pending = [frame];
      this.#peers.push(peer);
    } else peer.pending.push(frame);
    this.#count += 1;
  }

  resync(subscription: Subscription, frame: Frame, reason: ResyncReason): void {
    this.#metrics.resyncs.inc({ reason });
    this.put(subscription, frame, null);
  }

  /** Hands everything over: to each connection its frames as one, made once for neighbours that get the same. */
  flush(): void {
    if (this.#count === 0) return;
    this.#metrics.frames.inc(this.#count);
    const peers = this.#peers;
    this.#peers = [];
    this.#count = 0;
    let last: readonly Frame[] = [];
    let joined: readonly Frame[] = [];
    for (const peer of peers) {
      const frames = peer.pending!;
      peer.pending = null;
      if (frames.length === 1) {
        peer.send(frames);
        continue;
      }
      if (!sameFrames(frames, last)) {
        last = frames;
        joined = [Buffer.concat(frames)];
      }
      peer.send(joined);
    }
  }
}

function sameFrames(a: readonly Frame[], b: readonly Frame[]): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at += 1) if (a[at] !== b[at]) return false;
  return true;
}
