import type { Database } from "../../../engines/postgres/database.ts";
import { describePgError } from "../../../engines/postgres/pg-errors.ts";
import { quoteIdent } from "../../../engines/postgres/quote.ts";
import { tenantRole } from "../../../engines/postgres/tenant.ts";
import type { Clock } from "../../../kernel/clock.ts";
import { translatePgError } from "../../data/service.ts";
import { arrayText } from "../array-text.ts";
import { CANCELED } from "../judge.ts";
import { limits } from "../limits.ts";
import { askOfRows } from "../logged-rows.ts";
import { filterLimits } from "./limits.ts";
import type { FilterColumn, RowFilter } from "./types.ts";

/** The rows' table, as far as filters go: its columns in the order in which rows have their texts. */
export interface JudgedTable {
  readonly table: string;
  readonly columnTypes: readonly Pick<FilterColumn, "name" | "type">[];
}

/** A row's texts, in the order of the table's columns. */
type Cells = readonly (string | null)[];

/** Says with Postgres what filters let through of rows that are no longer, or not yet, in any table. */
export interface FilterJudge {
  /**
   * Per filter, in their order, and per row whether it is let through; null when that could not be found out, which
   * harms no other filter. Rejects only if the database does not answer.
   */
  judge(
    appId: string,
    table: JudgedTable,
    filters: readonly RowFilter[],
    rows: readonly Cells[],
  ): Promise<(boolean | null)[][]>;
  /**
   * Why Postgres would refuse the filter whatever the row (a value that its column's type can't take, an operator it
   * does not have), in the words of the data API; null when it would not. Rejects only if the database does not answer.
   */
  problem(appId: string, table: JudgedTable, filter: RowFilter): Promise<string | null>;
}

/** One call over all filters: each runs by itself, so that one that fails fails alone; late ones are not begun. */
const CALL = `
  select r.verdict, r.problem
  from unnest($1::text[]) with ordinality as filter (query, place)
  cross join lateral ambit_helpers.judge_rows(
    case when clock_timestamp() - statement_timestamp() < $4::int * interval '1 ms' then filter.query
         else 'select null::text' end,
    $2::text[], $3, array[''], array[''], 0) as r
  order by filter.place`;

/** Filters know no claims: whoever runs them, with the rights of the data plane, gets the same. */
const ROLE = "user";

/** Judges with the filters' own SQL, run as the app's role over texts; no table is touched. */
export class SqlFilterJudge implements FilterJudge {
  readonly #database: Pick<Database, "asCaller">;
  readonly #clock: Clock;
  readonly #onProblem: (appId: string, sqlstate: string) => void;

  /** `onProblem` is told of every filter that failed. */
  constructor(
    database: Pick<Database, "asCaller">,
    clock: Clock,
    onProblem: (appId: string, sqlstate: string) => void,
  ) {
    this.#database = database;
    this.#clock = clock;
    this.#onProblem = onProblem;
  }

  async judge(
    appId: string,
    table: JudgedTable,
    filters: readonly RowFilter[],
    rows: readonly Cells[],
  ): Promise<(boolean | null)[][]> {
    const verdicts: (boolean | null)[][] = filters.map(() => rows.map(() => null));
    if (rows.length === 0) return verdicts;
    const giveUpAtMs = this.#clock() + limits.judgeBatchMs;
    const jobs: Job[] = [];
    for (let from = 0; from < filters.length; from += filterLimits.filtersPerCall) {
      const places = filters.map((_filter, at) => at).slice(from, from + filterLimits.filtersPerCall);
      jobs.push({ filters: places, from: 0, to: rows.length });
    }
    // What took too long is divided and waits behind all others.
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
      if (this.#clock() > giveUpAtMs) {
        this.#onProblem(appId, CANCELED);
        break;
      }
      const asked = job.filters.map((at) => filters[at]!);
      const outcome = await this.#call(appId, table, asked, rows.slice(job.from, job.to));
      if (outcome === "too slow") jobs.push(...divided(job, () => this.#onProblem(appId, CANCELED)));
      else if (outcome !== null) jobs.push(...fill(verdicts, job, outcome));
    }
    return verdicts;
  }

  async problem(appId: string, table: JudgedTable, filter: RowFilter): Promise<string | null> {
    const columns = table.columnTypes.filter(({ name }) => filter.columns.includes(name));
    const cells = columns.map(({ name, type }) => `null::${type} as ${quoteIdent(name)}`).join(", ");
    const text = `select ${filter.condition} from (select ${cells}) as ${quoteIdent(table.table)} where false`;
    try {
      await this.#database.asCaller(
        appId,
        { role: ROLE, claims: null },
        { text, values: [], prepare: false },
        AbortSignal.timeout(filterLimits.singleCallMs),
      );
      return null;
    } catch (error) {
      const facts = describePgError(error);
      if (facts === null) throw error;
      // There is no row here whose values a message could tell.
      return translatePgError(facts, { trusted: true }, error)?.message ?? "Postgres can't take this filter.";
    }
  }

  /** Per filter `1` or `0` per row, null when it failed, undefined when its turn did not come; null when all failed. */
  async #call(
    appId: string,
    { table, columnTypes }: JudgedTable,
    filters: readonly RowFilter[],
    rows: readonly Cells[],
  ): Promise<(string | null | undefined)[] | "too slow" | null> {
    const needed = new Set(filters.flatMap(({ columns }) => columns));
    const columns = columnTypes
      .map(({ name, type }, at) => ({ name, type, at }))
      .filter(({ name }) => needed.has(name))
      .map((column, place) => ({ ...column, place }));
    const cells = [rows.map(() => "0"), ...columns.map(({ at }) => rows.map((row) => row[at] ?? null))];
    const single = filters.length === 1;
    const values = [
      arrayText(
        filters.map((filter) => {
          const own = columns.filter(({ name }) => filter.columns.includes(name));
          return askOfRows(table, own, filter.condition);
        }),
      ),
      arrayText(cells.map(arrayText)),
      tenantRole(appId, ROLE),
      String(limits.judgeCallMs),
    ];
    try {
      const answer = await this.#database.asCaller(
        appId,
        { role: ROLE, claims: null },
        { text: CALL, values },
        AbortSignal.timeout(single ? filterLimits.singleCallMs : filterLimits.callMs),
      );
      return answer.rows.map(([verdict = null, problem = null]) => {
        if (verdict !== null && verdict.length === rows.length) return verdict;
        if (verdict === null && problem === null && !single) return undefined;
        this.#onProblem(appId, problem ?? "unexpected");
        return null;
      });
    } catch (error) {
      const { code, name } = error as { code?: string; name?: string };
      if (code === "DATABASE_UNAVAILABLE") throw error;
      if (code === CANCELED || name === "TimeoutError") return "too slow";
      this.#onProblem(appId, code ?? "");
      return null;
    }
  }
}

/** Some filters, by their place, over a range of the rows. */
interface Job {
  readonly filters: readonly number[];
  readonly from: number;
  readonly to: number;
}

/** Many filters: each by itself. One filter: each half of the rows; one row can't be divided, and stays open. */
function divided({ filters, from, to }: Job, onUndecided: () => void): Job[] {
  if (filters.length > 1) return filters.map((one) => ({ filters: [one], from, to }));
  if (to - from > 1) {
    const middle = Math.ceil((from + to) / 2);
    return [
      { filters, from, to: middle },
      { filters, from: middle, to },
    ];
  }
  onUndecided();
  return [];
}

/** Writes down what was answered; gives what is still to be asked. */
function fill(
  verdicts: (boolean | null)[][],
  job: Job,
  answers: readonly (string | null | undefined)[],
): Job[] {
  const left: number[] = [];
  for (const [index, answer] of answers.entries()) {
    const filter = job.filters[index]!;
    if (answer === undefined) left.push(filter);
    else if (answer !== null) {
      for (let row = job.from; row < job.to; row++) verdicts[filter]![row] = answer[row - job.from] === "1";
    }
  }
  return left.length === 0 ? [] : [{ ...job, filters: left }];
}
