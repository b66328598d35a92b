import { DurableObject } from "cloudflare:workers";

/** A game that moves by alarms, 40 ms apart, and tells its players. */
export class GameLoop extends DurableObject {
  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    if (url.pathname.endsWith("/state")) {
      const state = await this.ctx.storage.get("state");
      return Response.json({ state, alarm: await this.ctx.storage.getAlarm() });
    }
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  async webSocketMessage(_socket: WebSocket, message: string): Promise<void> {
    await this.ctx.storage.put("state", { tick: 0, x: 0, speed: Number(message) });
    await this.ctx.storage.setAlarm(Date.now() + 40);
  }

  webSocketClose(socket: WebSocket, code: number): void {
    socket.close(code, "game over");
  }

  async alarm(): Promise<void> {
    const state = (await this.ctx.storage.get<{ tick: number; x: number; speed: number }>("state"))!;
    state.tick += 1;
    state.x += state.speed;
    await this.ctx.storage.put("state", state);
    for (const socket of this.ctx.getWebSockets()) socket.send(JSON.stringify(state));
    if (state.tick < 6) await this.ctx.storage.setAlarm(Date.now() + 40);
  }
}
