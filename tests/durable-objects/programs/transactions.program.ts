import { DurableObject } from "cloudflare:workers";

/** Accounts: both sides of a transfer are written, or neither. */
export class Transactions extends DurableObject {
  async fetch(request: Request): Promise<Response> {
    const { storage } = this.ctx;
    const url = new URL(request.url);
    const [verb, from, to, amount] = [
      url.pathname.split("/").at(-1),
      ...(url.searchParams.get("t") ?? "").split(","),
    ];
    if (verb === "open") await storage.put({ ada: 100, ben: 0 });
    if (verb === "transfer") return this.transfer(from!, to!, Number(amount));
    if (verb === "rollback") {
      const result = await storage.transaction(async (txn) => {
        await txn.put("ada", -1);
        txn.rollback();
        return "rolled back";
      });
      return Response.json({ result, ...(await this.balances()) });
    }
    return Response.json(await this.balances());
  }

  private async transfer(from: string, to: string, amount: number): Promise<Response> {
    try {
      await this.ctx.storage.transaction(async (txn) => {
        const left = ((await txn.get<number>(from)) ?? 0) - amount;
        await txn.put(from, left);
        await txn.put(to, ((await txn.get<number>(to)) ?? 0) + amount);
        if (left < 0) throw new Error(`${from} lacks ${-left}`);
      });
    } catch (error) {
      return Response.json({ error: (error as Error).message, ...(await this.balances()) }, { status: 409 });
    }
    return Response.json(await this.balances());
  }

  private async balances(): Promise<object> {
    return Object.fromEntries(await this.ctx.storage.get(["ada", "ben"]));
  }
}
