import type { ColumnInfo, TableInfo } from "../../schema/service.ts";
import type { SqlContext } from "../sql-scope.ts";

const column = (name: string, more: Partial<ColumnInfo> = {}): ColumnInfo => ({
  name,
  type: "text",
  typeOid: 25,
  nullable: true,
  hasDefault: false,
  generated: false,
  isArray: false,
  hiddenFrom: [],
  ...more,
});

const table = (name: string, columns: ColumnInfo[], more: Partial<TableInfo> = {}): TableInfo => ({
  name,
  oid: 1,
  columns,
  primaryKey: ["id"],
  foreignKeys: [],
  uniques: [],
  rlsEnabled: false,
  replicaIdentity: "default",
  ...more,
});

/** Tables that exist only as their description, for what is decided without a database. */
export const ORDERS = table(
  "orders",
  [
    column("id", { typeOid: 23, type: "integer", nullable: false }),
    column("note"),
    column("data", { typeOid: 3802, type: "jsonb" }),
    column("tags", { typeOid: 1009, type: "text[]", isArray: true }),
    column('odd"name'),
    column("customer_id", { typeOid: 23, type: "integer" }),
  ],
  {
    foreignKeys: [
      { name: "fk_orders_customer", columns: ["customer_id"], refTable: "customers", refColumns: ["id"] },
    ],
  },
);
export const CUSTOMERS = table("customers", [
  column("id", { typeOid: 23, type: "integer", nullable: false }),
  column("name"),
  column("phone", { hiddenFrom: ["anon"] }),
]);

export const SHOP: SqlContext = {
  schema: "app_shop",
  tables: new Map([
    ["orders", ORDERS],
    ["customers", CUSTOMERS],
  ]),
  role: "user",
};
