import type { Clock } from "../../../kernel/clock.ts";
import type { Admission } from "./admission.ts";
import type { OutReason } from "./frames.ts";
import { limits } from "./limits.ts";
import type { Held, Session } from "./session.ts";
import type { Action, Later } from "./types.ts";

type Kind = "room" | "channel";

/** What being in is judged by. Sending into a channel is judged each time. */
const NEEDED: Readonly<Record<Kind, readonly Action[]>> = { room: ["receive", "send"], channel: ["receive"] };

export interface RecheckPorts {
  readonly admission: Pick<Admission, "may" | "refresh" | "isKnown">;
  readonly clock: Clock;
  readonly later: Later;
  sessions(): Iterable<Session>;
  /** Takes a connection out and tells it. */
  takeOut(session: Session, kind: Kind, name: string | null, reason: OutReason): void;
}

/** Judges those who are in a room or channel again, and has those taken out who may no longer be in. */
export class Rechecks {
  readonly #ports: RecheckPorts;
  #timer: { cancel(): void } | null = null;
  #closed = false;

  constructor(ports: RecheckPorts) {
    this.#ports = ports;
  }

  /** Begins to judge everybody every `limits.recheckMs`, for as long as there is anybody. */
  arm(): void {
    if (this.#closed) return;
    this.#timer ??= this.#ports.later(limits.recheckMs, () => {
      this.#tick().finally(() => {
        this.#timer = null;
        if (!this.#ports.sessions()[Symbol.iterator]().next().done) this.arm();
      });
    });
  }

  /** Judges all that these connections are in, in the background, and lets other work have its turn between. */
  judge(sessions: readonly Session[]): void {
    void this.#judgeAll(sessions);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  async #tick(): Promise<void> {
    const { admission, sessions } = this.#ports;
    const apps = new Set<string>();
    for (const { client, rooms, channels } of sessions()) {
      // The app-wide room has no rules.
      if (channels.size > 0 || rooms.size > (rooms.has(null) ? 1 : 0)) apps.add(client.appId);
    }
    await admission.refresh([...apps]);
    this.judge([...sessions()]);
  }

  async #judgeAll(sessions: readonly Session[]): Promise<void> {
    let judged = 0;
    for (const session of sessions) {
      for (const [kind, names] of [
        ["room", session.rooms] as const,
        ["channel", session.channels] as const,
      ]) {
        for (const [name, held] of names) {
          if (this.#closed || session.gone) break;
          // The app-wide room has no rules.
          if (name !== null) this.#judge(session, kind, name, held);
          judged += 1;
          if (judged % limits.rechecksPerTurn === 0) await new Promise((resolve) => setImmediate(resolve));
        }
      }
    }
  }

  #judge(session: Session, kind: Kind, name: string, held: Held): void {
    const { admission, clock } = this.#ports;
    const { appId, viewer } = session.client;
    if (admission.isKnown(appId, viewer, name, NEEDED[kind], limits.recheckMs)) held.heldAtMs = clock();
    else void this.#judgeOne(session, kind, name, held);
  }

  async #judgeOne(session: Session, kind: Kind, name: string, held: Held): Promise<void> {
    const { admission, clock, takeOut } = this.#ports;
    const { client } = session;
    const { viewer } = client;
    const { verdict } = await admission.may(client.appId, viewer, name, NEEDED[kind], limits.recheckMs);
    const still = kind === "room" ? session.rooms.get(name) : session.channels.get(name);
    // Gone, come in anew, or somebody else by now: then it is or was judged as that.
    if (session.gone || still !== held || client.viewer !== viewer) return;
    if (verdict === "yes") {
      held.heldAtMs = clock();
      return;
    }
    if (verdict === "unavailable" && clock() - held.heldAtMs < limits.blindMs) return;
    takeOut(session, kind, name, verdict === "no" || verdict === "no_rule" ? "denied" : "undecided");
  }
}
