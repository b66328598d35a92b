import type { Queryable } from "../../engines/postgres/database.ts";

/** One-time tokens: what was used once stays used until it would have expired anyway. */
export interface OneTimeTokens {
  /** Uses the token up; false when it was used before, here or on another node. */
  spend(id: string, expiresAtMs: number): Promise<boolean>;
  isSpent(id: string): Promise<boolean>;
  /** Forgets tokens that have expired. */
  prune(nowMs: number): Promise<void>;
}

export const createOneTimeTokens = (db: Queryable): OneTimeTokens => ({
  async spend(id, expiresAtMs) {
    const rows = await db.query(
      "insert into ambit.approval_spent_tokens (id, expires_at) values ($1, $2) on conflict do nothing returning id",
      [id, new Date(expiresAtMs)],
    );
    return rows.length === 1;
  },
  async isSpent(id) {
    return (await db.query("select from ambit.approval_spent_tokens where id = $1", [id])).length === 1;
  },
  async prune(nowMs) {
    await db.query("delete from ambit.approval_spent_tokens where expires_at <= $1", [new Date(nowMs)]);
  },
});
