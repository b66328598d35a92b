import type { Transaction } from "../../engines/postgres/replication/transactions.ts";
import type { Clock } from "../../kernel/clock.ts";
import { newToken } from "../../kernel/ids.ts";
import type { ReadScope } from "../memory/service.ts";
import { placeOf } from "../realtime/service.ts";
import { ChangeReader, type SubstrateChange } from "./changes.ts";
import { FIRST_PLACE, formatCursor, parseCursor, tagOf, UNKNOWN_CURSOR } from "./cursor.ts";
import { changeFrame, type Frame, helloFrame, type ResyncReason, resyncFrame } from "./frames.ts";
import type { StreamMetrics } from "./metrics.ts";
import { movesLinks, opFor } from "./visibility.ts";
import { ChangeWindow, type WindowLimits } from "./window.ts";

/** How much of whose substrate a stream shows. */
export interface StreamViewer {
  readonly organizationId: string;
  /** Null: everything. */
  readonly scope: ReadScope | null;
}

/** An open stream. */
export interface Peer {
  viewer: StreamViewer;
  /** Sends frames in this order. Never waits. */
  send(frames: readonly Frame[]): void;
}

export interface HubPorts {
  readonly limits: WindowLimits;
  readonly metrics: Pick<StreamMetrics, "frames" | "resyncs" | "window">;
  readonly clock: Clock;
}

const repeatable = (cursor: string): string | null => (parseCursor(cursor) === null ? null : cursor);

/** Deals the substrate's committed changes out to the streams of their organisations. */
export class StreamHub {
  readonly #ports: HubPorts;
  readonly #reader = new ChangeReader();
  readonly #window: ChangeWindow;
  readonly #peers = new Map<string, Set<Peer>>();
  /** The last place of the log that was taken. */
  #place = FIRST_PLACE;
  /** Names the stretch of the log without a gap that places are known of. */
  #epoch = newToken(9);

  constructor(ports: HubPorts) {
    this.#ports = ports;
    this.#window = new ChangeWindow(ports.limits);
  }

  /** Takes one committed transaction, or part of one. */
  accept(transaction: Transaction): void {
    const { commitLsn, commitTime, firstEvent, events } = transaction;
    const changes = this.#reader.read(transaction);
    const nowMs = this.#ports.clock();
    const byOrganization = new Map<string, SubstrateChange[]>();
    for (const change of changes) {
      this.#window.push(change, nowMs);
      const known = byOrganization.get(change.organizationId);
      if (known === undefined) byOrganization.set(change.organizationId, [change]);
      else known.push(change);
    }
    this.#place = placeOf(commitLsn, commitTime, Math.max(0, firstEvent + events.length - 1)).seq;
    for (const [organizationId, each] of byOrganization) this.#deal(organizationId, each);
    if (changes.length > 0) this.#ports.metrics.window.set(this.#window.size);
  }

  /** Changes were lost: nobody can go on from where they were. */
  gap(): void {
    this.#reader.reset();
    this.#window.clear();
    this.#place = FIRST_PLACE;
    this.#epoch = newToken(9);
    for (const peers of this.#peers.values())
      for (const peer of peers) peer.send([this.#resync(peer.viewer.scope, "stream_lost")]);
  }

  /**
   * Adds a stream and sends its first frames: hello; then what came after `cursor`, or, if that is not known any more,
   * resync. Every later change follows, once.
   */
  join(peer: Peer, cursor: string | null): void {
    const { organizationId, scope } = peer.viewer;
    const caughtUp = cursor === null ? [] : this.#since(peer.viewer, cursor);
    // Until resync has been received, what was given must go on leading to it: hello repeats it.
    const from = cursor === null ? this.#cursor(scope, this.#place) : (repeatable(cursor) ?? UNKNOWN_CURSOR);
    const hello = helloFrame(new Date(this.#ports.clock()).toISOString(), from);
    const rest = Array.isArray(caughtUp) ? this.#frames(caughtUp, scope) : [this.#resync(scope, caughtUp)];
    const peers = this.#peers.get(organizationId) ?? new Set();
    this.#peers.set(organizationId, peers.add(peer));
    this.#ports.metrics.frames.inc(rest.length);
    peer.send([hello, ...rest]);
  }

  leave(peer: Peer): void {
    const { organizationId } = peer.viewer;
    const peers = this.#peers.get(organizationId);
    peers?.delete(peer);
    if (peers?.size === 0) this.#peers.delete(organizationId);
  }

  /** The stream shows more or less from here on; its reader is told to read again. */
  rescope(peer: Peer, scope: ReadScope | null): void {
    if (tagOf(scope) === tagOf(peer.viewer.scope)) return;
    peer.viewer = { ...peer.viewer, scope };
    peer.send([this.#resync(scope, "scope_changed")]);
  }

  /** Throws away what is too old to be asked for. */
  expire(): void {
    this.#window.expire(this.#ports.clock());
    this.#ports.metrics.window.set(this.#window.size);
  }

  #since(viewer: StreamViewer, text: string): SubstrateChange[] | ResyncReason {
    const cursor = parseCursor(text);
    if (cursor === null || cursor.epoch !== this.#epoch || cursor.place > this.#place)
      return "cursor_unknown";
    if (cursor.tag !== tagOf(viewer.scope)) return "scope_changed";
    return this.#window.after(viewer.organizationId, cursor.place) ?? "cursor_too_old";
  }

  #deal(organizationId: string, changes: readonly SubstrateChange[]): void {
    const framesOf = new Map<string, Frame[]>();
    for (const peer of this.#peers.get(organizationId) ?? []) {
      const tag = tagOf(peer.viewer.scope);
      let frames = framesOf.get(tag);
      if (frames === undefined) {
        frames = this.#frames(changes, peer.viewer.scope);
        framesOf.set(tag, frames);
      }
      if (frames.length === 0) continue;
      this.#ports.metrics.frames.inc(frames.length);
      peer.send(frames);
    }
  }

  #frames(changes: readonly SubstrateChange[], scope: ReadScope | null): Frame[] {
    const frames: Frame[] = [];
    for (const change of changes) {
      const op = opFor(change, scope);
      if (op === null) continue;
      const cursor = this.#cursor(scope, change.place);
      if (scope !== null && movesLinks(change, op, scope)) {
        // In front of the change, whose cursor says that both were received.
        this.#ports.metrics.resyncs.inc({ reason: "links_changed" });
        frames.push(resyncFrame("links_changed", cursor));
      }
      frames.push(changeFrame(change, op, cursor));
    }
    return frames;
  }

  #resync(scope: ReadScope | null, reason: ResyncReason): Frame {
    this.#ports.metrics.resyncs.inc({ reason });
    return resyncFrame(reason, this.#cursor(scope, this.#place));
  }

  #cursor(scope: ReadScope | null, place: string): string {
    return formatCursor({ epoch: this.#epoch, tag: tagOf(scope), place });
  }
}
