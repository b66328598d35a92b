import { DurableObject } from "cloudflare:workers";

/** Who is behind a socket; kept with it, also while the room sleeps. */
interface Guest {
  readonly id: string;
  readonly name: string;
}

interface Message {
  readonly id: number;
  readonly author: string;
  readonly text: string;
  readonly at: number;
}

const HISTORY = 50;
const MESSAGE_CHARS = 2_000;

/**
 * A chat room: one instance per room. Everyone in it hears who comes and goes and what is said; whoever joins gets the
 * last messages first. The room sleeps while nobody speaks: sockets stay open, nothing is forgotten.
 *
 * `GET …/chat-room/<room>?name=Ada` as a WebSocket joins; without an upgrade it answers who is there.
 */
export class ChatRoom extends DurableObject {
  constructor(ctx: DurableObjectState, env: unknown) {
    super(ctx, env as never);
    ctx.storage.sql.exec(
      "create table if not exists messages (id integer primary key, author text, text text, at integer)",
    );
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }

  override async fetch(request: Request): Promise<Response> {
    if (request.headers.get("upgrade") !== "websocket") return Response.json({ present: this.#present() });
    const asked = new URL(request.url).searchParams.get("name") ?? "guest";
    // Set by Ambit from the verified token; nobody outside can.
    const user = request.headers.get("x-butterbase-caller-user");
    const guest: Guest = { id: user ?? crypto.randomUUID(), name: asked.slice(0, 40) };
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server, [guest.id]);
    server.serializeAttachment(guest);
    server.send(
      JSON.stringify({ type: "welcome", you: guest, present: this.#present(), history: this.#history() }),
    );
    this.#tell({ type: "joined", who: guest }, server);
    return new Response(null, { status: 101, webSocket: client });
  }

  override webSocketMessage(socket: WebSocket, frame: string | ArrayBuffer): void {
    const text = typeof frame === "string" ? frame.trim().slice(0, MESSAGE_CHARS) : "";
    if (text === "") return;
    const { name } = socket.deserializeAttachment() as Guest;
    const at = Date.now();
    const { id } = this.ctx.storage.sql
      .exec<{ id: number }>(
        "insert into messages (author, text, at) values (?, ?, ?) returning id",
        name,
        text,
        at,
      )
      .one();
    const message: Message = { id, author: name, text, at };
    this.#tell({ type: "message", message });
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    this.#left(socket);
    // Answers the client's closing; without it the client waits for the answer.
    socket.close(code === 1005 || code === 1006 ? 1000 : code);
  }

  override webSocketError(socket: WebSocket): void {
    this.#left(socket);
  }

  #left(socket: WebSocket): void {
    this.#tell({ type: "left", who: socket.deserializeAttachment() as Guest }, socket);
  }

  #tell(event: object, except?: WebSocket): void {
    const frame = JSON.stringify(event);
    for (const socket of this.ctx.getWebSockets()) {
      if (socket !== except && socket.readyState === WebSocket.OPEN) socket.send(frame);
    }
  }

  #present(): Guest[] {
    const open = this.ctx.getWebSockets().filter((socket) => socket.readyState === WebSocket.OPEN);
    return open.map((socket) => socket.deserializeAttachment() as Guest).filter((guest) => guest !== null);
  }

  #history(): Message[] {
    const rows = this.ctx.storage.sql
      .exec("select * from messages order by id desc limit ?", HISTORY)
      .toArray();
    return (rows as unknown as Message[]).reverse();
  }
}
