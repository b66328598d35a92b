import type { Expression, Looker, Row, Surroundings } from "./expressions.ts";
import { same } from "./expressions.ts";
import type { FilterSpec } from "./filters.ts";
import type { Committed, Definition, Happened } from "./history.ts";
import type { PolicySpec } from "./policies.ts";

/** What a subscription asks for. */
export interface Wish {
  readonly table: string;
  /** Any of these; null for every row. */
  readonly filters: readonly FilterSpec[] | null;
  readonly columns: readonly string[] | null;
}

/** A change as a client has to see it. */
export interface Due {
  readonly op: "INSERT" | "UPDATE" | "DELETE";
  readonly reason: "enter" | "leave" | undefined;
  readonly record: Row | null;
  readonly old_record: Row | null;
}

interface TableTruth {
  definition: Definition;
  readonly rows: Map<string, Row>;
}

/** The app as it is at one place of the log, and who may see what of it then: the second implementation. */
export class World implements Surroundings {
  readonly keys: Readonly<Record<string, readonly string[]>>;
  readonly #tables = new Map<string, TableTruth>();
  /** By name, the conditions that a policy has been given, in order. */
  readonly #specs = new Map<string, { readonly specs: PolicySpec[]; at: number; using: string | null }>();

  constructor(keys: Readonly<Record<string, readonly string[]>>) {
    this.keys = keys;
  }

  /** A policy was or will be given this condition; told before it can happen. */
  announce(spec: PolicySpec): void {
    const known = this.#specs.get(spec.name);
    if (known === undefined) this.#specs.set(spec.name, { specs: [spec], at: 0, using: null });
    else known.specs.push(spec);
  }

  /** The condition last announced did not come to be. */
  takeBack(name: string): void {
    this.#specs.get(name)?.specs.pop();
  }

  start(definitions: readonly Definition[], rows: Readonly<Record<string, readonly Row[]>>): void {
    this.#define(definitions);
    for (const [table, found] of Object.entries(rows)) {
      const { rows: kept } = this.#tables.get(table)!;
      kept.clear();
      for (const row of found) kept.set(this.keyOf(table, row), row);
    }
  }

  /** Goes on to the place behind a transaction. */
  take({ definitions, rows }: Committed): void {
    if (definitions !== null) this.#define(definitions);
    for (const row of rows) this.#apply(row);
  }

  keyOf(table: string, row: Row): string {
    return JSON.stringify(this.keys[table]!.map((column) => row[column]));
  }

  definition(table: string): Definition | undefined {
    return this.#tables.get(table)?.definition;
  }

  visible(table: string, looker: Looker): readonly Row[] {
    return [...this.#tables.get(table)!.rows.values()].filter((row) => this.sees(table, row, looker));
  }

  /** Whether row-level security shows them the row. */
  sees(table: string, row: Row, looker: Looker): boolean {
    const { rls, policies } = this.definition(table)!;
    if (looker.role === "service" || !rls) return true;
    const role = `butterbase_${looker.role}`;
    const applying = policies.filter(
      ({ command, roles }) =>
        (command === "ALL" || command === "SELECT") && (roles.includes(role) || roles.includes("public")),
    );
    const holds = ({ name }: { name: string }) => this.#condition(name).holds(row, looker, this) === true;
    return (
      applying.some((policy) => policy.permissive && holds(policy)) &&
      applying.every((policy) => policy.permissive || holds(policy))
    );
  }

  /** Whether it is in the view of a subscription. */
  inView(wish: Wish, row: Row, looker: Looker): boolean {
    return this.sees(wish.table, row, looker) && (wish.filters?.some((filter) => filter.test(row)) ?? true);
  }

  /** Columns that a subscription carries. */
  carried({ table, columns }: Wish, looker: Looker): readonly string[] {
    const { columns: present, readable } = this.definition(table)!;
    const may = looker.role === "service" ? present : readable[looker.role];
    const keys = this.keys[table]!;
    return may.filter((column) => columns === null || columns.includes(column) || keys.includes(column));
  }

  shown(wish: Wish, row: Row, looker: Looker): Row {
    return Object.fromEntries(this.carried(wish, looker).map((column) => [column, row[column] ?? null]));
  }

  /** Everything a subscription has in view here, by key. */
  view(wish: Wish, looker: Looker): Map<string, Row> {
    const rows = [...this.#tables.get(wish.table)!.rows.values()].filter((row) =>
      this.inView(wish, row, looker),
    );
    return new Map(rows.map((row) => [this.keyOf(wish.table, row), this.shown(wish, row, looker)]));
  }

  /** What a change is to a subscription, judged by what holds here; null for nothing. */
  due(wish: Wish, { kind, old, new: after }: Happened, looker: Looker): Due | null {
    const before = old !== null && this.inView(wish, old, looker);
    const now = after !== null && this.inView(wish, after, looker);
    const shown = (row: Row) => this.shown(wish, row, looker);
    if (before && now) {
      const due = { op: "UPDATE", reason: undefined, record: shown(after), old_record: shown(old) } as const;
      // That something changed which is not carried is nobody's business.
      return same(due.record, due.old_record) ? null : due;
    }
    if (now) {
      return {
        op: "INSERT",
        reason: kind === "INSERT" ? undefined : "enter",
        record: shown(after),
        old_record: null,
      };
    }
    if (!before) return null;
    return {
      op: "DELETE",
      reason: kind === "DELETE" ? undefined : "leave",
      record: null,
      old_record: shown(old),
    };
  }

  #condition(name: string): Expression {
    const known = this.#specs.get(name);
    if (known === undefined) throw new Error(`the suite knows no policy ${name}`);
    return known.specs[known.at]!.using;
  }

  #define(definitions: readonly Definition[]): void {
    for (const definition of definitions) {
      for (const { name, using } of definition.policies) {
        const known = this.#specs.get(name);
        if (known === undefined) continue;
        if (known.using !== null && known.using !== using) known.at += 1;
        known.using = using;
      }
      if (this.keys[definition.name] === undefined) continue;
      const table = this.#tables.get(definition.name);
      if (table === undefined) this.#tables.set(definition.name, { definition, rows: new Map() });
      else {
        table.definition = definition;
        this.#reshape(table);
      }
    }
  }

  /** Rows that were there get new columns and lose dropped ones, without a change of their own. */
  #reshape({ definition, rows }: TableTruth): void {
    for (const [key, row] of rows) {
      rows.set(key, Object.fromEntries(definition.columns.map((column) => [column, row[column] ?? null])));
    }
  }

  #apply({ kind, table, old, new: after }: Happened): void {
    const rows = this.#tables.get(table)?.rows;
    if (rows === undefined) return;
    if (kind === "TRUNCATE") rows.clear();
    if (old !== null) rows.delete(this.keyOf(table, old));
    if (after !== null) rows.set(this.keyOf(table, after), after);
  }
}
