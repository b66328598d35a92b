import type { ServerResponse } from "node:http";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { AmbitError, errors } from "../../../kernel/errors.ts";
import { actorSocket, functionSocket, SOCKETS } from "../config/index.ts";
import { workerdErrors } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Answer, Exchange, ForwardOptions, Outcome, Program, Target, UpgradeOptions } from "../types.ts";
import { Delivery } from "./delivery.ts";
import { Pool } from "./pool.ts";
import { BadRequestHead } from "./request-head.ts";
import { ResponseSink } from "./response-sink.ts";
import type { Sink } from "./sink.ts";
import { StreamSink } from "./stream-sink.ts";
import { Tunnel } from "./tunnel.ts";

const HEALTH = "GET /_ambit/health HTTP/1.1\r\nHost: ambit\r\n\r\n";
/** Other paths of a class's socket are for Ambit itself. */
const ACTOR_PATH = "/_do/";

/** What one process is asked to do, from its start to its end: its requests under way and its sockets. */
export class Traffic {
  readonly #main: Pool;
  /** By unit; a program has either classes or functions. */
  readonly #units = new Map<string, Pool>();
  readonly #documentationBase: () => string;
  /** In the order in which they began; a tunnel is here until it is open. */
  readonly #underWay = new Set<Delivery | Tunnel>();
  readonly #tunnels = new Set<Tunnel>();
  #lost: { request: Delivery | Tunnel; atMs: number }[] = [];
  readonly #onChange: () => void;
  /** When an answer last said that user code goes on working after it. */
  waitingSinceMs: number | null = null;
  #gone = false;
  #begun = 0;

  /** `onChange` is called when a request or a socket is over. */
  constructor(
    program: Program,
    socketsDir: string,
    onChange: () => void = () => {},
    documentationBase: () => string = () => "",
  ) {
    this.#onChange = onChange;
    this.#documentationBase = documentationBase;
    this.#main = new Pool(join(socketsDir, SOCKETS.main));
    for (const { name } of program.actors) {
      this.#units.set(name, new Pool(join(socketsDir, actorSocket(program, name))));
    }
    for (const { name } of program.functions) {
      this.#units.set(name, new Pool(join(socketsDir, functionSocket(program, name))));
    }
  }

  get inFlight(): number {
    return this.#underWay.size;
  }

  get sockets(): number {
    return this.#tunnels.size;
  }

  /** The process is known to be gone or going. */
  get gone(): boolean {
    return this.#gone;
  }

  /** Requests begun so far: it tells whether there was any since the last look. */
  get begun(): number {
    return this.#begun;
  }

  /** Requests whose end can be waited for. */
  get finite(): number {
    let count = 0;
    for (const each of this.#underWay) if (each instanceof Tunnel || !each.endless) count += 1;
    return count;
  }

  /** Resolves when the process answers a question about its health. */
  health(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#main.take().send({
        method: "GET",
        head: HEALTH,
        framing: "none",
        body: null,
        onHead: () => {},
        onBody: () => {},
        onEnd: () => resolve(),
        onUpgrade: () => {},
        onSent: () => {},
        onLost: () => reject(new Error("no answer")),
      });
    });
  }

  /** The requests a process had when it was lost a moment ago, oldest first. */
  casualties(): { requestId: string; unit: string }[] {
    const sinceMs = performance.now() - limits.casualtyMs;
    const lost = this.#lost.filter(({ atMs }) => atMs >= sinceMs).map(({ request }) => request);
    return [...lost, ...this.#underWay]
      .sort((a, b) => a.startedMs - b.startedMs)
      .map(({ requestId, unit }) => ({ requestId, unit }));
  }

  /** Streams the answer into `response`. Throws for what can't be sent at all; never rejects. */
  forward(
    target: Target,
    exchange: Exchange,
    response: ServerResponse,
    { onHeaders }: ForwardOptions = {},
  ): Promise<Outcome> {
    const sink = new ResponseSink(response, this.#documentationBase(), exchange.requestId, onHeaders);
    return new Promise((resolve, reject) => {
      const delivery = this.#begin(target, exchange, sink, resolve, reject);
      if (delivery === null) return;
      sink.onRoom = () => delivery.resume();
      response.on("close", () => delivery.callerGone());
      if (response.destroyed) delivery.callerGone();
      else delivery.start();
    });
  }

  /** The answer for a caller inside Ambit, as soon as its head is there. */
  request(target: Target, exchange: Exchange, signal?: AbortSignal): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const sink = new StreamSink(resolve, reject);
      const onAbort = () => {
        reject(errors.REQUEST_CANCELLED());
        delivery?.callerGone();
      };
      const done = () => signal?.removeEventListener("abort", onAbort);
      const delivery = this.#begin(target, exchange, sink, done, reject);
      if (delivery === null) return;
      sink.onRoom = () => delivery.resume();
      sink.onGone = () => delivery.callerGone();
      signal?.addEventListener("abort", onAbort);
      if (signal?.aborted) onAbort();
      else delivery.start();
    });
  }

  /** A request of Ambit's own to a class; no path of a caller may come here. */
  internal(exchange: Exchange, unit: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const sink = new StreamSink(resolve, reject);
      const delivery = this.#track(this.#units.get(unit) ?? this.#main, exchange, unit, sink, () => {});
      sink.onRoom = () => delivery.resume();
      sink.onGone = () => delivery.callerGone();
      delivery.start();
    });
  }

  /** Joins the client's socket to one of the process; resolves when it is over. */
  upgrade(
    target: Target,
    exchange: Exchange,
    socket: Duplex,
    head: Buffer,
    options: UpgradeOptions,
  ): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      try {
        const { path } = this.#poolOf(target, exchange);
        const base = this.#documentationBase();
        const tunnel = new Tunnel(this, path, exchange, target.unit, socket, head, options, base, resolve);
        this.#begun += 1;
        this.#underWay.add(tunnel);
        tunnel.start();
      } catch (error) {
        reject(asRefusal(error));
      }
    });
  }

  onOpen(tunnel: Tunnel): void {
    this.#underWay.delete(tunnel);
    this.#tunnels.add(tunnel);
    this.#onChange();
  }

  onOver(over: Delivery | Tunnel, end: Outcome["end"]): void {
    // Connections close before the end of the process is known; and whoever asked for a loop may leave before it.
    const unanswered =
      end === "process_lost" || (end === "caller_gone" && over instanceof Delivery && !over.begun);
    if (this.#underWay.delete(over) && unanswered) this.#remember(over);
    if (over instanceof Delivery && over.waiting) this.waitingSinceMs = performance.now();
    if (over instanceof Tunnel) this.#tunnels.delete(over);
    this.#onChange();
  }

  #remember(request: Delivery | Tunnel): void {
    if (this.#lost.length >= limits.inFlight) this.#lost.shift();
    this.#lost.push({ request, atMs: performance.now() });
  }

  /** The process is about to be ended: sockets are closed with 1012, requests under way go on. */
  closeSockets(): void {
    this.#gone = true;
    for (const tunnel of [...this.#tunnels]) tunnel.restart();
  }

  /** The process has ended: requests under way are lost, and told so. */
  lose(): void {
    this.closeSockets();
    for (const each of [...this.#underWay]) {
      if (each instanceof Tunnel) each.restart();
      else each.lose();
    }
    this.#main.close();
    for (const pool of this.#units.values()) pool.close();
  }

  /** Cuts what `lose` left to end in its own time. */
  cut(): void {
    this.lose();
    for (const tunnel of [...this.#tunnels]) tunnel.cut();
  }

  #poolOf(target: Target, exchange: Exchange): Pool {
    if (target.kind === "actor" && !exchange.path.startsWith(ACTOR_PATH))
      throw new BadRequestHead("bad path");
    const pool = this.#units.get(target.unit);
    // The router says 404 to a class that is not in the running code.
    if (pool === undefined && target.kind === "actor") return this.#main;
    if (pool === undefined) {
      throw workerdErrors.RUNTIME_UNAVAILABLE({
        message: `There is no function "${target.unit}" in this app.`,
      });
    }
    return pool;
  }

  #track(
    pool: Pool,
    exchange: Exchange,
    unit: string,
    sink: Sink,
    resolve: (outcome: Outcome) => void,
  ): Delivery {
    const delivery = new Delivery(this, pool, exchange, unit, sink, resolve);
    this.#begun += 1;
    this.#underWay.add(delivery);
    return delivery;
  }

  #begin(
    target: Target,
    exchange: Exchange,
    sink: Sink,
    resolve: (outcome: Outcome) => void,
    reject: (error: unknown) => void,
  ): Delivery | null {
    try {
      return this.#track(this.#poolOf(target, exchange), exchange, target.unit, sink, resolve);
    } catch (error) {
      reject(asRefusal(error));
      return null;
    }
  }
}

/** What a caller is told about a request that can't be passed on. */
function asRefusal(error: unknown): AmbitError {
  if (error instanceof AmbitError) return error;
  if (!(error instanceof BadRequestHead)) throw error;
  return errors.REQUEST_ERROR({ message: `The request can't be passed on: ${error.message}.` });
}
