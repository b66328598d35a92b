import type { IncomingMessage, ServerResponse } from "node:http";
import type { FunctionContext } from "../../engines/workerd/headers.ts";
import type {
  EgressRules,
  EgressUse,
  LogLine,
  Outcome,
  Program,
  ProgramKind,
  TailEvent,
  WorkerdEngine,
} from "../../engines/workerd/types.ts";
import type { Principal } from "../../kernel/principal.ts";

/** One request on its way through user code. Its id is the capability with which that code calls back. */
export interface Invocation {
  readonly requestId: string;
  readonly appId: string;
  readonly kind: ProgramKind;
  readonly unit: string;
  /** On whose behalf; callbacks act as this caller. */
  readonly principal: Principal;
  /** Function or class inside the app that called, or null. */
  readonly internalCaller: string | null;
  readonly loopDepth: number;
  readonly mayUseService: boolean;
  readonly trigger: FunctionContext["trigger"] | "actor";
  readonly method: string;
  /** Without its query. */
  readonly path: string;
  readonly startedAtMs: number;
  /** Set once it has been answered and only `waitUntil` goes on. */
  readonly endedAtMs: number | null;
}

/** The requests now inside user code, and those whose `waitUntil` may still call back. */
export interface Invocations {
  begin(invocation: Invocation): void;
  /** The invocation, if it belongs to this very program and is still under way or waiting. */
  find(appId: string, kind: ProgramKind, requestId: string): Invocation | null;
  /** Counts and logs it; afterwards it is only found while `outcome.waiting`, for 30 s. */
  end(requestId: string, outcome: Outcome): void;
}

/** What happened in one run of user code, or to its process. */
export interface LogEntry {
  /** Sorts by time. */
  readonly id: string;
  readonly atMs: number;
  readonly appId: string;
  readonly kind: ProgramKind;
  /** Empty for what concerns the whole program. */
  readonly unit: string;
  /** `process`: the process was lost. `notice`: Ambit says something about the log itself. */
  readonly event: TailEvent["event"] | "process" | "notice";
  readonly trigger: Invocation["trigger"] | null;
  readonly requestId: string | null;
  readonly method: string | null;
  /** Without its query. */
  readonly path: string | null;
  readonly status: number | null;
  readonly durationMs: number | null;
  /** `ok`, `error` (answered ≥ 500), `exception`, `timeout`, `caller_gone`, `process_lost`, or what workerd said. */
  readonly outcome: string;
  /** The stack names lines of the TypeScript source. */
  readonly error: LogError | null;
  readonly lines: readonly LogLine[];
  /** 64 hexadecimal digits, for actors. */
  readonly actorId: string | null;
}

export interface LogError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | null;
}

export interface LogQuery {
  readonly appId: string;
  readonly kind: ProgramKind;
  /** null for every unit. */
  readonly unit: string | null;
  readonly limit: number;
  /** Only entries at or after this time. */
  readonly sinceMs: number | null;
  readonly level: "error" | "all";
}

/** Month to date (UTC), current within a second. */
export interface Usage {
  readonly requests: number;
  readonly cpuMs: number;
  readonly units: readonly UnitUsage[];
}

export interface UnitUsage {
  readonly unit: string;
  readonly requests: number;
  readonly errors: number;
  readonly wallMs: number;
  /** The program's CPU time, apportioned by wall time: one process runs all units of a program. */
  readonly cpuMs: number;
}

/** Of one unit, since it was first deployed. */
export interface UnitCounters {
  readonly requests: number;
  readonly errors: number;
  readonly wallMs: number;
  readonly lastAtMs: number | null;
  readonly lastStatus: number | null;
}

/** How a feature's programs are made, and where their stacks lead. */
export interface ProgramSource {
  load(appId: string): Promise<Program | null>;
  sourceMap(appId: string, unit: string): Promise<{ fileName: string; sourceMap: string } | null>;
}

/** A request of user code to Ambit itself. `unit` is the class that vouched for itself, or null. */
export interface Callback {
  readonly appId: string;
  readonly kind: ProgramKind;
  readonly unit: string | null;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** Why a unit is not let run for now. */
export interface Blame {
  readonly untilMs: number;
  readonly reason: string;
}

/** What runs apps' code on this node, and what is known about its running. */
export interface RuntimeService {
  readonly engine: WorkerdEngine;
  /** A feature says how its programs are made and how its stacks are mapped. Once per kind, before the start. */
  provide(kind: ProgramKind, source: ProgramSource): void;
  /** The door that answers callbacks. */
  onCallback(handler: (call: Callback) => void): void;
  readonly invocations: Invocations;
  /** Makes this node the home of the app's actors; throws RUNTIME_ELSEWHERE when another one is. */
  claimHome(appId: string): Promise<void>;
  /** Newest first. */
  logs(query: LogQuery): Promise<{ entries: LogEntry[]; hasMore: boolean }>;
  /** Every entry as it is made on this node, also those that are not kept. Returns how to stop. */
  onLog(listener: (appId: string, entry: LogEntry) => void): () => void;
  usage(appId: string, kind: ProgramKind): Promise<Usage>;
  counters(appId: string, kind: ProgramKind): Promise<ReadonlyMap<string, UnitCounters>>;
  /** Requests to the network, month to date. */
  egressUse(appId: string): Promise<EgressUse>;
  getEgress(appId: string): Promise<EgressRules>;
  setEgress(appId: string, rules: EgressRules): Promise<void>;
  /** Whether runs of the app's code are logged, not only counted: what `Program.logs` says. */
  logsEnabled(appId: string): Promise<boolean>;
  /** Has running programs begin or cease to log; their sockets are closed with 1012. */
  setLogsEnabled(appId: string, enabled: boolean): Promise<void>;
  /** Whether the unit has lately brought its process down so often that it is not run for now. */
  blamed(appId: string, kind: ProgramKind, unit: string): Blame | null;
  /** Forgets a unit's blame: it has been deployed anew. */
  pardon(appId: string, kind: ProgramKind, unit: string): void;
  /** Writes what is only in memory: logs and usage. */
  flush(): Promise<void>;
  /** The app was deleted: stops its programs and removes their storage. */
  forget(appId: string): Promise<void>;
}
