import { DurableObject } from "cloudflare:workers";

/** Goes to sleep with its sockets open, and wakes with nothing lost but its fields. */
export class Hibernate extends DurableObject {
  private readonly born: number;
  private messages = 0;

  constructor(ctx: DurableObjectState, env: unknown) {
    super(ctx, env);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
    const { sql } = ctx.storage;
    sql.exec("create table if not exists births (n integer primary key)");
    sql.exec("insert into births default values");
    this.born = sql.exec<{ n: number }>("select count(*) as n from births").one().n;
  }

  fetch(request: Request): Response {
    const tag = new URL(request.url).searchParams.get("tag")!;
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server, [tag, "all"]);
    server.serializeAttachment({ tag, joined: new Set([tag]) });
    return new Response(null, { status: 101, webSocket: client });
  }

  webSocketMessage(socket: WebSocket, message: string): void {
    this.messages += 1;
    const { tag, joined } = socket.deserializeAttachment();
    const report = {
      message,
      tag,
      joined: [...joined],
      tags: this.ctx.getTags(socket),
      peers: this.ctx.getWebSockets("all").length,
      born: this.born,
      messages: this.messages,
    };
    for (const each of this.ctx.getWebSockets("all")) each.send(JSON.stringify(report));
  }

  webSocketClose(socket: WebSocket, code: number, reason: string): void {
    socket.close(code, reason);
    for (const each of this.ctx.getWebSockets("all")) {
      if (each !== socket)
        each.send(JSON.stringify({ closed: socket.deserializeAttachment().tag, code, reason }));
    }
  }
}
