import type { ActorUnit, Program } from "../../types.ts";

/** A program of the app `app_test` (or another) with these classes. */
export function actors(classes: Record<string, string>, more: Partial<Program> = {}): Program {
  const units = Object.entries(classes).map(([name, code]): ActorUnit => {
    const className = /export class (\w+)/.exec(code)?.[1] ?? "Missing";
    return { name, className, binding: name.toUpperCase(), uniqueKey: `key-${name}`, code, env: {} };
  });
  return { ...base, actors: units, ...more };
}

/** The same with functions. */
export function functions(sources: Record<string, string>, more: Partial<Program> = {}): Program {
  const units = Object.entries(sources).map(([name, code]) => ({
    name,
    code,
    entry: "handler" as const,
    env: {},
  }));
  return { ...base, kind: "functions", functions: units, ...more };
}

const base: Program = {
  appId: "app_test",
  kind: "actors",
  revision: "1",
  actors: [],
  functions: [],
  scheme: "http",
  memoryBytes: 512 * 1024 * 1024,
  logs: false,
};

/** A class that counts durably, and misbehaves when asked to. */
export const COUNTER = `
export class Counter {
  constructor(state, env) { this.state = state; this.storage = state.storage; }
  async fetch(request) {
    const url = new URL(request.url);
    const [, , , , what] = url.pathname.split("/");
    if (what === "loop") for (;;);
    if (what === "hog") { const all = []; for (;;) { all.push(new Uint8Array(32e6).fill(1)); await new Promise((r) => setTimeout(r, 5)); } }
    if (what === "wait") { await new Promise((r) => setTimeout(r, Number(url.searchParams.get("ms")))); return new Response("waited"); }
    if (what === "get") return new Response(String((await this.storage.get("n")) ?? 0));
    if (what === "alarm") { await this.storage.setAlarm(Date.now() + Number(url.searchParams.get("ms"))); return new Response("set"); }
    if (what === "alarms") return new Response(String((await this.storage.get("alarms")) ?? 0));
    if (what === "loopalarm") { await this.storage.put("loop", true); await this.storage.setAlarm(Date.now() + Number(url.searchParams.get("ms"))); return new Response("set"); }
    if (what === "ws") {
      const [client, server] = Object.values(new WebSocketPair());
      this.state.acceptWebSocket(server);
      return new Response(null, { status: 101, webSocket: client });
    }
    if (what === "id") return new Response(this.state.id.toString());
    const n = ((await this.storage.get("n")) ?? 0) + 1;
    await this.storage.put("n", n);
    return new Response(String(n));
  }
  webSocketMessage(ws, message) { ws.send(message); }
  async alarm() {
    if (await this.storage.get("loop")) { await this.storage.delete("loop"); await this.storage.sync(); for (;;); }
    await this.storage.put("alarms", ((await this.storage.get("alarms")) ?? 0) + 1);
  }
}`;
