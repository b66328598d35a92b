import { DurableObject } from "cloudflare:workers";

/** Sockets found by tag, each with an attachment of its own. */
export class SocketTags extends DurableObject {
  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const tags = url.searchParams.getAll("tag");
    if (url.pathname.endsWith("/count")) {
      return Response.json(Object.fromEntries(tags.map((tag) => [tag, this.ctx.getWebSockets(tag).length])));
    }
    if (url.pathname.endsWith("/tell")) {
      const told = this.ctx.getWebSockets(tags[0]);
      for (const socket of told) socket.send(`to ${tags[0]}`);
      return new Response(String(told.length));
    }
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server, tags);
    server.serializeAttachment({ tags, seen: new Map([["frames", 0]]), born: new Date(86_400_000) });
    return new Response(null, { status: 101, webSocket: client });
  }

  webSocketClose(socket: WebSocket): void {
    socket.close(1000, "");
  }

  webSocketMessage(socket: WebSocket, message: string): void {
    const attachment = socket.deserializeAttachment();
    attachment.seen.set("frames", attachment.seen.get("frames") + 1);
    socket.serializeAttachment(attachment);
    if (message === "oversize") {
      try {
        socket.serializeAttachment("x".repeat(100_000));
        socket.send("accepted");
      } catch (error) {
        socket.send(`refused: ${(error as Error).name}`);
      }
      return;
    }
    socket.send(
      JSON.stringify({
        tags: this.ctx.getTags(socket),
        frames: attachment.seen.get("frames"),
        born: attachment.born.toISOString(),
      }),
    );
  }
}
