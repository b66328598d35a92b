import { DurableObject } from "cloudflare:workers";

/** Tables, values of every type, cursors, constraints. */
export class SqlTables extends DurableObject {
  private readonly sql = this.ctx.storage.sql;

  constructor(ctx: DurableObjectState, env: unknown) {
    super(ctx, env);
    this.sql.exec(`
      create table if not exists players (id integer primary key, name text unique not null, score real default 0);
      create index if not exists by_score on players (score desc);
      create table if not exists vals (v);
    `);
  }

  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    if (url.pathname.endsWith("/add")) return this.add(await request.json());
    if (url.pathname.endsWith("/types")) return this.types();
    if (url.pathname.endsWith("/advanced")) return this.advanced();
    const cursor = this.sql.exec("select id, name, score from players order by score desc, id limit ?", 3);
    return Response.json({ columns: cursor.columnNames, rows: cursor.toArray(), read: cursor.rowsRead });
  }

  private add(player: { name: string; score: number }): Response {
    try {
      const cursor = this.sql.exec(
        "insert into players (name, score) values (?, ?) returning id",
        player.name,
        player.score,
      );
      return Response.json({ ...cursor.one(), written: cursor.rowsWritten > 0 }, { status: 201 });
    } catch (error) {
      return new Response((error as Error).message, { status: 409 });
    }
  }

  private types(): Response {
    this.sql.exec("delete from vals");
    for (const value of [null, 7, 2.5, "tëxt", new Uint8Array([0, 255]).buffer]) {
      this.sql.exec("insert into vals values (?)", value);
    }
    const raw = [...this.sql.exec("select v, typeof(v) from vals").raw()];
    return Response.json(
      raw.map(([value, type]) => [value instanceof ArrayBuffer ? [...new Uint8Array(value)] : value, type]),
    );
  }

  private advanced(): Response {
    const one = (query: string) => this.sql.exec(query).one();
    return Response.json({
      json: one(`select json_extract('{"a":[1,2,{"b":3}]}', '$.a[2].b') as v`),
      window: this.sql.exec("select name, rank() over (order by score desc) as place from players").toArray(),
      cte: one(
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 100) select sum(i) as s from n",
      ),
      upsert: one(
        "insert into players (name, score) values ('ada', 1) on conflict (name) do update set score = score + 1 returning score",
      ),
      each: this.sql.exec("select value from json_each('[3,1,2]') order by value").toArray(),
    });
  }
}
