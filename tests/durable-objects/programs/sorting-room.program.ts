import { DurableObject } from "cloudflare:workers";

type Job = { id: number; priority: number; body: string };

/** A work queue with leases: taken jobs come back when they are not finished in time. */
export class SortingRoom extends DurableObject {
  constructor(ctx: DurableObjectState, env: unknown) {
    super(ctx, env);
    ctx.storage.sql.exec(
      "create table if not exists jobs (id integer primary key, priority integer, body text, leased_until integer default 0)",
    );
  }

  async fetch(request: Request): Promise<Response> {
    const { sql } = this.ctx.storage;
    const url = new URL(request.url);
    const now = Number(url.searchParams.get("now") ?? "0");
    switch (`${request.method} ${url.pathname.split("/").at(-1)}`) {
      case "POST jobs": {
        const jobs = (await request.json()) as Job[];
        this.ctx.storage.transactionSync(() => {
          for (const { priority, body } of jobs)
            sql.exec("insert into jobs (priority, body) values (?, ?)", priority, body);
        });
        return Response.json({ added: jobs.length }, { status: 201 });
      }
      case "POST take": {
        const [job] = sql
          .exec<Job>(
            "update jobs set leased_until = ?1 + 100 where id = (select id from jobs where leased_until <= ?1 order by priority desc, id limit 1) returning id, priority, body",
            now,
          )
          .toArray();
        return job === undefined ? new Response(null, { status: 204 }) : Response.json(job);
      }
      case "DELETE done":
        return Response.json({
          gone: sql.exec("delete from jobs where id = ?", url.searchParams.get("id")).rowsWritten > 0,
        });
      default:
        return new Response("unknown", { status: 405, headers: { "x-test-allow": "POST, DELETE" } });
    }
  }
}
