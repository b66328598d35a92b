import { same } from "./expressions.ts";
import type { Committed, Definition } from "./history.ts";

/** What happened since the last look that may make somebody load a table afresh. */
export class Causes {
  readonly #defined = new Set<string>();
  readonly #emptied = new Set<string>();
  #members = false;
  disturbed = false;

  /** To be told before the world takes the transaction over. */
  note({ definitions, rows }: Committed, before: (table: string) => Definition | undefined): void {
    for (const definition of definitions ?? []) {
      if (!same(before(definition.name), definition)) this.#defined.add(definition.name);
    }
    for (const { table, kind } of rows) {
      if (kind === "TRUNCATE") this.#emptied.add(table);
      if (table === "members") this.#members = true;
    }
  }

  /** Whether a resync of this table with this reason is one. */
  explain(reason: string, table: string): boolean {
    if (this.disturbed) return true;
    switch (reason) {
      case "truncated":
        return this.#emptied.has(table);
      case "policy_changed":
      case "table_changed":
        return this.#defined.has(table) || this.#defined.has("members");
      case "membership_changed":
      case "dependency_changed":
        return this.#members;
      default:
        return false;
    }
  }

  clear(): void {
    this.#defined.clear();
    this.#emptied.clear();
    this.#members = false;
    this.disturbed = false;
  }
}
