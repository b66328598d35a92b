import type { Database } from "../../engines/postgres/database.ts";
import type { EgressUse, Outcome, ProgramKind } from "../../engines/workerd/types.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { apportionCpu, monthOf, nextMonthMs } from "./apportion.ts";
import { limits } from "./limits.ts";
import type { RuntimeMetrics } from "./metrics.ts";
import { failed } from "./outcome.ts";
import { addUsage, selectEgressUse, selectUsage, type UsageDelta } from "./store.ts";
import type { Invocation, UnitCounters, Usage } from "./types.ts";

export interface UsageCounters {
  /** One request answered. In memory only; written within a second. */
  add(invocation: Invocation, outcome: Outcome): void;
  addCpu(appId: string, kind: ProgramKind, ms: number): void;
  addEgress(appId: string, kind: ProgramKind, use: EgressUse): void;
  /** What is in memory is in the database when the promise resolves; rejects, and keeps it, when that fails. */
  flush(): Promise<void>;
  usage(appId: string, kind: ProgramKind): Promise<Usage>;
  counters(appId: string, kind: ProgramKind): Promise<ReadonlyMap<string, UnitCounters>>;
  egressUse(appId: string): Promise<EgressUse>;
}

/** The row of the program itself. */
const PROGRAM = "";

/** What has happened since the last write, by program, month and unit. */
class Deltas {
  #pending = new Map<string, Map<string, UsageDelta>>();
  #month: string;
  #monthEndsMs: number;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#month = monthOf(clock());
    this.#monthEndsMs = nextMonthMs(clock());
  }

  /** The delta of the month that runs. Called for every request. */
  current(appId: string, kind: ProgramKind, unit: string): UsageDelta {
    const nowMs = this.#clock();
    if (nowMs >= this.#monthEndsMs) {
      this.#month = monthOf(nowMs);
      this.#monthEndsMs = nextMonthMs(nowMs);
    }
    return this.#of(appId, kind, unit, this.#month);
  }

  take(): UsageDelta[] {
    const taken = this.#pending;
    this.#pending = new Map();
    return [...taken.values()].flatMap((units) => [...units.values()]);
  }

  /** Adds what could not be written to what has come in since. */
  giveBack(deltas: readonly UsageDelta[]): void {
    for (const delta of deltas) merge(this.#of(delta.app_id, delta.kind, delta.unit, delta.month), delta);
  }

  #of(appId: string, kind: ProgramKind, unit: string, month: string): UsageDelta {
    const program = `${month}/${kind}/${appId}`;
    const units = this.#pending.get(program) ?? new Map<string, UsageDelta>();
    const known = units.get(unit);
    if (known !== undefined) return known;
    const delta = emptyDelta(appId, kind, unit, month);
    this.#pending.set(program, units.set(unit, delta));
    return delta;
  }
}

export function createUsage(
  database: Database,
  clock: Clock,
  log: Log,
  metrics: RuntimeMetrics,
): UsageCounters {
  const pending = new Deltas(clock);
  let timer: NodeJS.Timeout | null = null;
  let writing: Promise<void> = Promise.resolve();

  const now = (appId: string, kind: ProgramKind, unit: string): UsageDelta => {
    timer ??= setTimeout(() => void flush().catch(() => {}), limits.usageWriteMs).unref();
    return pending.current(appId, kind, unit);
  };
  const write = async () => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    const deltas = pending.take();
    if (deltas.length === 0) return;
    try {
      await addUsage(database, deltas);
    } catch (error) {
      pending.giveBack(deltas);
      timer ??= setTimeout(() => void flush().catch(() => {}), limits.usageWriteMs).unref();
      log.warn({ error: String(error) }, "usage could not be written; it is kept for the next try");
      throw error;
    }
    for (const delta of deltas) metrics.count(delta);
  };
  // Writes go one after the other, so that a reader who waits for its own write has waited for all before.
  const flush = () => {
    writing = writing.catch(() => {}).then(write);
    return writing;
  };
  const read = async (appId: string, kind: ProgramKind, month: string | null) => {
    await flush();
    return selectUsage(database, appId, kind, month);
  };

  return {
    add: (invocation, outcome) =>
      count(now(invocation.appId, invocation.kind, invocation.unit), invocation, outcome),
    addCpu(appId, kind, ms) {
      now(appId, kind, PROGRAM).cpu_ms += ms;
    },
    addEgress: (appId, kind, use) => countEgress(now(appId, kind, PROGRAM), use),
    flush,
    usage: async (appId, kind) => present(await read(appId, kind, monthOf(clock()))),
    async counters(appId, kind) {
      const rows = await read(appId, kind, null);
      return new Map(rows.filter(({ unit }) => unit !== PROGRAM).map((row) => [row.unit, counted(row)]));
    },
    async egressUse(appId) {
      await flush();
      const row = await selectEgressUse(database, appId, monthOf(clock()));
      return { requests: row.requests, refused: row.refused, bytesIn: row.bytes_in, bytesOut: row.bytes_out };
    },
  };
}

function count(delta: UsageDelta, invocation: Invocation, outcome: Outcome): void {
  delta.requests += 1;
  if (failed(outcome)) delta.errors += 1;
  // A WebSocket is open for hours without anything running.
  if (outcome.status !== 101) delta.wall_ms += outcome.durationMs || 0;
  delta.last_at_ms = invocation.startedAtMs;
  delta.last_status = outcome.status;
}

function countEgress(delta: UsageDelta, use: EgressUse): void {
  delta.egress_requests += use.requests;
  delta.egress_refused += use.refused;
  delta.egress_bytes_in += use.bytesIn;
  delta.egress_bytes_out += use.bytesOut;
}

type Row = Awaited<ReturnType<typeof selectUsage>>[number];

function present(rows: readonly Row[]): Usage {
  const cpuMs = rows.find(({ unit }) => unit === PROGRAM)?.cpu_ms ?? 0;
  const units = rows
    .filter(({ unit }) => unit !== PROGRAM)
    .map(({ unit, requests, errors, wall_ms }) => ({ unit, requests, errors, wallMs: Math.round(wall_ms) }));
  const shares = apportionCpu(cpuMs, units);
  return {
    requests: units.reduce((sum, { requests }) => sum + requests, 0),
    cpuMs: Math.round(cpuMs),
    units: units.map((unit, i) => ({ ...unit, cpuMs: Math.round(shares[i]! * 10) / 10 })),
  };
}

function counted(row: Row): UnitCounters {
  return {
    requests: row.requests,
    errors: row.errors,
    wallMs: Math.round(row.wall_ms),
    lastAtMs: row.last_at?.getTime() ?? null,
    lastStatus: row.last_status,
  };
}

function emptyDelta(appId: string, kind: ProgramKind, unit: string, month: string): UsageDelta {
  const sums = { requests: 0, errors: 0, wall_ms: 0, cpu_ms: 0 };
  const egress = { egress_requests: 0, egress_refused: 0, egress_bytes_in: 0, egress_bytes_out: 0 };
  return { app_id: appId, kind, unit, month, ...sums, ...egress, last_at_ms: null, last_status: null };
}

/** Adds the earlier delta to the later one, whose last request stays the last. */
function merge(into: UsageDelta, from: UsageDelta): void {
  into.requests += from.requests;
  into.errors += from.errors;
  into.wall_ms += from.wall_ms;
  into.cpu_ms += from.cpu_ms;
  into.egress_requests += from.egress_requests;
  into.egress_refused += from.egress_refused;
  into.egress_bytes_in += from.egress_bytes_in;
  into.egress_bytes_out += from.egress_bytes_out;
  into.last_at_ms ??= from.last_at_ms;
  into.last_status ??= from.last_status;
}
