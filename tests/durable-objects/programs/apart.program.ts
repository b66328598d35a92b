import { DurableObject } from "cloudflare:workers";

let shared = 0;

/** Instances share nothing that is stored or kept in fields. */
export class Apart extends DurableObject {
  private seen = 0;

  async fetch(request: Request): Promise<Response> {
    this.seen += 1;
    shared += 1;
    const key = await request.text();
    if (key !== "") await this.ctx.storage.put(key, this.seen);
    const stored = [...(await this.ctx.storage.list()).keys()];
    this.ctx.storage.sql.exec("create table if not exists t (n integer)");
    this.ctx.storage.sql.exec("insert into t values (?)", this.seen);
    const rows = this.ctx.storage.sql.exec("select count(*) as n from t").one().n;
    return Response.json({ seen: this.seen, stored, rows, moduleIsShared: shared >= this.seen });
  }
}
