import type { Database } from "../../../engines/postgres/database.ts";
import type { Clock } from "../../../kernel/clock.ts";
import type { Log } from "../../../kernel/log.ts";
import type { Metrics } from "../../../kernel/metrics.ts";
import { frame } from "../frames.ts";
import { Admission } from "./admission.ts";
import { take } from "./bucket.ts";
import { Channels } from "./channels.ts";
import { jsonText, problemFrame, type RoomFrame } from "./frames.ts";
import { limits } from "./limits.ts";
import { NameJudge } from "./name-judge.ts";
import { Presence } from "./presence.ts";
import { Rechecks } from "./rechecks.ts";
import { selectRules } from "./rule-store.ts";
import { newSession, RATES, type RateName, type Session } from "./session.ts";
import { type Action, type Later, type NodeBus, type RoomClient, realLater } from "./types.ts";
import { closedText, LIMIT_TEXTS, type LimitName, READ_ONLY_TEXT } from "./words.ts";

export interface RoomsPorts {
  readonly bus: NodeBus;
  readonly database: Pick<Database, "asCaller" | "query">;
  readonly metrics: Pick<Metrics, "limitsHit">;
  readonly log: Pick<Log, "warn">;
  readonly clock: Clock;
  readonly later?: Later;
  /** Counts rules that could not be decided. */
  onUndecided?(sqlstate: string): void;
}

/** Rooms and channels of the connections of this node. */
export interface Rooms {
  /** Answers one frame. Frames of one client are to be given one after the other, each when this has resolved. Never rejects. */
  handle(client: RoomClient, frame: RoomFrame): Promise<void>;
  /** The connection is gone. */
  left(client: RoomClient): void;
  /** The connection's viewer is another one now: what it may no longer be in, it is taken out of. */
  identityChanged(client: RoomClient): void;
  /** Rules, policies or tables of the app were changed: everybody in it is judged again. */
  recheck(appId: string): void;
  /** The rules of the app were changed on this node: as `recheck`, on all nodes. */
  rulesChanged(appId: string): void;
  close(): void;
}

/** The topic by which nodes tell each other that rules were changed. */
const RULES_TOPIC = "rules";

/** Frames by which others hear or see something. */
const SAYING: ReadonlySet<RoomFrame["type"]> = new Set(["presence_track", "presence_update", "broadcast"]);

type Frames = { [T in RoomFrame["type"]]: Extract<RoomFrame, { type: T }> };

export function createRooms(ports: RoomsPorts): Rooms {
  return new RoomsOfNode(ports);
}

class RoomsOfNode implements Rooms {
  readonly #ports: RoomsPorts;
  readonly #sessions = new Map<RoomClient, Session>();
  readonly #presence: Presence;
  readonly #channels: Channels;
  readonly #admission: Admission;
  readonly #rechecks: Rechecks;

  constructor(ports: RoomsPorts) {
    const { bus, database, clock, log, later = realLater } = ports;
    this.#ports = ports;
    this.#presence = new Presence({ bus, later });
    this.#channels = new Channels({ bus, clock });
    const onProblem = (app: string, sqlstate: string) => {
      ports.onUndecided?.(sqlstate);
      log.warn({ app, sqlstate }, "realtime: a rule of a room or channel could not be decided");
    };
    const judge = new NameJudge({ database, clock, onProblem });
    const readRules = (appIds: readonly string[]) => selectRules(database, appIds);
    this.#admission = new Admission({ judge, clock, readRules });
    this.#rechecks = new Rechecks({
      ...{ admission: this.#admission, clock, later },
      sessions: () => this.#sessions.values(),
      takeOut: (session, kind, name, reason) => {
        if (kind === "room") this.#untrack(session, name, reason);
        else if (name !== null) this.#leave(session, name, reason);
      },
    });
    bus.subscribe(RULES_TOPIC, (appId) => this.recheck(String(appId)));
  }

  async handle(client: RoomClient, message: RoomFrame): Promise<void> {
    let session = this.#sessions.get(client);
    if (session === undefined) {
      session = newSession(client, this.#ports.clock());
      this.#sessions.set(client, session);
      this.#rechecks.arm();
    }
    try {
      await this.#answer(session, message);
    } catch (error) {
      this.#ports.log.warn({ err: error }, "realtime: a frame about rooms could not be handled");
      client.send([problemFrame("The message could not be handled. Try again.", {})]);
    }
  }

  left(client: RoomClient): void {
    const session = this.#sessions.get(client);
    if (session === undefined) return;
    session.gone = true;
    this.#sessions.delete(client);
    for (const room of session.rooms.keys()) this.#presence.leave(client, room);
    for (const channel of session.channels.keys()) this.#channels.leave(client, channel);
  }

  identityChanged(client: RoomClient): void {
    const session = this.#sessions.get(client);
    if (session !== undefined) this.#rechecks.judge([session]);
  }

  recheck(appId: string): void {
    this.#admission.changed(appId);
    this.#rechecks.judge([...this.#sessions.values()].filter(({ client }) => client.appId === appId));
  }

  rulesChanged(appId: string): void {
    this.recheck(appId);
    this.#ports.bus.publish(RULES_TOPIC, appId);
  }

  close(): void {
    this.#rechecks.close();
    this.#presence.close();
  }

  async #answer(session: Session, message: RoomFrame): Promise<void> {
    if (session.client.viewer.readOnly && SAYING.has(message.type)) {
      const { room, channel, id } = message as { room?: string | null; channel?: string; id?: string | null };
      const about = { room: room ?? null, id: id ?? null, ...(channel === undefined ? {} : { channel }) };
      return session.client.send([problemFrame(READ_ONLY_TEXT, about)]);
    }
    switch (message.type) {
      case "presence_track":
        return this.#track(session, message);
      case "presence_update":
        return this.#update(session, message);
      case "presence_untrack":
        if (!this.#mayGoOn(session, "presence_rate", { room: message.room ?? null })) return;
        return this.#untrack(session, message.room ?? null, null);
      case "broadcast_join":
        return this.#join(session, message);
      case "broadcast_leave":
        if (!this.#mayGoOn(session, "join_rate", { channel: message.channel })) return;
        return this.#leave(session, message.channel, null);
      case "broadcast":
        return this.#broadcast(session, message);
    }
  }

  async #track(session: Session, { room = null, metadata = {} }: Frames["presence_track"]): Promise<void> {
    const about = { room };
    const text = this.#metadata(session, metadata, about);
    if (text === null || !this.#mayGoOn(session, "presence_rate", about)) return;
    const { client, rooms } = session;
    if (!rooms.has(room) && rooms.size >= limits.roomsPerConnection) {
      return this.#hit(session, "rooms_per_connection", about);
    }
    if (room !== null && !(await this.#admitted(session, room, ["receive", "send"], about))) return;
    const refusal = this.#presence.track(client, room, text);
    if (refusal !== null) return this.#hit(session, refusal, about);
    rooms.set(room, { heldAtMs: this.#ports.clock() });
  }

  #update(session: Session, { room = null, metadata = {} }: Frames["presence_update"]): void {
    const about = { room };
    const text = this.#metadata(session, metadata, about);
    if (text === null || !this.#mayGoOn(session, "presence_rate", about)) return;
    const updated = this.#presence.update(session.client, room, text);
    if (updated === false) {
      session.client.send([problemFrame("presence_update comes after presence_track.", about)]);
    } else if (updated !== true) this.#hit(session, updated, about);
  }

  #untrack(session: Session, room: string | null, reason: "denied" | "undecided" | null): void {
    session.rooms.delete(room);
    if (this.#presence.untrack(session.client, room, reason) || reason !== null) return;
    session.client.send([problemFrame("presence_untrack comes after presence_track.", { room })]);
  }

  async #join(session: Session, { channel, self }: Frames["broadcast_join"]): Promise<void> {
    const about = { channel };
    const { client, channels } = session;
    if (!this.#mayGoOn(session, "join_rate", about)) return;
    if (!channels.has(channel) && channels.size >= limits.channelsPerConnection) {
      return this.#hit(session, "channels_per_connection", about);
    }
    if (!(await this.#admitted(session, channel, ["receive"], about))) return;
    this.#channels.join(client, channel, self ?? false);
    channels.set(channel, { heldAtMs: this.#ports.clock() });
    client.send([frame({ type: "broadcast_joined", channel })]);
  }

  #leave(session: Session, channel: string, reason: "denied" | "undecided" | null): void {
    session.channels.delete(channel);
    const left = this.#channels.leave(session.client, channel);
    if (!left && reason !== null) return;
    session.client.send([frame({ type: "broadcast_left", channel, ...(reason === null ? {} : { reason }) })]);
  }

  async #broadcast(session: Session, message: Frames["broadcast"]): Promise<void> {
    const { channel, event, payload = null, id } = message;
    const about = { channel, id: id ?? null };
    const { client } = session;
    if (!this.#mayGoOn(session, "broadcast_rate", about)) return;
    const text = jsonText(payload);
    if (text === null || Buffer.byteLength(text) > limits.payloadBytes) {
      return this.#hit(session, "payload_bytes", about);
    }
    const joined = () => this.#channels.has(client, channel);
    const maySend = () => this.#admitted(session, channel, ["send"], about, limits.recheckMs);
    if (joined() && !(await maySend())) return;
    if (!joined()) {
      client.send([problemFrame(`broadcast comes after broadcast_join of ${channel}.`, about)]);
      return;
    }
    const sent = this.#channels.send(client, { channel, event, payload });
    if (sent === "channel_rate") return this.#hit(session, sent, about);
    // The bus has counted it.
    if (sent === "not_told") return client.send([problemFrame(LIMIT_TEXTS.bus_waiting_bytes, about)]);
    if (id !== null && id !== undefined) client.send([frame({ type: "broadcast_ack", id })]);
  }

  /** Whether all of it is allowed; if not, the client has been told. */
  async #admitted(
    session: Session,
    name: string,
    actions: readonly Action[],
    about: object,
    maxAgeMs: number = limits.rulesCacheMs,
  ): Promise<boolean> {
    const { client } = session;
    const { verdict, action } = await this.#admission.may(
      ...([client.appId, client.viewer, name, actions, maxAgeMs] as const),
    );
    if (session.gone) return false;
    if (verdict === "yes") return true;
    client.send([problemFrame(closedText(verdict, action, name), about)]);
    return false;
  }

  #metadata(session: Session, metadata: unknown, about: object): string | null {
    const text = jsonText(metadata);
    if (text !== null && text.length <= limits.metadataChars) return text;
    this.#hit(session, "metadata_chars", about);
    return null;
  }

  #mayGoOn(session: Session, rate: RateName, about: object): boolean {
    if (take(session.buckets[rate], RATES[rate], this.#ports.clock())) return true;
    this.#hit(session, rate, about);
    return false;
  }

  #hit(session: Session, limit: LimitName, about: object): void {
    this.#ports.metrics.limitsHit.inc({ limit: `realtime_${limit}` });
    session.client.send([problemFrame(LIMIT_TEXTS[limit], about)]);
  }
}
