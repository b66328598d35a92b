import type { Row } from "./expressions.ts";
import { same } from "./expressions.ts";
import type { Committed } from "./history.ts";
import type { Due, World } from "./truth.ts";
import type { Initial, Watch } from "./watch.ts";

/**
 * Whether the current rows a subscription began with and the changes that followed fit together: what was committed
 * around that time is either in the rows or comes as changes, never both and never neither.
 */
export class InitialCheck {
  readonly watch: Watch;
  readonly initial: Initial;
  /** What has to be in the rows, as far as the log has been read. */
  #expected: Map<string, Row> | null = null;
  /** What may be seen changed just then: the rows may be of before or of after. */
  #unclear = false;

  constructor(watch: Watch, initial: Initial) {
    this.watch = watch;
    this.initial = initial;
  }

  /** Before the world takes the next transaction over, or when there is none: what is in the rows for certain. */
  begin(world: World, next: string | null): void {
    if (this.#expected !== null || (next !== null && next <= this.initial.from)) return;
    this.#expected = new Map(world.view(this.watch.wish, this.watch.looker));
  }

  /** The world has taken it over; `due` of it was to be sent, and `got` of it was. */
  follow(
    { lsn, definitions, rows }: Committed,
    due: readonly Due[],
    got: readonly Due[],
    world: World,
  ): void {
    const expected = this.#expected;
    if (expected === null || lsn > this.initial.to) return;
    const { table } = this.watch.wish;
    if (definitions !== null || rows.some((row) => row.table === "members" || row.kind === "TRUNCATE"))
      this.#unclear = true;
    // What came as changes was not in the rows.
    if (got.length > 0) return;
    for (const { record, old_record } of due) {
      if (old_record !== null) expected.delete(world.keyOf(table, old_record));
      if (record !== null) expected.set(world.keyOf(table, record), record);
    }
  }

  /** The rows that should have come, if they did not and if that can be said. */
  wrong(world: World): Map<string, Row> | null {
    const { initial, watch } = this;
    if (initial.over || this.#unclear || this.#expected === null) return null;
    const got = new Map(initial.rows.map((row) => [world.keyOf(watch.wish.table, row), row]));
    return got.size === initial.rows.length && same(got, this.#expected) ? null : this.#expected;
  }
}
