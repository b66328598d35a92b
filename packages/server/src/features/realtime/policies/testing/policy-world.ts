import { type TestPlatform, testPlatform } from "../../../../testing/platform.ts";
import { loadViews } from "../../catalog.ts";
import { type Identity, SqlJudge } from "../../judge.ts";
import type { Rule, ViewerRole } from "../../table-view.ts";
import type { CheckPorts } from "../check.ts";
import { compileRule } from "../compile.ts";
import { loadClaimFunctions, loadSources, selectMembers } from "../source.ts";
import type { CompiledRule, MembershipSet, RowReader, SetSource } from "../types.ts";

/** Real Postgres with one app whose tables and policies a test makes. */
export class PolicyWorld {
  readonly test: TestPlatform;
  readonly appId: string;

  private constructor(test: TestPlatform, appId: string) {
    this.test = test;
    this.appId = appId;
  }

  static async start(): Promise<PolicyWorld> {
    const test = await testPlatform();
    return new PolicyWorld(test, (await test.createApp()).id);
  }

  /** As the app's owner, in one transaction. */
  define(...statements: string[]): Promise<void> {
    return this.test.platform.database.ownerTransaction(this.appId, async (tx) => {
      for (const statement of statements) await tx.query(statement);
    });
  }

  /** One permissive policy for end users in place of all others; the table has RLS on. */
  policy(table: string, using: string): Promise<void> {
    return this.define(
      `drop policy if exists p on ${table}`,
      `create policy p on ${table} to butterbase_user using (${using})`,
    );
  }

  /** What the role's policies compile to. */
  compile(table: string, role: ViewerRole = "user"): Promise<CompiledRule | { refused: string }> {
    return this.test.platform.database.transaction(async (tx) => {
      const functions = await loadClaimFunctions(tx);
      const names = await tx.query<{ name: string }>(
        "select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1",
        [this.appId],
      );
      const sources = await loadSources(
        tx,
        this.appId,
        names.map(({ name }) => name),
      );
      return compileRule({
        appId: this.appId,
        role,
        table: sources.get(table)!,
        lookup: (name) => sources.get(name),
        functions,
      });
    });
  }

  async ports(table: string, role: ViewerRole = "user"): Promise<CheckPorts> {
    const { database, clock } = this.test.platform;
    const views = await database.transaction((tx) => loadViews(tx, this.appId, [table]));
    return {
      appId: this.appId,
      role,
      rule: views.get(table)!.roles[role].rows as Rule,
      judge: new SqlJudge(database, clock, () => {}),
      members: (source) => this.members(source),
    };
  }

  async members(source: SetSource): Promise<(string | null)[][]> {
    const text = selectMembers(this.appId, source);
    const rows = await this.test.platform.database.ownerTransaction(this.appId, (tx) =>
      tx.query<{ cells: (string | null)[] }>(text),
    );
    return rows.map(({ cells }) => cells);
  }

  /** The sets of a rule as their tables are now. */
  async sets(rule: CompiledRule): Promise<Map<string, MembershipSet>> {
    const sets = new Map<string, MembershipSet>();
    for (const source of rule.sources) {
      const set = rule.newSet(source);
      set.load(await this.members(source));
      sets.set(source.key, set);
    }
    return sets;
  }

  /** What a SELECT as this caller gives; null if it fails. */
  async selectAs({ claims, subject }: Identity, text: string): Promise<(string | null)[][] | null> {
    return this.test.platform.database.asLoginOnce(this.appId, async (client) => {
      const set = (name: string, value: string) =>
        client.query("select set_config($1, $2, false)", [name, value]);
      await set("request.jwt.claims", claims);
      await set("request.jwt.claim.sub", subject);
      await client.query(`set role ${this.appId}_user`);
      try {
        return (await client.query({ text, rowMode: "array" })).rows;
      } catch (error) {
        if ((error as { severity?: string }).severity === "ERROR") return null;
        throw error;
      }
    });
  }

  stop(): Promise<void> {
    return this.test.stop();
  }
}

/** A row by its cells. */
export const readerOf =
  (cells: Readonly<Record<string, string | null>>): RowReader =>
  (column) =>
    cells[column];

/** An identity as the server makes them from a token. */
export const identityOf = (claims: Record<string, unknown>): Identity => ({
  claims: JSON.stringify(claims),
  subject: typeof claims.sub === "string" ? claims.sub : "",
});
