import { DurableObject } from "cloudflare:workers";

/**
 * Numbers what it is given, from a counter in memory that starts where storage ends. Were two of one instance alive,
 * numbers would repeat or go back.
 */
export class Sequence extends DurableObject<{ FLAVOUR?: string }> {
  private next: number;
  private readonly life: number;

  constructor(ctx: DurableObjectState, env: { FLAVOUR?: string }) {
    super(ctx, env);
    const { sql } = ctx.storage;
    sql.exec("create table if not exists log (n integer, life integer, line text)");
    sql.exec("create table if not exists lives (n integer primary key autoincrement)");
    this.life = sql.exec<{ n: number }>("insert into lives default values returning n").one().n;
    this.next = sql.exec<{ n: number }>("select coalesce(max(n), 0) as n from log").one().n;
  }

  async fetch(request: Request): Promise<Response> {
    const { sql } = this.ctx.storage;
    if (request.method === "GET") {
      return Response.json(sql.exec("select n, life, line from log order by rowid").toArray());
    }
    const line = await request.text();
    this.next += 1;
    sql.exec("insert into log values (?, ?, ?)", this.next, this.life, line);
    return Response.json({
      n: this.next,
      life: this.life,
      version: "VERSION",
      flavour: this.env.FLAVOUR ?? null,
    });
  }
}
