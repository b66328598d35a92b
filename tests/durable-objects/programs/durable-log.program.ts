import { DurableObject } from "cloudflare:workers";

/** A log that is there after the process was killed; its sequence never goes back. */
export class DurableLog extends DurableObject {
  private readonly inMemory: string[] = [];

  async fetch(request: Request): Promise<Response> {
    const { sql } = this.ctx.storage;
    sql.exec("create table if not exists log (n integer primary key autoincrement, line text)");
    if (request.method === "POST") {
      const line = await request.text();
      this.inMemory.push(line);
      return Response.json(sql.exec("insert into log (line) values (?) returning n", line).one(), {
        status: 201,
      });
    }
    const lines = sql.exec<{ line: string }>("select line from log order by n").toArray();
    return Response.json({ lines: lines.map(({ line }) => line), inMemory: this.inMemory });
  }
}
