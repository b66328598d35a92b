import { quoteIdent } from "../../../../engines/postgres/quote.ts";
import { loadUserTypes, type UserTypes } from "../../../../engines/postgres/replication/user-types.ts";
import { type TestPlatform, testPlatform } from "../../../../testing/platform.ts";
import { createDataService, type DataService } from "../../../data/service.ts";
import { createSchemaService } from "../../../schema/service.ts";
import type { RowReader } from "../../policies/types.ts";
import { COLUMN_FACTS } from "../column-facts.ts";
import { SqlFilterJudge } from "../judge.ts";
import type { FilterColumn, FilterTable, RowFilter } from "../types.ts";

/** A row as the log has it. */
export type Texts = readonly (string | null)[];

/** An app on a real Postgres, for tests of filters. */
export interface FilterWorld {
  readonly test: TestPlatform;
  readonly appId: string;
  readonly data: DataService;
  readonly judge: SqlFilterJudge;
  /** SQLSTATEs of filters that failed. */
  readonly problems: string[];
  owner(sql: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
  /** The table as filters see it; every column may be read but those named. */
  table(name: string, hidden?: readonly string[]): Promise<FilterTable>;
  /** Its rows as the log would have them, by `id`. */
  texts(table: FilterTable): Promise<Texts[]>;
  /** Per row of the table itself, by `id`, what its condition gives. */
  truth(table: FilterTable, filter: RowFilter): Promise<boolean[]>;
}

export async function filterWorld(): Promise<FilterWorld> {
  const test = await testPlatform();
  const { database, clock } = test.platform;
  const appId = (await test.createApp()).id;
  const problems: string[] = [];
  const owner: FilterWorld["owner"] = (sql, values = []) =>
    database.ownerTransaction(appId, (tx) => tx.query(sql, values));
  const types = async (): Promise<UserTypes> => {
    const query = async (text: string, values: unknown[]) => ({ rows: await database.query(text, values) });
    return loadUserTypes({ query } as unknown as Parameters<typeof loadUserTypes>[0]);
  };
  return {
    test,
    appId,
    data: createDataService(test.platform, createSchemaService(test.platform)),
    judge: new SqlFilterJudge(database, clock, (_app, sqlstate) => problems.push(sqlstate)),
    problems,
    owner,
    async table(name, hidden = []) {
      const columns = await database.transaction(async (tx) => {
        await tx.query("select set_config('search_path', '', true)");
        return tx.query<FilterColumn & object>(
          `select a.attname as name, ${COLUMN_FACTS.type} as type, a.atttypid::int4 as "typeOid",
             ${COLUMN_FACTS.collation} as collation, ${COLUMN_FACTS.labels} as labels
           from pg_catalog.pg_attribute a where a.attrelid = $1::pg_catalog.regclass and a.attnum > 0 and not a.attisdropped
           order by a.attnum`,
          [`${quoteIdent(appId)}.${quoteIdent(name)}`],
        );
      });
      return { name, columns, readable: (column) => !hidden.includes(column), types: await types() };
    },
    async texts({ name, columns }) {
      // The type's own output, unlike a cast to text: `t` for true, and char(n) with its spaces.
      const output = (name: string) => `case when ${name} is not null then format('%s', ${name}) end`;
      const cells = columns.map((column) => output(quoteIdent(column.name))).join(", ");
      const rows = await owner(`select array[${cells}] as texts from ${quoteIdent(name)} order by id`);
      return rows.map((row) => row.texts as Texts);
    },
    async truth({ name }, { condition }) {
      const rows = await owner(
        `select coalesce(${condition}, false) as passes from ${quoteIdent(name)} order by id`,
      );
      return rows.map((row) => row.passes as boolean);
    },
  };
}

/** Reads texts by column. */
export const reader =
  (table: FilterTable, texts: Texts): RowReader =>
  (column) =>
    texts[table.columns.findIndex(({ name }) => name === column)];
