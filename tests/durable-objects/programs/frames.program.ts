import { DurableObject } from "cloudflare:workers";

/** Gives every frame back as it came, and tells what it was. */
export class Frames extends DurableObject {
  async fetch(request: Request): Promise<Response> {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    const offered =
      request.headers
        .get("sec-websocket-protocol")
        ?.split(",")
        .map((each) => each.trim()) ?? [];
    const headers = new Headers();
    if (offered.includes("chat.v2")) headers.set("sec-websocket-protocol", "chat.v2");
    return new Response(null, { status: 101, webSocket: client, headers });
  }

  webSocketClose(socket: WebSocket, code: number): void {
    socket.close(code, "seen");
  }

  webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    const [kind, size] =
      typeof message === "string" ? ["text", message.length] : ["binary", message.byteLength];
    socket.send(`${kind} ${size}`);
    socket.send(message);
  }
}
