import { DurableObject } from "cloudflare:workers";

/** What SQL may not do: reach other files, the key-value table, the engine's settings. */
export class SqlWalls extends DurableObject {
  async fetch(): Promise<Response> {
    const { sql } = this.ctx.storage;
    await this.ctx.storage.put("secret", "value");
    const statements = [
      "attach database '/etc/passwd' as p",
      "attach database ':memory:' as m",
      "pragma journal_mode = off",
      "select * from _cf_KV",
      "create table _cf_mine (x)",
      "select load_extension('x')",
      "vacuum into '/tmp/x'",
      "select readfile('/etc/passwd')",
      "detach database main",
      "commit",
      "savepoint s",
      "this is not sql",
      "select ?",
    ];
    const verdict = (statement: string) => {
      try {
        return [statement, "ran", sql.exec(statement).toArray()];
      } catch (error) {
        return [statement, (error as Error).message.slice(0, 60)];
      }
    };
    const results = statements.map(verdict);
    return Response.json({ results, size: sql.databaseSize > 0, kept: await this.ctx.storage.get("secret") });
  }
}
