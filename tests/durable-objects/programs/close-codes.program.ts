/** Ends of sockets: by the class, by the client, by an error in a handler; without `extends`. */
export class CloseCodes {
  private ended: string[] = [];

  constructor(private readonly state: DurableObjectState) {}

  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    if (url.pathname.endsWith("/ended")) return Response.json(this.ended);
    const { 0: client, 1: server } = new WebSocketPair();
    if (url.searchParams.has("plain")) {
      server.accept();
      server.addEventListener("message", (event) => {
        if (event.data === "close") server.close(4002, "plain says so");
        else server.send(`plain ${event.data}`);
      });
      server.addEventListener("close", (event) => {
        this.ended.push(`plain ${event.code} ${event.reason} ${event.wasClean}`);
      });
    } else {
      this.state.acceptWebSocket(server);
    }
    return new Response(null, { status: 101, webSocket: client });
  }

  webSocketMessage(socket: WebSocket, message: string): void {
    const [verb, code, reason] = message.split("|");
    if (verb === "close") socket.close(Number(code), reason);
    if (verb === "bad-code") {
      try {
        socket.close(Number(code), reason);
      } catch (error) {
        socket.send(`refused: ${(error as Error).name}`);
      }
    }
  }

  webSocketClose(socket: WebSocket, code: number, reason: string, wasClean: boolean): void {
    socket.close(code, reason);
    this.ended.push(`${code} ${reason} ${wasClean}`);
  }
}
