import type { Log } from "../../kernel/log.ts";
import { limits } from "./limits.ts";
import type { Memberships } from "./memberships.ts";
import type { CompiledRule } from "./policies/types.ts";
import type { ChangeEntry, EntryQueue } from "./queue.ts";
import type { Shape } from "./record.ts";
import type { RuleSource } from "./rule-source.ts";
import type { RoleWatchers } from "./subscriptions.ts";
import type { TableState } from "./table-state.ts";
import { sameRoleView, type TableView, VIEWER_ROLES, type ViewerRole } from "./table-view.ts";

/** What going over from SQL to an index needs of the channel it happens in. */
export interface CompilingPorts {
  readonly appId: string;
  readonly rules: RuleSource;
  readonly memberships: Memberships;
  readonly tables: ReadonlyMap<string, TableState>;
  readonly queue: EntryQueue;
  readonly log: Log;
  readonly closed: boolean;
  /** Changes whenever what waits was dropped. */
  readonly generation: number;
  /** Runs `work` behind everything that waits now. */
  run(work: () => Promise<void>): Promise<void>;
  /** Waits until queries see everything that was pushed. */
  settle(): Promise<void>;
  /** Resolves when everything committed before has been pushed. */
  mark(): Promise<void>;
  persist<T>(work: () => Promise<T>): Promise<T>;
  /** Makes the forms of these changes known, so that `shape` gives them. */
  prepare(entries: readonly ChangeEntry[]): Promise<void>;
  shape(entry: ChangeEntry): Shape;
}

/**
 * Takes the tables of a channel over from SQL to compiled policies. Until that is done, and wherever it can't be,
 * Postgres judges: both give the same answers, so the moment of going over shows to nobody.
 */
export class Compiling {
  readonly #ports: CompilingPorts;
  readonly #underway = new Set<RoleWatchers>();

  constructor(ports: CompilingPorts) {
    this.#ports = ports;
  }

  /** To be called when a table's view was read; `before` is the one it had. */
  viewRead(state: TableState, before: TableView | null): void {
    const view = state.view!;
    for (const role of VIEWER_ROLES) {
      const watchers = state.subscriptions.roles[role];
      const stays =
        before !== null && before.form === view.form && sameRoleView(before.roles[role], view.roles[role]);
      // What a policy means that reads other tables depends on their policies too.
      if (stays && watchers.index !== null && view.dependsOn.length === 0) continue;
      watchers.rule = null;
      watchers.judgeBy(null);
      if (typeof view.roles[role].rows !== "string") this.#begin(state, role);
    }
    this.prune();
  }

  /** Begins anew for a table that had to go back to SQL. */
  again(state: TableState): void {
    for (const role of VIEWER_ROLES) {
      const { index, rule } = state.subscriptions.roles[role];
      if (index === null && rule !== null) this.#begin(state, role);
    }
  }

  /** A compiled policy has decided otherwise than Postgres: nobody is judged by it any more. */
  distrusted(state: TableState, role: ViewerRole): void {
    const watchers = state.subscriptions.roles[role];
    watchers.rule = null;
    watchers.judgeBy(null);
    state.missed("viewers", "evaluation_failed");
  }

  #begin(state: TableState, role: ViewerRole): void {
    const watchers = state.subscriptions.roles[role];
    if (this.#underway.has(watchers)) return;
    this.#underway.add(watchers);
    this.#goOver(state, role)
      .catch((error) => {
        const { log, appId, closed } = this.#ports;
        watchers.rule = null;
        if (!closed) log.warn({ err: error, app: appId }, "realtime: a policy stays with SQL");
      })
      .finally(() => this.#underway.delete(watchers));
  }

  async #goOver(state: TableState, role: ViewerRole): Promise<void> {
    const { rules, appId, memberships, run, persist } = this.#ports;
    const watchers = state.subscriptions.roles[role];
    for (let attempt = 0; attempt < limits.memberLoads; attempt += 1) {
      const view = state.view!;
      const rule = await persist(async () => {
        const compiled = await rules.compiled(appId, view, role);
        // Policies that were changed before they were read have brought another view by the time this is used.
        await this.#ports.mark();
        return compiled;
      });
      // Another view was read meanwhile: its policies count.
      if (state.view !== view) continue;
      if (this.#ports.tables.get(state.table) !== state) return;
      watchers.rule = rule;
      if (rule === null) return;
      memberships.watch(rule);
      await run(async () => {
        if (state.view !== view || watchers.rule !== rule) return;
        if (await this.#loadMissing(rule)) {
          watchers.judgeBy(rule.index((source) => memberships.get(source)!));
        }
      });
      if (watchers.index !== null) return;
    }
    watchers.rule = null;
  }

  /** Reads the sets that are not there yet. False: what waits does not let them be placed exactly. */
  async #loadMissing(rule: CompiledRule): Promise<boolean> {
    const { rules, appId, memberships, queue, shape } = this.#ports;
    const missing = rule.sources.filter((source) => memberships.get(source) === undefined);
    if (missing.length === 0) return true;
    const { generation } = this.#ports;
    await this.#ports.settle();
    for (const source of missing) {
      const loaded = await this.#ports.persist(() => rules.members(appId, source));
      await this.#ports.persist(() => this.#ports.mark());
      const waiting = [...queue.waiting()].filter(
        (entry): entry is ChangeEntry => "relation" in entry && entry.table === source.table,
      );
      await this.#ports.persist(() => this.#ports.prepare(waiting));
      if (this.#ports.generation !== generation) return false;
      if (!memberships.load(rule.newSet(source), loaded, queue, shape)) return false;
      if (memberships.bytes > limits.membershipBytes) {
        this.#ports.log.warn(
          { app: appId, table: source.table },
          "realtime: too many members to hold; SQL judges",
        );
        memberships.drop(source);
        return false;
      }
    }
    return true;
  }

  /** Lets go of memberships that no table here uses any more. */
  prune(): void {
    const rules = [...this.#ports.tables.values()].flatMap(({ subscriptions: { roles } }) =>
      VIEWER_ROLES.flatMap((role) => roles[role].rule ?? []),
    );
    this.#ports.memberships.prune(rules);
  }
}
