import type { Queryable } from "../../engines/postgres/database.ts";
import type { RuleRow } from "./rule-store.ts";

/** A rule this node has taken up, because its time has come. */
export interface TakenRule extends RuleRow {
  readonly next_fire_at: Date;
  readonly claim: string;
}

/** Takes up rules that are due and that no other node holds. */
export function takeDueRules(
  db: Queryable,
  taking: { readonly now: Date; readonly until: Date; readonly claim: string; readonly atOnce: number },
): Promise<TakenRule[]> {
  return db.query<TakenRule>(
    `with due as (
       select id from ambit.attention_rules
       where next_fire_at <= $1 and (leased_until is null or leased_until <= $1)
       order by next_fire_at limit $4 for update skip locked)
     update ambit.attention_rules r set claim = $3, leased_until = $2
     from due where r.id = due.id returning r.*`,
    [taking.now, taking.until, taking.claim, taking.atOnce],
  );
}

/** Gives a rule back until its next time; nothing when it was changed, or taken over, meanwhile. */
export async function settleRule(
  db: Queryable,
  taken: Pick<TakenRule, "id" | "claim">,
  nextFireAt: Date | null,
  firedAt: Date,
): Promise<void> {
  await db.query(
    `update ambit.attention_rules set next_fire_at = $3, last_fired_at = $4, claim = null, leased_until = null
     where id = $1 and claim = $2`,
    [taken.id, taken.claim, nextFireAt, firedAt],
  );
}

/** Has a rule whose firing broke off taken up again at `at`. */
export async function postponeRule(
  db: Queryable,
  taken: Pick<TakenRule, "id" | "claim">,
  at: Date,
): Promise<void> {
  await db.query("update ambit.attention_rules set leased_until = $3 where id = $1 and claim = $2", [
    taken.id,
    taken.claim,
    at,
  ]);
}
