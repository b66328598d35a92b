import { DurableObject } from "cloudflare:workers";

/** Answers `ping` without running. */
export class AutoResponse extends DurableObject {
  private messages = 0;

  constructor(ctx: DurableObjectState, env: unknown) {
    super(ctx, env);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }

  async fetch(): Promise<Response> {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  webSocketClose(socket: WebSocket, code: number, reason: string): void {
    socket.close(code, reason);
  }

  webSocketMessage(socket: WebSocket, message: string): void {
    this.messages += 1;
    const pair = this.ctx.getWebSocketAutoResponse();
    const answered = this.ctx.getWebSocketAutoResponseTimestamp(socket) instanceof Date;
    socket.send(
      JSON.stringify({ message, messages: this.messages, answered, ask: pair?.request, say: pair?.response }),
    );
    if (message === "off") this.ctx.setWebSocketAutoResponse();
  }
}
