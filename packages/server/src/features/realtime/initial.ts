import type { Database } from "../../engines/postgres/database.ts";
import { quoteIdent } from "../../engines/postgres/quote.ts";
import type { Relation } from "../../engines/postgres/replication/pgoutput.ts";
import { limits } from "./limits.ts";
import type { Mask, Shape } from "./record.ts";
import type { Viewer } from "./subscriptions.ts";
import type { TableView } from "./table-view.ts";
import { type Frame, textFrame } from "./web-socket-frame.ts";

/** Which rows a subscription begins with. */
export interface InitialRequest {
  readonly appId: string;
  readonly viewer: Viewer;
  readonly view: TableView;
  /** The columns it carries. */
  readonly mask: Mask;
  /** SQL over the table under its own name; null for all rows. */
  readonly condition: string | null;
}

/** The rows of one moment. */
export interface InitialRows {
  /** The text of `pg_current_snapshot()` of the statement that read them. */
  readonly snapshot: string;
  /** Each as JSON, as changes carry it. */
  readonly rows: readonly string[];
}

/** More rows, or larger ones, than `initial` gives. */
export class TooManyRows extends Error {}

/**
 * Reads what the viewer sees of a table now, in one statement under row-level security. `shape` turns the texts of a
 * row of this relation into the JSON that changes carry. Throws TooManyRows.
 */
export async function readInitial(
  database: Pick<Database, "asCaller">,
  { appId, viewer, view, mask, condition }: InitialRequest,
  shape: (relation: Relation) => Promise<Shape>,
): Promise<InitialRows> {
  const relation = relationOf(appId, view, mask);
  const table = `${quoteIdent(appId)}.${quoteIdent(view.table)}`;
  const columns = relation.columns.map(({ name }) => `${quoteIdent(view.table)}.${quoteIdent(name)}`);
  const inner = `select true as ambit_row${columns.map((column) => `, ${column}`).join("")} from ${table}${
    condition === null ? "" : ` where ${condition}`
  } limit ${limits.initialRows + 1}`;
  const claims = viewer.claims === "" ? null : JSON.parse(viewer.claims);
  const statement = {
    text: `select ambit_now.snapshot, ambit_rows.* from (select pg_current_snapshot()::text as snapshot) as ambit_now left join (${inner}) as ambit_rows on true`,
    values: [],
  };
  const { rows } = await database.asCaller(appId, { role: viewer.role, claims }, statement);
  const snapshot = rows[0]![0]!;
  const present = rows.filter((row) => row[1] !== null);
  const form = await shape(relation);
  const texts: string[] = [];
  let bytes = 0;
  for (const row of present) {
    const text = form.record(row.slice(2), null);
    bytes += text.length;
    texts.push(text);
    if (texts.length > limits.initialRows || bytes > limits.initialBytes) throw new TooManyRows();
  }
  return { snapshot, rows: texts };
}

/** The relation that the statement's own rows have: the columns carried, in the table's order. */
function relationOf(appId: string, view: TableView, mask: Mask): Relation {
  const columns = view.columnTypes
    .filter(({ name }) => mask === null || mask.has(name))
    .map(({ name, typeOid }) => ({ name, typeOid, typmod: -1, isKey: false }));
  return { oid: 0, schema: appId, table: view.table, replicaIdentity: "f", columns };
}

/** The rows as frames; the last says so. */
export function initialFrames(
  { table, id, seq }: { readonly table: string; readonly id: string | null; readonly seq: string },
  rows: readonly string[],
): Frame[] {
  const frames: Frame[] = [];
  const head = `{"type":"initial","table":${JSON.stringify(table)},${id === null ? "" : `"id":${JSON.stringify(id)},`}"rows":[`;
  let from = 0;
  do {
    let [to, bytes] = [from, 0];
    while (to < rows.length && to - from < limits.initialRowsPerFrame && bytes < limits.initialFrameBytes) {
      bytes += rows[to++]!.length;
    }
    const done = to >= rows.length;
    frames.push(textFrame(`${head}${rows.slice(from, to).join(",")}],"seq":"${seq}","done":${done}}`));
    from = to;
  } while (from < rows.length);
  return frames;
}
