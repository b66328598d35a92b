import { same } from "./expressions.ts";
import type { Committed, Definition } from "./history.ts";

/** Something that may make somebody load a table afresh. */
interface Cause {
  readonly lsn: string;
  readonly kind: "defined" | "noticed" | "emptied" | "members";
  readonly table: string;
}

/** What happened that may make somebody load a table afresh. */
export class Causes {
  readonly #all: Cause[] = [];
  /** Of those, what happened before the last look. */
  #before = 0;
  #everDisturbed = false;
  #disturbed = false;

  /** To be told before the world takes the transaction over. */
  note({ lsn, definitions, rows }: Committed, before: (table: string) => Definition | undefined): void {
    const add = (kind: Cause["kind"], table: string) => this.#all.push({ lsn, kind, table });
    if (definitions !== null) add("noticed", "");
    for (const definition of definitions ?? []) {
      if (!same(before(definition.name), definition)) add("defined", definition.name);
    }
    for (const { table, kind } of rows) {
      if (kind === "TRUNCATE") add("emptied", table);
      if (table === "members") add("members", table);
    }
  }

  /** Something was done to the server, the database or the slots: until the next look that explains everything. */
  disturb(): void {
    this.#disturbed = true;
    this.#everDisturbed = true;
  }

  /**
   * Whether a resync of this table with this reason is one. `since`: the place from which the client wanted to go on,
   * which may be long before the last look; null if it was told while it was there.
   */
  explain(reason: string, table: string, since: string | null): boolean {
    if (this.#disturbed || (since !== null && this.#everDisturbed)) return true;
    const found = this.#all.filter(({ lsn }, at) => at >= this.#before || (since !== null && lsn >= since));
    const some = (kind: Cause["kind"], ...tables: string[]) =>
      found.some((cause) => cause.kind === kind && (tables.length === 0 || tables.includes(cause.table)));
    switch (reason) {
      case "truncated":
        return some("emptied", table);
      case "policy_changed":
        // Rows between two changes of the app's policies can't be judged, whichever tables those were of.
        return some("noticed");
      case "table_changed":
        return some("defined", table, "members");
      case "table_enabled":
        // What its policies read is in the log only from a place behind the first policy that reads it.
        return some("noticed");
      case "membership_changed":
        return some("members");
      case "dependency_changed":
        // Between a first policy that reads them and the place from which the log has them, nobody can say.
        return some("members") || some("noticed");
      default:
        return false;
    }
  }

  /** Everything up to here has been looked at. */
  clear(): void {
    this.#before = this.#all.length;
    this.#disturbed = false;
  }
}
