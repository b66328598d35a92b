import type { Platform } from "../../../engines/platform.ts";
import type { Transaction } from "../../../engines/postgres/database.ts";
import { AmbitError } from "../../../kernel/errors.ts";
import type { JsonObject } from "../../ledger/service.ts";
import type { Approval, ApprovalHandler } from "../types.ts";

/** A tool that sets a price, with tables of its own. Each run leaves a row, so that a second run would show. */
export interface PriceTool extends ApprovalHandler {
  runs(approvalId?: string): Promise<{ approval_id: string; what: string }[]>;
  price(item: string): Promise<number | null>;
  setPrice(item: string, price: number): Promise<void>;
  /** Called inside the transaction right after the price was set. */
  onApproved: (tx: Transaction, approval: Approval) => Promise<void>;
}

export async function createPriceTool({ database }: Platform): Promise<PriceTool> {
  await database.query(
    "create table ambit.test_prices (item text primary key, price int check (price >= 0))",
  );
  await database.query(
    "create table ambit.test_runs (id int generated always as identity, approval_id text not null, what text not null)",
  );
  const wrote = (tx: Transaction, { id }: Approval, what: string) =>
    tx.query("insert into ambit.test_runs (approval_id, what) values ($1, $2)", [id, what]);
  const set = async (tx: Transaction, { request }: Approval): Promise<JsonObject> => {
    const { item, price } = request as { item: string; price: number };
    const read = () =>
      tx.query<{ item: string; price: number }>("select * from ambit.test_prices where item = $1", [item]);
    const [before = null] = await read();
    await tx.query(
      "insert into ambit.test_prices values ($1, $2) on conflict (item) do update set price = excluded.price",
      [item, price],
    );
    const [after = null] = await read();
    return { changes: [{ id: item, kind: "price", before, after }] };
  };
  const UNDO = Symbol("undo");
  const tool: PriceTool = {
    kind: "tool_call",
    async preview(approval) {
      let seen: JsonObject = {};
      await database
        .transaction(async (tx) => {
          seen = await set(tx, approval);
          throw UNDO;
        })
        .catch((error: unknown) => {
          if (error === UNDO) return;
          if ((error as { code?: string }).code !== "23514") throw error;
          seen = { problem: { code: "PRICE", message: "A price is at least 0." } };
        });
      return seen;
    },
    async approved(tx, approval) {
      const { changes } = await set(tx, approval);
      await wrote(tx, approval, "ran");
      if (approval.request.item === "nothing") {
        const entry = { status: 422, message: "There is no such item.", remediation: "Name another." };
        throw new AmbitError("NO_SUCH_ITEM", entry);
      }
      await tool.onApproved(tx, approval);
      return { changed: changes ?? null };
    },
    failed: async (tx, approval, error) => void (await wrote(tx, approval, `failed ${error.code}`)),
    rejected: async (tx, approval, by) => void (await wrote(tx, approval, `rejected ${by.reason}`)),
    expired: async (tx, approval) => void (await wrote(tx, approval, "expired")),
    runs: (approvalId) =>
      database.query(
        "select approval_id, what from ambit.test_runs where $1::text is null or approval_id = $1 order by id",
        [approvalId ?? null],
      ),
    async price(item) {
      const [row] = await database.query<{ price: number }>(
        "select price from ambit.test_prices where item = $1",
        [item],
      );
      return row?.price ?? null;
    },
    async setPrice(item, price) {
      await database.query(
        "insert into ambit.test_prices values ($1, $2) on conflict (item) do update set price = excluded.price",
        [item, price],
      );
    },
    onApproved: async () => {},
  };
  return tool;
}
