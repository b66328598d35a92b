import { quoteIdent } from "../../../engines/postgres/quote.ts";
import { tenantRole } from "../../../engines/postgres/tenant.ts";
import { list } from "../ddl.ts";
import type { DeclaredTable } from "../document.ts";
import { READERS, type TableModel } from "../model.ts";
import { sameList } from "../same.ts";
import type { StatementList } from "./statement.ts";

/**
 * Plans who may read which columns (`readableBy`). A reader from whom nothing is hidden holds SELECT on the whole
 * table, so that later columns are readable too; any other holds it on single columns.
 */
export function planGrants(
  out: StatementList,
  appId: string,
  declared: DeclaredTable,
  actual: TableModel | undefined,
): void {
  const table = quoteIdent(declared.name);
  const mentioned = new Map(declared.columns.map((column) => [column.name, column]));
  const staying = (actual?.columns ?? []).filter(({ name }) => !declared.drop.columns.has(name));
  const added = declared.columns.filter(({ name }) => !staying.some((column) => column.name === name));
  for (const reader of READERS) {
    const whole = actual === undefined || actual.wholeReaders.includes(reader);
    const visible = (column: { name: string; hiddenFrom: readonly string[] }) =>
      !(mentioned.get(column.name) ?? column).hiddenFrom.includes(reader);
    const wanted = [...staying, ...added].filter(visible).map(({ name }) => name);
    const all = wanted.length === staying.length + added.length;
    const present = [
      ...staying.filter((column) => !column.hiddenFrom.includes(reader)).map(({ name }) => name),
      ...(whole ? added.map(({ name }) => name) : []),
    ];
    if (sameList(wanted, present) && (whole || !all)) continue;
    const role = quoteIdent(tenantRole(appId, reader));
    out.add(
      "grant",
      `revoke select on ${table} from ${role}`,
      `Take back what ${reader} callers may read of ${declared.name}`,
    );
    if (wanted.length === 0) continue;
    const columns = all ? "" : ` (${list(wanted)})`;
    out.add(
      "grant",
      `grant select${columns} on ${table} to ${role}`,
      `Let ${reader} callers read ${all ? "all" : wanted.join(", ")} of ${declared.name}`,
    );
  }
}
