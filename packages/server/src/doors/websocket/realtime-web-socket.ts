import { type RawData, WebSocket } from "ws";

/** Who is told what happens on a client's socket. */
export interface SocketOwner {
  /** One message. */
  receive(data: RawData, isBinary: boolean): void;
  /** The client gave a sign of life. */
  heard(): void;
  /** Something in what the client sent broke the protocol; the socket is being closed. */
  broke(error: Error & { readonly code?: string }): void;
  closed(): void;
}

/**
 * The library's side of a client's socket: it reads what comes, answers pings and closes. Its handlers are shared by all
 * sockets, which find their owner here: with thousands of sockets, functions of their own cost memory.
 */
export class RealtimeWebSocket extends WebSocket {
  #owner: SocketOwner | null = null;

  /** Tells `owner` of everything but messages. To be called once, before anything else happens on the socket. */
  attach(owner: SocketOwner): void {
    this.#owner = owner;
    this.on("error", onError);
    this.on("pong", onPong);
    this.on("close", onClose);
  }

  /** Tells the owner of messages too, from here on. */
  readMessages(): void {
    this.on("message", onMessage);
  }

  static ownerOf(socket: WebSocket): SocketOwner | null {
    return (socket as RealtimeWebSocket).#owner;
  }
}

function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  RealtimeWebSocket.ownerOf(this)?.receive(data, isBinary);
}

function onPong(this: WebSocket): void {
  RealtimeWebSocket.ownerOf(this)?.heard();
}

/** What is wrong with a socket closes it by itself. */
function onError(this: WebSocket, error: Error): void {
  RealtimeWebSocket.ownerOf(this)?.broke(error);
}

function onClose(this: WebSocket): void {
  RealtimeWebSocket.ownerOf(this)?.closed();
}
