import type { Queryable } from "../../../engines/postgres/database.ts";
import type { Rule } from "./rule.ts";

interface RuleRow {
  readonly app_id: string;
  readonly pattern: string;
  readonly receive: string;
  readonly send: string;
  readonly receive_steady: boolean;
  readonly send_steady: boolean;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** A rule with its times. */
export interface StoredRule extends Rule {
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

const ruleOf = (row: RuleRow): StoredRule => ({
  pattern: row.pattern,
  receive: { expression: row.receive, steady: row.receive_steady },
  send: { expression: row.send, steady: row.send_steady },
  createdAt: row.created_at,
  updatedAt: row.updated_at,
});

/** The rules of each of these apps; an app without rules has an empty list. */
export async function selectRules(
  db: Queryable,
  appIds: readonly string[],
): Promise<Map<string, StoredRule[]>> {
  const rows = await db.query<RuleRow>(
    "select * from ambit.realtime_rules where app_id = any($1) order by app_id, pattern",
    [appIds],
  );
  const found = new Map<string, StoredRule[]>(appIds.map((appId) => [appId, []]));
  for (const row of rows) found.get(row.app_id)?.push(ruleOf(row));
  return found;
}

/** Puts a rule in the place of the one with its pattern. Null: there are `most` others already. */
export async function upsertRule(
  tx: Queryable,
  appId: string,
  rule: Rule,
  most: number,
): Promise<StoredRule | null> {
  await tx.query("select pg_advisory_xact_lock(hashtextextended('ambit realtime rules ' || $1, 0))", [appId]);
  const rows = await tx.query<RuleRow>(
    `insert into ambit.realtime_rules (app_id, pattern, receive, send, receive_steady, send_steady)
     select $1, $2, $3, $4, $5, $6
     where (select count(*) from ambit.realtime_rules where app_id = $1 and pattern <> $2) < $7
     on conflict (app_id, pattern) do update set receive = excluded.receive, send = excluded.send,
       receive_steady = excluded.receive_steady, send_steady = excluded.send_steady, updated_at = now()
     returning *`,
    [
      ...[appId, rule.pattern, rule.receive.expression, rule.send.expression],
      ...[rule.receive.steady, rule.send.steady, most],
    ],
  );
  return rows[0] === undefined ? null : ruleOf(rows[0]);
}

/** False if there was no such rule. */
export async function deleteRule(db: Queryable, appId: string, pattern: string): Promise<boolean> {
  const rows = await db.query(
    "delete from ambit.realtime_rules where app_id = $1 and pattern = $2 returning 1",
    [appId, pattern],
  );
  return rows.length > 0;
}
