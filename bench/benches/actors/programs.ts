/** The same class and function on both sides; each is TypeScript for Ambit and JavaScript for a bare workerd. */
export const COUNTER = `
export class Counter {
  count = 0;
  constructor(state, env) { this.state = state; }
  async fetch(request) {
    return new Response(String(++this.count));
  }
}`;

/** Every request is answered after its write is durable. */
export const WRITER = `
export class Writer {
  count = 0;
  constructor(state, env) { this.state = state; }
  async fetch(request) {
    await this.state.storage.put("count", ++this.count);
    return new Response(String(this.count));
  }
}`;

/** As the counter, and it says something at every request. */
export const TALKER = `
export class Talker {
  count = 0;
  constructor(state, env) { this.state = state; }
  async fetch(request) {
    console.log("request", ++this.count);
    return new Response(String(this.count));
  }
}`;

/** "all:…" goes to every socket of the room, anything else back to its sender. */
export const ROOM = `
export class Room {
  constructor(state, env) { this.state = state; }
  async fetch(request) {
    const pair = new WebSocketPair();
    this.state.acceptWebSocket(pair[1]);
    return new Response(null, { status: 101, webSocket: pair[0] });
  }
  webSocketMessage(socket, message) {
    if (!message.startsWith("all:")) return socket.send(message);
    for (const each of this.state.getWebSockets()) each.send(message);
  }
}`;

export const FUNCTION = `
export async function handler(request) {
  return new Response("hello");
}`;

/** The class a source exports. */
export const classNameOf = (source: string): string => /export class (\w+)/.exec(source)![1]!;
