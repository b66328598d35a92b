import type { Row } from "../../engines/postgres/replication/pgoutput.ts";
import type { FilterJudge } from "./filters/judge.ts";
import type { RowFilter } from "./filters/types.ts";
import { readerOf } from "./images.ts";
import type { RowReader } from "./policies/types.ts";
import type { ChangeEntry } from "./queue.ts";
import type { Shape } from "./record.ts";
import type { TableState } from "./table-state.ts";
import type { TableView } from "./table-view.ts";

/** What filters say of the rows of one batch: by themselves, or as Postgres has answered for those that need it. */
export class FilterVerdicts {
  readonly #answers = new Map<string, Map<Row, boolean | null>>();

  /** Keeps Postgres' answer: null when there was none. */
  keep(filter: RowFilter, row: Row, answer: boolean | null): void {
    const ofFilter = this.#answers.get(filter.key) ?? new Map<Row, boolean | null>();
    this.#answers.set(filter.key, ofFilter.set(row, answer));
  }

  /** Whether any filter lets the row through; null if that is not known. */
  passes(filters: readonly RowFilter[] | null, reader: RowReader | null, row: Row | null): boolean | null {
    if (filters === null) return true;
    if (reader === null || row === null) return false;
    let unknown = false;
    for (const filter of filters) {
      const own = filter.test(reader);
      const verdict = own === "sql" ? (this.#answers.get(filter.key)?.get(row) ?? null) : own;
      if (verdict === true) return true;
      if (verdict === null) unknown = true;
    }
    return unknown ? null : false;
  }
}

/** One table's rows that some filters can't judge themselves. */
interface Open {
  readonly view: TableView;
  readonly filters: readonly RowFilter[];
  readonly rows: Set<Row>;
  readonly cells: (string | null)[][];
}

/**
 * Has Postgres say, once per table, what the filters of its subscriptions (or `only` these) say of these changes'
 * rows, where they can't say it themselves.
 */
export async function decideFilters(
  changes: readonly { readonly entry: ChangeEntry; readonly state: TableState }[],
  ports: {
    readonly asker: FilterJudge;
    readonly appId: string;
    shape(entry: ChangeEntry): Shape;
    readonly only?: readonly RowFilter[];
  },
): Promise<FilterVerdicts> {
  const verdicts = new FilterVerdicts();
  const open = new Map<TableState, Open>();
  for (const { entry, state } of changes) {
    const filters = (ports.only ?? state.subscriptions.sqlFilters()).filter((filter) => filter.needsSql);
    if (filters.length === 0) continue;
    const ofTable = open.get(state) ?? { view: state.view!, filters, rows: new Set(), cells: [] };
    open.set(state, ofTable);
    const shape = ports.shape(entry);
    for (const row of [entry.old, entry.new]) if (row !== null) add(ofTable, row, readerOf(row, shape));
  }
  for (const { view, filters, rows, cells } of open.values()) {
    if (cells.length === 0) continue;
    const answers = await ports.asker.judge(ports.appId, view, filters, cells);
    const list = [...rows];
    for (const [at, filter] of filters.entries()) {
      for (const [index, row] of list.entries()) verdicts.keep(filter, row, answers[at]?.[index] ?? null);
    }
  }
  return verdicts;
}

/** A row with a value missing is left out: no answer is kept for it, and nothing is shown. */
function add({ view, filters, rows, cells }: Open, row: Row, reader: RowReader): void {
  if (rows.has(row) || !filters.some((filter) => filter.test(reader) === "sql")) return;
  const texts = view.columnTypes.map(({ name }) => reader(name));
  if (texts.some((text) => text === undefined)) return;
  rows.add(row);
  cells.push(texts as (string | null)[]);
}
