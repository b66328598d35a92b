import { DurableObject } from "cloudflare:workers";

interface Line {
  from: string;
  text: string;
}

/** A room whose sockets hibernate; the last lines are kept in storage. */
export class ChatRoom extends DurableObject {
  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    if (url.pathname.endsWith("/history")) return Response.json(await this.history());
    if (request.headers.get("upgrade") !== "websocket")
      return new Response("expected a socket", { status: 426 });
    const name = url.searchParams.get("name") ?? "guest";
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server, [name]);
    server.serializeAttachment({ name });
    server.send(JSON.stringify({ welcome: name, present: this.names() }));
    this.broadcast({ joined: name }, server);
    return new Response(null, { status: 101, webSocket: client });
  }

  async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    const { name } = socket.deserializeAttachment();
    const line: Line = { from: name, text: String(message) };
    const lines = await this.history();
    await this.ctx.storage.put("lines", [...lines, line].slice(-5));
    this.broadcast(line);
  }

  async webSocketClose(socket: WebSocket, code: number, reason: string): Promise<void> {
    const { name } = socket.deserializeAttachment();
    socket.close(code, reason);
    this.broadcast({ left: name, code }, socket);
  }

  private async history(): Promise<Line[]> {
    return (await this.ctx.storage.get<Line[]>("lines")) ?? [];
  }

  private names(): string[] {
    return this.ctx
      .getWebSockets()
      .map((socket) => socket.deserializeAttachment()?.name)
      .sort();
  }

  private broadcast(frame: object, except?: WebSocket): void {
    for (const socket of this.ctx.getWebSockets()) {
      if (socket !== except) socket.send(JSON.stringify(frame));
    }
  }
}
