import type { Row } from "../../engines/postgres/replication/pgoutput.ts";
import { UNCHANGED } from "../../engines/postgres/replication/pgoutput.ts";
import type { Judge, Verdict } from "./judge.ts";
import type { ChangeEntry } from "./queue.ts";
import type { Shape } from "./record.ts";
import type { Group } from "./subscriptions.ts";
import type { TableState } from "./table-state.ts";
import { type Rule, VIEWER_ROLES, type ViewerRole } from "./table-view.ts";

/** Whether somebody sees a row: yes, no, or it could not be decided. */
export type Sight = boolean | null;

/**
 * The verdicts over the rows of one batch, for one table and role. Rows that agree in the columns the rule reads
 * share one verdict, so most batches come down to a few rows.
 */
export class Verdicts {
  readonly rule: Rule;
  readonly #shape: (change: ChangeEntry) => Shape;
  readonly #rows: (string | null)[][] = [];
  readonly #indexes = new Map<string, number>();
  readonly #indexOf = new Map<Row, number | null>();
  readonly #verdictOf = new Map<Group, Verdict>();

  constructor(rule: Rule, shape: (change: ChangeEntry) => Shape) {
    this.rule = rule;
    this.#shape = shape;
  }

  add(change: ChangeEntry): void {
    const shape = this.#shape(change);
    if (change.old !== null) this.#addRow(change.old, shape);
    if (change.new !== null) this.#addRow(change.new, shape);
  }

  async decide(judge: Judge, appId: string, role: ViewerRole, groups: readonly Group[]): Promise<void> {
    for (const group of groups) this.#verdictOf.set(group, null);
    if (this.#rows.length === 0) return;
    const identities = groups.map((group) => group.identity);
    const verdicts = await judge.judge({ appId, role, rule: this.rule, identities, rows: this.#rows });
    for (const [at, group] of groups.entries()) this.#verdictOf.set(group, verdicts[at] ?? null);
  }

  /** Postgres was asked about this caller. */
  knows(group: Group): boolean {
    return this.#verdictOf.has(group);
  }

  /** The verdict over a row, by caller. */
  on(row: Row): (group: Group) => Sight {
    const index = this.#indexOf.get(row) ?? null;
    if (index === null) return () => null;
    return (group) => {
      const verdict = this.#verdictOf.get(group) ?? null;
      return verdict === null ? null : verdict[index] === "1";
    };
  }

  #addRow(row: Row, shape: Shape): void {
    const cells: (string | null)[] = [];
    for (const column of this.rule.columns) {
      const at = shape.at(column);
      const text = at === undefined ? undefined : row[at];
      if (text === undefined || text === UNCHANGED) {
        this.#indexOf.set(row, null);
        return;
      }
      cells.push(text);
    }
    const key = JSON.stringify(cells);
    let index = this.#indexes.get(key);
    if (index === undefined) {
      index = this.#rows.push(cells) - 1;
      this.#indexes.set(key, index);
    }
    this.#indexOf.set(row, index);
  }
}

/** Verdicts for every table and role of a batch of which some callers can only be judged by Postgres. */
export async function decideAll(
  changes: readonly { readonly entry: ChangeEntry; readonly state: TableState }[],
  { judge, appId, shape }: { judge: Judge; appId: string; shape: (change: ChangeEntry) => Shape },
): Promise<Map<TableState, Map<ViewerRole, Verdicts>>> {
  const all = new Map<TableState, Map<ViewerRole, Verdicts>>();
  for (const { entry, state } of changes) {
    let ofTable = all.get(state);
    if (ofTable === undefined) {
      ofTable = new Map();
      all.set(state, ofTable);
      for (const role of VIEWER_ROLES) {
        const { rows } = state.view!.roles[role];
        const { bySql } = state.subscriptions.roles[role];
        if (bySql.size > 0 && typeof rows !== "string") ofTable.set(role, new Verdicts(rows, shape));
      }
    }
    for (const verdicts of ofTable.values()) verdicts.add(entry);
  }
  for (const [state, ofTable] of all) {
    for (const [role, verdicts] of ofTable) {
      await verdicts.decide(judge, appId, role, [...state.subscriptions.roles[role].bySql]);
    }
  }
  return all;
}
