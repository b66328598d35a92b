import { mkdtempSync, rmSync } from "node:fs";
import http, { type IncomingMessage } from "node:http";
import net, { type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Exchange, Outcome, Program, UpgradeOptions } from "../../types.ts";
import { ResponseSink } from "../response-sink.ts";
import { Traffic } from "../traffic.ts";

const program: Program = {
  appId: "app_test",
  kind: "actors",
  revision: "1",
  actors: [],
  functions: [],
  scheme: "http",
  memoryBytes: 2 ** 30,
  logs: false,
};

/** A door in front of a stand-in for a process, whose every byte the test decides. */
export interface Stand {
  readonly traffic: Traffic;
  readonly url: string;
  readonly port: number;
  readonly outcomes: Outcome[];
  /** Connections the stand-in has accepted. */
  readonly accepted: net.Socket[];
  timeoutMs: number | null;
  upgradeOptions: UpgradeOptions;
  answerHeaders: Record<string, string>;
  exchange(request: IncomingMessage): Exchange;
  stop(): Promise<void>;
}

/** `behind` gets each connection of a raw stand-in, or is an HTTP server that is handed them. */
export async function openStand(behind: ((socket: net.Socket) => void) | http.Server): Promise<Stand> {
  const dir = mkdtempSync(join(tmpdir(), "ambit-forward-"));
  const accepted: net.Socket[] = [];
  const inner = net.createServer({ allowHalfOpen: true }, (socket) => {
    accepted.push(socket);
    socket.on("error", () => {});
    if (typeof behind === "function") behind(socket);
    else behind.emit("connection", socket);
  });
  await new Promise<void>((resolve) => inner.listen(join(dir, "main.sock"), resolve));
  const door = http.createServer((request, response) => {
    for (const [name, value] of Object.entries(stand.answerHeaders)) response.setHeader(name, value);
    const target = { kind: "actor", unit: "room" } as const;
    stand.traffic.forward(target, stand.exchange(request), response).then(
      (outcome) => stand.outcomes.push(outcome),
      (error) => new ResponseSink(response, "", "").refuse(error),
    );
  });
  door.on("upgrade", (request, socket, head) => {
    const exchange = { ...stand.exchange(request), body: null };
    const target = { kind: "actor", unit: "room" } as const;
    void stand.traffic
      .upgrade(target, exchange, socket, head, stand.upgradeOptions)
      .then((outcome) => stand.outcomes.push(outcome));
  });
  await new Promise<void>((resolve) => door.listen(0, "127.0.0.1", resolve));
  const { port } = door.address() as AddressInfo;
  let requests = 0;
  const stand: Stand = {
    traffic: new Traffic(program, dir),
    url: `http://127.0.0.1:${port}/_do/room/1`,
    port,
    outcomes: [],
    accepted,
    timeoutMs: 10_000,
    upgradeOptions: {},
    answerHeaders: {},
    exchange(request) {
      const has = request.headers["content-length"] ?? request.headers["transfer-encoding"];
      return {
        requestId: `r${++requests}`,
        method: request.method ?? "GET",
        path: request.url ?? "/",
        headers: request.rawHeaders,
        body: has === undefined ? null : request,
        timeoutMs: stand.timeoutMs,
      };
    },
    async stop() {
      stand.traffic.cut();
      for (const socket of accepted) socket.destroy();
      door.closeAllConnections();
      await Promise.all([inner, door].map((server) => new Promise((resolve) => server.close(resolve))));
      rmSync(dir, { recursive: true, force: true });
    },
  };
  return stand;
}

/** Calls `answer` with each request head a raw connection receives (bodies are not told apart). */
export function onRequest(answer: (socket: net.Socket, head: string, index: number) => void) {
  return (socket: net.Socket) => {
    let text = "";
    let index = 0;
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
        const head = text.slice(0, end);
        text = text.slice(end + 4);
        answer(socket, head, index++);
      }
    });
  };
}
