import type { ServerResponse } from "node:http";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import type { Clock } from "../../../kernel/clock.ts";
import { AmbitError, errors } from "../../../kernel/errors.ts";
import type { Log } from "../../../kernel/log.ts";
import { workerdErrors } from "../errors.ts";
import { errorAnswer } from "../forward/raw-answer.ts";
import { ResponseSink } from "../forward/response-sink.ts";
import type { Traffic } from "../forward/traffic.ts";
import { actorHeaders, CONTEXT_HEADER } from "../headers.ts";
import { limits } from "../limits.ts";
import { programDir, sandboxReport } from "../process/index.ts";
import type {
  Answer,
  EnginePorts,
  Exchange,
  ForwardOptions,
  Inspection,
  Outcome,
  Program,
  ProgramKey,
  ProgramStatus,
  SandboxReport,
  Target,
  UpgradeOptions,
  WorkerdEngine,
} from "../types.ts";
import { AlarmClock } from "./alarm-clock.ts";
import { directories, firstAlarmMs } from "./alarms.ts";
import { inspectInstance } from "./inspect.ts";
import { idFromName } from "./instance-id.ts";
import { tryStart } from "./live.ts";
import { Monitor } from "./monitor.ts";
import { type ProgramContext, ProgramRunner } from "./program.ts";

export interface EngineOptions {
  /** `<dataDir>/workerd`. */
  readonly dataDir: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly allowPrivateFetch: readonly string[];
  readonly ports: EnginePorts;
  documentationBase(): string;
  readonly idleMs: number;
  readonly drainMs: number;
}

/** Every program of this node. */
export class Engine implements WorkerdEngine {
  readonly #options: EngineOptions;
  readonly #programs = new Map<ProgramKey, ProgramRunner>();
  readonly #alarms: AlarmClock;
  readonly #context: ProgramContext;
  #closed = false;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#alarms = new AlarmClock(options.clock, (key) => this.#program(key).wake());
    const monitor = new Monitor({
      idleMs: options.idleMs,
      onIdle: (live) => void this.#programs.get(keyOf(live.program))?.sleep(),
    });
    this.#context = {
      ...options,
      ports: guarded(options.ports, options.log),
      documentationBase: () => options.documentationBase(),
      monitor,
      setAlarm: (key, dueMs) => {
        if (dueMs === null || this.#closed) this.#alarms.clear(key);
        else this.#alarms.set(key, dueMs);
      },
    };
  }

  get sandbox(): SandboxReport {
    return sandboxReport();
  }

  check(program: Program): Promise<void> {
    return tryStart(keyOf(program), program, this.#options);
  }

  swap(key: ProgramKey): Promise<void> {
    return this.#programs.get(key)?.swap() ?? Promise.resolve();
  }

  forward(
    key: ProgramKey,
    target: Target,
    exchange: Exchange,
    response: ServerResponse,
    options: ForwardOptions = {},
  ): Promise<Outcome> {
    const traffic = this.#program(key).traffic;
    if (traffic !== null && traffic.inFlight < limits.inFlight) {
      return traffic
        .forward(target, exchange, response, options)
        .catch((error) => this.#refuse(error, exchange.requestId, response, performance.now()));
    }
    return this.#forwardLater(key, target, exchange, response, options);
  }

  async #forwardLater(
    key: ProgramKey,
    target: Target,
    exchange: Exchange,
    response: ServerResponse,
    options: ForwardOptions,
  ): Promise<Outcome> {
    const sinceMs = performance.now();
    try {
      const traffic = await this.#running(key, exchange);
      return await traffic.forward(target, exchange, response, options);
    } catch (error) {
      return this.#refuse(error, exchange.requestId, response, sinceMs);
    }
  }

  async request(key: ProgramKey, target: Target, exchange: Exchange, signal?: AbortSignal): Promise<Answer> {
    const traffic = await this.#running(key, exchange);
    return await traffic.request(target, exchange, signal);
  }

  async upgrade(
    key: ProgramKey,
    target: Target,
    exchange: Exchange,
    socket: Duplex,
    head: Buffer,
    options: UpgradeOptions = {},
  ): Promise<Outcome> {
    const sinceMs = performance.now();
    const ignore = () => {};
    socket.on("error", ignore); // until the tunnel listens
    try {
      const traffic = await this.#running(key, exchange);
      const most = this.#program(key).live?.maxSockets ?? limits.sockets;
      if (traffic.sockets >= most) throw busy("The app has too many sockets open.");
      return await traffic.upgrade(target, exchange, socket, head, options);
    } catch (error) {
      const known = this.#known(error);
      socket.end(errorAnswer(known, this.#options.documentationBase()), "latin1");
      return refused(known, sinceMs);
    }
  }

  async inspect(
    key: ProgramKey,
    unit: string,
    instance: { name: string } | { id: string },
    inspection: Inspection,
  ): Promise<unknown> {
    return await inspectInstance(await this.#program(key).running(), unit, instance, inspection);
  }

  idFromName(uniqueKey: string, name: string): string {
    return idFromName(uniqueKey, name);
  }

  exclusive<T>(key: ProgramKey, work: (storageDir: string) => Promise<T>): Promise<T> {
    return this.#program(key).exclusive(work);
  }

  storageDir(key: ProgramKey): string {
    return join(programDir(this.#options.dataDir, key), "storage");
  }

  status(key: ProgramKey): ProgramStatus {
    return (this.#programs.get(key) ?? new ProgramRunner(key, this.#context)).status();
  }

  list(): readonly ProgramStatus[] {
    return [...this.#programs.values()].map((program) => program.status());
  }

  async remove(key: ProgramKey, options: { destroy: boolean }): Promise<void> {
    const program = this.#program(key);
    await program.close(limits.closeDrainMs, options.destroy);
    if (this.#programs.get(key) === program) this.#programs.delete(key);
  }

  async start(): Promise<void> {
    const { dataDir, log } = this.#options;
    const keys = (await directories(dataDir)).map((appId): ProgramKey => `${appId}/actors`);
    // Found out now, it costs no first request anything.
    if (keys.length > 0) sandboxReport();
    const scan = async () => {
      for (let key = keys.pop(); key !== undefined && !this.#closed; key = keys.pop()) {
        try {
          const dueMs = await firstAlarmMs(this.storageDir(key));
          if (dueMs !== null && !this.#programs.has(key)) this.#context.setAlarm(key, dueMs);
        } catch (error) {
          log.error({ err: error, program: key }, "the program's alarms can't be read");
        }
      }
    };
    await Promise.all(Array.from({ length: limits.alarmScans }, scan));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#alarms.close();
    await Promise.all([...this.#programs.values()].map((program) => program.close(limits.closeDrainMs)));
    this.#programs.clear();
  }

  #program(key: ProgramKey): ProgramRunner {
    let program = this.#programs.get(key);
    if (program === undefined) {
      program = new ProgramRunner(key, this.#context);
      if (!this.#closed) this.#programs.set(key, program);
    }
    return program;
  }

  async #running(key: ProgramKey, exchange: Exchange): Promise<Traffic> {
    if (this.#closed) throw workerdErrors.RUNTIME_UNAVAILABLE({ headers: { "Retry-After": "1" } });
    const program = this.#program(key);
    const nested = isNested(exchange) ? program.trafficForNested : null;
    const traffic = nested ?? (await program.running());
    if (traffic.inFlight >= limits.inFlight) throw busy("The app has too many requests under way.");
    return traffic;
  }

  #known(error: unknown): AmbitError {
    if (error instanceof AmbitError) return error;
    this.#options.log.error({ err: error }, "request could not be forwarded");
    return errors.INTERNAL_ERROR();
  }

  #refuse(error: unknown, requestId: string, response: ServerResponse, sinceMs: number): Outcome {
    const known = this.#known(error);
    new ResponseSink(response, this.#options.documentationBase(), requestId).refuse(known);
    return refused(known, sinceMs);
  }
}

const keyOf = (program: Program): ProgramKey => `${program.appId}/${program.kind}`;

/** Nobody waits for what is reported: a failure there is logged, and ends nothing. */
function guarded(ports: EnginePorts, log: Log): EnginePorts {
  const safely = <A extends unknown[]>(name: string, report: (...args: A) => void) => {
    return (...args: A) => {
      try {
        report(...args);
      } catch (error) {
        log.error({ err: error, port: name }, "a report of the runtime was lost");
      }
    };
  };
  return {
    load: (key) => ports.load(key),
    callback: (key, unit, request, response) => ports.callback(key, unit, request, response),
    egress: (key) => ports.egress(key),
    onTail: safely("onTail", (key, batch) => ports.onTail(key, batch)),
    onCpu: safely("onCpu", (key, ms) => ports.onCpu(key, ms)),
    onEgress: safely("onEgress", (key, used) => ports.onEgress(key, used)),
    onDeath: safely("onDeath", (key, death, lost, stderr) => ports.onDeath(key, death, lost, stderr)),
  };
}

const busy = (message: string) => workerdErrors.RUNTIME_BUSY({ message, headers: { "Retry-After": "1" } });

/** A call from inside the app: requests under way may be waiting for it. */
function isNested({ headers }: Exchange): boolean {
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at]!.toLowerCase();
    if (name === actorHeaders.internalCaller) return true;
    if (name === CONTEXT_HEADER && headers[at + 1]!.includes('"internalCaller":"')) return true;
  }
  return false;
}

function refused(error: AmbitError, sinceMs: number): Outcome {
  return {
    status: error.status,
    durationMs: performance.now() - sinceMs,
    bytesIn: 0,
    bytesOut: 0,
    end: error.status === workerdErrors.entries.RUNTIME_UNAVAILABLE.status ? "process_lost" : "answered",
    waiting: false,
  };
}
