import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex, Readable } from "node:stream";

/**
 * What the engine runs. One **program** is one process: the classes of an app, or its functions. They are apart, so
 * that deploying or losing a function never costs a room its sockets.
 */
export interface Program {
  readonly appId: string;
  readonly kind: ProgramKind;
  /** Changes whenever anything in it changes; a process serves exactly one revision. */
  readonly revision: string;
  readonly actors: readonly ActorUnit[];
  readonly functions: readonly FunctionUnit[];
  /** `https` when clients reach Ambit that way: what `request.url` says. */
  readonly scheme: "http" | "https";
  /** Resident memory the process may take before it is stopped. */
  readonly memoryBytes: number;
  /** False when the app has its logs switched off (setting `logs` of the runtime feature): nothing of them is in the program. */
  readonly logs: boolean;
}

export type ProgramKind = "actors" | "functions";

/** Names a program: `<app id>/actors` or `<app id>/functions`. */
export type ProgramKey = `${string}/${ProgramKind}`;

/** One Durable Object class, from one file. */
export interface ActorUnit {
  /** Kebab-case, as in the URL. */
  readonly name: string;
  readonly className: string;
  /** What other classes of the app call its namespace in `env`: `CHAT_ROOM`. */
  readonly binding: string;
  /** Directory of its instances under the storage directory. Generated; never chosen by a user, never shared. */
  readonly uniqueKey: string;
  /** JavaScript, ready to run. */
  readonly code: string;
  /** Variables by name; on `env`, beside the namespaces. */
  readonly env: Readonly<Record<string, string>>;
}

/** One function, from one file. */
export interface FunctionUnit {
  readonly name: string;
  readonly code: string;
  /** Which export answers: `handler`, or the module's default. */
  readonly entry: "handler" | "default";
  readonly env: Readonly<Record<string, string>>;
}

/** Where a request goes inside a program. */
export type Target =
  | { readonly kind: "actor"; readonly unit: string }
  | { readonly kind: "function"; readonly unit: string };

/** A request to user code. The door has removed what outsiders may not say and added what Ambit vouches for. */
export interface Exchange {
  /** Made by Ambit, unguessable; also the capability with which user code calls back during this request. */
  readonly requestId: string;
  readonly method: string;
  /** Path and query as user code sees them. For an actor `/_do/<class>/<instance>[/rest]`: the router reads it. */
  readonly path: string;
  /** Flat: name, value, name, value. Holds `host`; no hop-by-hop headers. */
  readonly headers: readonly string[];
  readonly body: Readable | Buffer | null;
  /** From the first byte sent to the last byte of the answer; null for no limit (streams). */
  readonly timeoutMs: number | null;
}

/** Changes the headers of user code's answer before the caller gets them; flat lists. */
export type OnHeaders = (status: number, headers: readonly string[]) => string[];

/** How an exchange is answered. */
export interface ForwardOptions {
  readonly onHeaders?: OnHeaders;
}

/** How an upgrade is answered. */
export interface UpgradeOptions {
  /** Named in the answer when the client offered sub-protocols and user code chose none. */
  readonly selectProtocol?: string;
  /** Of the answer, whether it is an upgrade or not. */
  readonly onHeaders?: OnHeaders;
  /** Aborted when the connection may not stand any more: closed with 1008 and the reason's message. */
  readonly signal?: AbortSignal;
}

/** How a forwarded request ended. */
export interface Outcome {
  /** What the caller was sent; 0 if it went away before. */
  readonly status: number;
  readonly durationMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly end: "answered" | "caller_gone" | "timeout" | "process_lost";
  /** User code asked to be heard for a while after its answer (`waitUntil`). */
  readonly waiting: boolean;
}

/** An answer for a caller inside Ambit. */
export interface Answer {
  readonly status: number;
  /** Flat, as it came. */
  readonly headers: readonly string[];
  readonly body: Readable;
}

/** A line user code logged. */
export interface LogLine {
  readonly level: "debug" | "info" | "log" | "warn" | "error";
  readonly message: string;
  readonly atMs: number;
}

/** One run of user code that logged something or failed. Runs without either are only counted. */
export interface TailEvent {
  readonly unit: string;
  readonly event: "fetch" | "alarm" | "websocket" | "rpc" | "other";
  readonly outcome: string;
  readonly atMs: number;
  readonly requestId: string | null;
  readonly method: string | null;
  /** Without its query. */
  readonly path: string | null;
  readonly status: number | null;
  /** 64 hexadecimal digits. */
  readonly actorId: string | null;
  readonly lines: readonly LogLine[];
  /** Stacks name lines of the emitted JavaScript. */
  readonly exceptions: readonly { name: string; message: string; stack: string | null; atMs: number }[];
}

/** Events of about 100 ms, and how many runs there were per unit and outcome. */
export interface TailBatch {
  readonly events: readonly TailEvent[];
  readonly runs: readonly { unit: string; event: TailEvent["event"]; outcome: string; count: number }[];
}

/** Why a process ended though nobody asked it to. */
export type Death = "crashed" | "unresponsive" | "memory" | "descriptors";

/** What the engine asks of those who use it. */
export interface EnginePorts {
  /** The program as it should run now; null when nothing is deployed. Called before every start and swap. */
  load(key: ProgramKey): Promise<Program | null>;
  /**
   * A request user code makes to Ambit itself over its own socket: data, other functions, other actors. `unit` is the
   * class that vouched for itself with its process's token, or null.
   */
  callback(key: ProgramKey, unit: string | null, request: IncomingMessage, response: ServerResponse): void;
  /** A request user code makes to the network; see `egress/`. */
  egress(key: ProgramKey): EgressRules;
  onTail(key: ProgramKey, batch: TailBatch): void;
  /** CPU time the process used since the last call. */
  onCpu(key: ProgramKey, ms: number): void;
  /** Bytes and requests the app exchanged with the network since the last call. */
  onEgress(key: ProgramKey, used: EgressUse): void;
  /** A process was lost; `inFlight` are the requests it had, oldest first, with their units. */
  onDeath(
    key: ProgramKey,
    death: Death,
    inFlight: readonly { requestId: string; unit: string }[],
    stderr: string,
  ): void;
}

/** What an app may reach. Private, loopback, link-local and metadata addresses never, unless the operator allows them. */
export interface EgressRules {
  /** Host names (`api.example.com`, `*.example.com`); null for every public host. */
  readonly allow: readonly string[] | null;
}

export interface EgressUse {
  readonly requests: number;
  readonly refused: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** What stands between user code and the host, as found on this machine. */
export interface SandboxReport {
  /** Runs as another user than Ambit. */
  readonly unprivileged: boolean;
  readonly namespaces: boolean;
  readonly networkOff: boolean;
  readonly seccomp: boolean;
  /** Dies with Ambit, whatever happens to Ambit. */
  readonly diesWithParent: boolean;
  readonly memory: "cgroup" | "watchdog";
  /** One line for each part the host lacks, with the mend. */
  readonly warnings: readonly string[];
}

export interface ProgramStatus {
  readonly key: ProgramKey;
  readonly state: "stopped" | "starting" | "running" | "swapping" | "stopping" | "failing";
  readonly revision: string | null;
  readonly pid: number | null;
  readonly startedAtMs: number | null;
  readonly rssBytes: number;
  readonly inFlight: number;
  readonly sockets: number;
  readonly restarts: number;
}

/** What the inspector inside a process can do to one instance. */
export type Inspection =
  | { readonly op: "kv_list"; readonly prefix?: string; readonly start?: string; readonly limit: number }
  | { readonly op: "kv_get"; readonly key: string }
  | { readonly op: "kv_put"; readonly key: string; readonly value: unknown }
  | { readonly op: "kv_delete"; readonly key: string }
  | { readonly op: "sql"; readonly sql: string; readonly params: readonly unknown[]; readonly limit: number }
  | { readonly op: "alarm" };

/** The engine: every program of this node, each in a process of its own. */
export interface WorkerdEngine {
  readonly sandbox: SandboxReport;
  /** Starts the program on empty storage and stops it again. Rejects with CanaryError when it does not start. */
  check(program: Program): Promise<void>;
  /**
   * Has a running process serve what `load` gives now: holds new requests, lets those under way finish, replaces the
   * process, releases. Sockets are closed with 1012. A sleeping program stays asleep. If the new one does not start,
   * the old one serves again and the promise rejects with CanaryError.
   */
  swap(key: ProgramKey): Promise<void>;
  /** Sends a request and streams the answer into `response`; starts the program if it sleeps. Never rejects. */
  forward(
    key: ProgramKey,
    target: Target,
    exchange: Exchange,
    response: ServerResponse,
    options?: ForwardOptions,
  ): Promise<Outcome>;
  /** Sends a request for a caller inside Ambit. Rejects with the errors of `errors.ts`. */
  request(key: ProgramKey, target: Target, exchange: Exchange, signal?: AbortSignal): Promise<Answer>;
  /** Connects a client's socket that asked for an upgrade. Resolves when the connection is over; never rejects. */
  upgrade(
    key: ProgramKey,
    target: Target,
    exchange: Exchange,
    socket: Duplex,
    head: Buffer,
    options?: UpgradeOptions,
  ): Promise<Outcome>;
  /** Runs inside the process of the class; `instance` is a name or an id. */
  inspect(
    key: ProgramKey,
    unit: string,
    instance: { name: string } | { id: string },
    inspection: Inspection,
  ): Promise<unknown>;
  /** The instance's id for a name: 64 hexadecimal digits. Pure in (uniqueKey, name). */
  idFromName(uniqueKey: string, name: string): string;
  /**
   * Holds the program's requests, stops its process, runs `work` on its storage directory while nobody else can,
   * and lets the requests go on.
   */
  exclusive<T>(key: ProgramKey, work: (storageDir: string) => Promise<T>): Promise<T>;
  /** Where the program's instances lie; only for looking at names, sizes and times. */
  storageDir(key: ProgramKey): string;
  status(key: ProgramKey): ProgramStatus;
  list(): readonly ProgramStatus[];
  /** Stops the program; with `destroy` its storage goes too. */
  remove(key: ProgramKey, options: { destroy: boolean }): Promise<void>;
  /** Finds programs on this node's disk with alarms that fall due, and sees to them. Called once at the start. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** A program that does not start: which unit, why, and where in the emitted JavaScript. */
export class CanaryError extends Error {
  readonly unit: string | null;
  readonly line: number | null;
  readonly column: number | null;

  constructor(
    message: string,
    at: { unit?: string | null; line?: number | null; column?: number | null } = {},
  ) {
    super(message);
    this.name = "CanaryError";
    this.unit = at.unit ?? null;
    this.line = at.line ?? null;
    this.column = at.column ?? null;
  }
}
