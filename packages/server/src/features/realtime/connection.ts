import { AmbitError } from "../../kernel/errors.ts";
import { type ClientFrame, readClientFrame } from "./client-frames.ts";
import type { Explainer } from "./explain.ts";
import { explainFrameFor } from "./explain-frame.ts";
import { errorFrame, type Frame, frame, resyncFrame } from "./frames.ts";
import { limits } from "./limits.ts";
import { READ_ONLY_TEXT, type RoomClient, type Rooms } from "./rooms/index.ts";
import { Subscribing, type SubscribingPorts } from "./subscribing.ts";
import type { Peer, Viewer } from "./subscriptions.ts";

/** The far end of a connection: what the door gives. */
export interface Transport {
  send(frames: readonly Frame[]): void;
  /** Who a fresh credential speaks for, and a way to go on with it; throws AUTH_* for a bad one. */
  authenticate(token: string): Promise<{ viewer: Viewer; adopt(): void }>;
}

/** What all connections of a node share. */
export interface ConnectionPorts extends SubscribingPorts {
  readonly explainer: Explainer;
  readonly rooms: Rooms;
  /** Called once when the connection has ended. */
  onClosed(): void;
  /** Runs the function an event is meant for; null if there is none. */
  onEvent(event: {
    appId: string;
    viewer: Viewer;
    name: string;
    payload: unknown;
  }): Promise<{ data: unknown } | null>;
}

/** One client's conversation. Frames are answered one after the other, in the order they came. */
export class Connection implements Peer, RoomClient {
  readonly appId: string;
  readonly clientId: string;
  viewer: Viewer;
  readonly #ports: ConnectionPorts;
  readonly #transport: Transport;
  pending: Frame[] | null = null;
  readonly #subscribing: Subscribing;
  #tail: Promise<void> = Promise.resolve();
  #waiting = 0;
  #open = true;

  /** `clientId` is unique among all connections of all nodes. */
  constructor(
    who: { readonly appId: string; readonly clientId: string; readonly viewer: Viewer },
    transport: Transport,
    ports: ConnectionPorts,
  ) {
    this.appId = who.appId;
    this.clientId = who.clientId;
    this.viewer = who.viewer;
    this.#transport = transport;
    this.#ports = ports;
    this.#subscribing = new Subscribing(this, who.appId, ports);
    ports.metrics.connections.inc();
  }

  send(frames: readonly Frame[]): void {
    if (this.#open) this.#transport.send(frames);
  }

  /** Takes one text message from the client. */
  receive(text: string): void {
    if (this.#waiting >= limits.messagesWaiting) {
      this.send([errorFrame("Too many messages wait for an answer: this one was not taken.")]);
      return;
    }
    const read = readClientFrame(text);
    this.#waiting += 1;
    this.#tail = this.#tail.then(async () => {
      this.#waiting -= 1;
      if (!this.#open) return;
      if ("problem" in read) return this.send([errorFrame(read.problem)]);
      try {
        await this.#answer(read.frame);
      } catch (error) {
        const message =
          error instanceof AmbitError ? error.message : "The message could not be handled. Try again.";
        this.send([errorFrame(message)]);
      }
    });
  }

  /** Ends the conversation; nothing is sent any more. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#ports.metrics.connections.dec();
    this.#subscribing.close();
    this.#ports.rooms.left(this);
    this.#ports.onClosed();
  }

  /** Something is missing, or held back, of what this client is to get: no place can be promised to it. */
  get unsettled(): boolean {
    return this.#subscribing.unsettled;
  }

  async #answer(message: ClientFrame): Promise<void> {
    switch (message.type) {
      case "subscribe":
        return this.#subscribing.subscribe(message);
      case "unsubscribe": {
        const { table, id } = message;
        this.#subscribing.unsubscribe({ table, id });
        return this.send([frame({ type: "unsubscribed", ...(id === undefined ? { table } : { id }) })]);
      }
      case "event":
        return this.#event(message.event, message.payload ?? null, message.id);
      case "explain":
        return this.send([
          frame(await explainFrameFor(this.#ports.explainer, this.appId, this.viewer, message)),
        ]);
      case "auth":
        return this.#renew(message.token);
      default:
        return this.#ports.rooms.handle(this, message);
    }
  }

  async #event(name: string, payload: unknown, id: string | undefined): Promise<void> {
    const { appId } = this;
    if (this.viewer.readOnly) return this.send([errorFrame(READ_ONLY_TEXT)]);
    const answer = await this.#ports.onEvent({ appId, viewer: this.viewer, name, payload });
    if (answer === null) return this.send([errorFrame(`No handler for event: ${name}`)]);
    this.send([
      frame({ type: "event_response", event: name, ...(id === undefined ? {} : { id }), data: answer.data }),
    ]);
  }

  /** Goes on with a fresh token of the same user. New claims may show other rows. */
  async #renew(token: string): Promise<void> {
    const { viewer, adopt } = await this.#transport.authenticate(token);
    if (viewer.role !== this.viewer.role || viewer.userId !== this.viewer.userId) {
      return this.send([errorFrame("The token belongs to somebody else. Open a new connection for it.")]);
    }
    adopt();
    const before = this.viewer;
    const channel = this.#ports.hub.existing(this.appId);
    const become = () =>
      this.#subscribing.become(() => {
        this.viewer = viewer;
      });
    if (channel === undefined) become();
    else await channel.run(become);
    this.#ports.rooms.identityChanged(this);
    const replies = [frame({ type: "authenticated" })];
    if (!sameStanding(before.claims, viewer.claims)) replies.push(resyncFrame(null, "identity_changed"));
    this.send(replies);
  }
}

/** Claims that differ between two tokens of one user and say nothing about the user. */
const OF_THE_TOKEN = ["iat", "exp", "nbf", "jti", "sid"];

function sameStanding(a: string, b: string): boolean {
  const standing = (claims: string) => {
    const entries = Object.entries(claims === "" ? {} : JSON.parse(claims));
    return JSON.stringify(entries.filter(([name]) => !OF_THE_TOKEN.includes(name)).sort());
  };
  return standing(a) === standing(b);
}
