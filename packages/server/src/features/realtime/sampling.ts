import type { Row } from "../../engines/postgres/replication/pgoutput.ts";
import type { ChannelPorts } from "./channel.ts";
import { readerOf } from "./images.ts";
import { limits } from "./limits.ts";
import type { ChangeEntry } from "./queue.ts";
import type { Shape } from "./record.ts";
import type { Group } from "./subscriptions.ts";
import type { TableState } from "./table-state.ts";
import { type Rule, VIEWER_ROLES, type ViewerRole } from "./table-view.ts";

/** What a sample needs of the channel it is taken in. */
export interface SamplingPorts {
  /** The last place at which a table changed, as far as the log has been read. */
  lastTouch(table: string): number;
  /** The place up to which changes have been delivered. */
  position(): number;
  /** A table, grant or policy was changed at a place that was not delivered yet. */
  noticeWaits(): boolean;
  /** Resolves when queries see everything the log has shown. */
  settle(): Promise<void>;
  /** The compiled policies of this table and role are wrong. */
  distrust(state: TableState, role: ViewerRole): void;
}

/** Some callers, some rows, and what the compiled policies said of each pair. */
interface Sample {
  readonly state: TableState;
  readonly role: ViewerRole;
  readonly rule: Rule;
  readonly groups: readonly Group[];
  readonly rows: readonly (readonly (string | null)[])[];
  /** Per group a `1` or `0` per row. */
  readonly verdicts: readonly string[];
  /** Tables whose later change makes the comparison worthless. */
  readonly reads: readonly string[];
}

type SampledChannel = Pick<ChannelPorts, "appId" | "judge" | "mark" | "rules" | "metrics" | "log" | "clock">;

/** Asks Postgres now and then about what compiled policies have just decided; on a difference they are given up. */
export class Sampling {
  readonly #channel: SampledChannel;
  readonly #ports: SamplingPorts;
  #lastMs = Number.NEGATIVE_INFINITY;
  #turn = 0;

  constructor(channel: SampledChannel, ports: SamplingPorts) {
    this.#channel = channel;
    this.#ports = ports;
  }

  /** To be called when these changes have been delivered. Never waits. */
  take(
    changes: readonly { readonly entry: ChangeEntry; readonly state: TableState }[],
    shape: (entry: ChangeEntry) => Shape,
  ): void {
    const nowMs = this.#channel.clock();
    if (changes.length === 0 || nowMs - this.#lastMs < limits.sampleMs) return;
    this.#turn += 1;
    const { entry, state } = changes[this.#turn % changes.length]!;
    for (const role of VIEWER_ROLES) {
      const sample = this.#sampleOf(state, role, entry, shape(entry));
      if (sample === null) continue;
      this.#lastMs = nowMs;
      this.#check(sample).catch((error) => {
        this.#channel.log.warn(
          { err: error, app: this.#channel.appId },
          "realtime: a sample was not checked",
        );
      });
    }
  }

  #sampleOf(state: TableState, role: ViewerRole, entry: ChangeEntry, shape: Shape): Sample | null {
    const { index, groups, bySql } = state.subscriptions.roles[role];
    const { rows: rule } = state.view!.roles[role];
    if (index === null || typeof rule === "string" || entry.seq < state.blindBefore) return null;
    const rows = [entry.old, entry.new].filter((row) => row !== null);
    const cells = rows.map((row) => cellsOf(rule, row, shape));
    if (cells.some((row) => row === null)) return null;
    const readers = rows.map((row) => readerOf(row, shape));
    const seeing = readers.flatMap((reader) => firstOf(index.seeing(reader) ?? []));
    const chosen = [...new Set([...seeing, ...someOf([...groups.values()], this.#turn)])].filter(
      (group) => !bySql.has(group),
    );
    const verdicts = chosen.map(({ identity }) =>
      readers.map((reader) => (index.sees(identity, reader) === true ? "1" : "0")).join(""),
    );
    if (chosen.length === 0) return null;
    const reads = state.view!.dependsOn;
    return { state, role, rule, groups: chosen, rows: cells as (string | null)[][], verdicts, reads };
  }

  async #check({ state, role, rule, groups, rows, verdicts, reads }: Sample): Promise<void> {
    const { appId, judge, mark, rules, metrics, log } = this.#channel;
    const watchers = state.subscriptions.roles[role];
    const compiled = watchers.rule;
    // A change that was read but not delivered yet is known to Postgres and not to the index.
    if (reads.some((table) => this.#ports.lastTouch(table) > this.#ports.position())) return;
    const touches = () => reads.map((table) => this.#ports.lastTouch(table)).join();
    const before = touches();
    if (reads.length > 0) await this.#ports.settle();
    const identities = groups.map((group) => group.identity);
    const answers = await judge.judge({ appId, role, rule, identities, rows });
    if (reads.length > 0) await mark();
    // What Postgres says by then may be by other policies of those tables.
    if (touches() !== before || this.#ports.noticeWaits()) return;
    metrics.samples.inc();
    const at = answers.findIndex((answer, index) => answer !== null && answer !== verdicts[index]);
    if (at < 0 || compiled === null || watchers.rule !== compiled) return;
    metrics.mismatches.inc();
    log.error(
      { app: appId, table: state.table, role, rule: rule.query },
      "realtime: compiled policies differ from Postgres; Postgres judges from here on",
    );
    rules.distrust(compiled);
    this.#ports.distrust(state, role);
  }
}

function cellsOf(rule: Rule, row: Row, shape: Shape): (string | null)[] | null {
  const reader = readerOf(row, shape);
  const cells = rule.columns.map(reader);
  return cells.some((cell) => cell === undefined) ? null : (cells as (string | null)[]);
}

function firstOf(groups: Iterable<Group>): Group[] {
  const first: Group[] = [];
  for (const group of groups) {
    if (first.length >= limits.sampleIdentities / 4) break;
    first.push(group);
  }
  return first;
}

/** Some of them, others at each turn. */
function someOf(groups: readonly Group[], turn: number): Group[] {
  const step = Math.max(1, Math.floor(groups.length / (limits.sampleIdentities / 2)));
  return groups.filter((_group, at) => (at + turn) % step === 0).slice(0, limits.sampleIdentities / 2);
}
