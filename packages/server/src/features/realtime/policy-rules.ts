import { createHash } from "node:crypto";
import type { Database } from "../../engines/postgres/database.ts";
import type { Log } from "../../kernel/log.ts";
import type { Judge } from "./judge.ts";
import { limits } from "./limits.ts";
import type { LoadedMembers } from "./memberships.ts";
import type { RealtimeMetrics } from "./metrics.ts";
import { checkRule } from "./policies/check.ts";
import { compileRule } from "./policies/compile.ts";
import { loadClaimFunctions, loadSources, selectMembers } from "./policies/source.ts";
import type { CompiledRule, SetSource } from "./policies/types.ts";
import type { RuleSource } from "./rule-source.ts";
import type { TableView, ViewerRole } from "./table-view.ts";

export interface PolicyRulesPorts {
  readonly database: Database;
  readonly judge: Judge;
  readonly metrics: Pick<RealtimeMetrics, "compiled">;
  readonly log: Log;
}

/**
 * Compiles policies, and gives only what Postgres agreed with about hostile rows and identities. What was found out is
 * remembered for as long as the policies stay the same.
 */
export class PolicyRules implements RuleSource {
  readonly #ports: PolicyRulesPorts;
  /** By app and rule whether it may be used; oldest first. */
  readonly #checked = new Map<string, Promise<boolean>>();
  readonly #distrusted = new Set<string>();

  constructor(ports: PolicyRulesPorts) {
    this.#ports = ports;
  }

  async compiled(appId: string, view: TableView, role: ViewerRole): Promise<CompiledRule | null> {
    const { database, log, metrics } = this.#ports;
    const { sources, functions } = await database.transaction(async (tx) => ({
      functions: await loadClaimFunctions(tx),
      sources: await loadSources(tx, appId, [view.table, ...view.dependsOn]),
    }));
    const table = sources.get(view.table);
    if (table === undefined) return null;
    const rule = await compileRule({ appId, role, table, lookup: (name) => sources.get(name), functions });
    if ("refused" in rule) {
      log.info({ app: appId, role, reason: rule.refused }, "realtime: Postgres judges this table's policies");
      metrics.compiled.inc({ result: "refused" });
      return null;
    }
    // Sets are made from tables that the log carries.
    if (rule.sources.length > 0 && view.unwatched) return null;
    const origin = [...sources.values()].sort((a, b) => (a.table < b.table ? -1 : 1));
    const digest = createHash("sha256")
      .update(JSON.stringify([origin, [...functions].sort()]))
      .digest("base64");
    const usable = await this.#isEqual(appId, { view, role, rule, digest });
    return usable ? rule : null;
  }

  async members(appId: string, source: SetSource): Promise<LoadedMembers> {
    const text =
      "select pg_current_snapshot()::text as snapshot, (select coalesce(json_agg(m.cells), '[]') from " +
      `(${selectMembers(appId, source)} limit ${limits.members + 1}) as m) as rows`;
    const [row] = await this.#ports.database.ownerTransaction(appId, (tx) =>
      tx.query<LoadedMembers & object>(text),
    );
    if (row!.rows.length > limits.members) throw new Error(`${source.table} has too many rows to hold`);
    return row!;
  }

  distrust(rule: CompiledRule): void {
    this.#distrusted.add(rule.key);
  }

  /** `digest` stands for all that the rule was compiled from: tables, columns and their types, policies, functions. */
  async #isEqual(
    appId: string,
    {
      view,
      role,
      rule,
      digest,
    }: {
      readonly view: TableView;
      readonly role: ViewerRole;
      readonly rule: CompiledRule;
      readonly digest: string;
    },
  ): Promise<boolean> {
    if (this.#distrusted.has(rule.key)) return false;
    const key = `${appId} ${role} ${view.form} ${digest} ${rule.key}`;
    const known = this.#checked.get(key);
    if (known !== undefined) return known;
    const checked = this.#check(appId, view, role, rule);
    this.#checked.set(key, checked);
    // Without an answer there is nothing to remember.
    checked.catch(() => this.#checked.delete(key));
    if (this.#checked.size > limits.checkedRules) this.#checked.delete(this.#checked.keys().next().value!);
    return checked;
  }

  async #check(appId: string, view: TableView, role: ViewerRole, compiled: CompiledRule): Promise<boolean> {
    const { judge, log, metrics } = this.#ports;
    const rule = view.roles[role].rows;
    if (typeof rule === "string") return false;
    const members = async (source: SetSource) => (await this.members(appId, source)).rows;
    const seed = Math.floor(Math.random() * 2 ** 31);
    const result = await checkRule(compiled, { appId, role, rule, judge, members }, { seed });
    metrics.compiled.inc({ result: result.equal ? "equal" : "differs" });
    if (!result.equal) {
      const { identity: _claims, ...example } = result.example;
      log.error(
        { app: appId, table: view.table, role, seed, example },
        "realtime: a compiled policy differs",
      );
    }
    return result.equal;
  }
}
