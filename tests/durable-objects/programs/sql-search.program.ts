import { DurableObject } from "cloudflare:workers";

/** Full-text search with ranking and snippets. */
export class SqlSearch extends DurableObject {
  constructor(ctx: DurableObjectState, env: unknown) {
    super(ctx, env);
    ctx.storage.sql.exec(
      "create virtual table if not exists docs using fts5(title, body, tokenize = 'porter unicode61')",
    );
  }

  async fetch(request: Request): Promise<Response> {
    const { sql } = this.ctx.storage;
    if (request.method === "POST") {
      const { title, body } = (await request.json()) as { title: string; body: string };
      sql.exec("insert into docs (title, body) values (?, ?)", title, body);
      return new Response(null, { status: 204 });
    }
    const query = new URL(request.url).searchParams.get("q");
    try {
      return Response.json(
        sql
          .exec(
            "select title, snippet(docs, 1, '[', ']', '…', 6) as found from docs where docs match ? order by bm25(docs, 5.0, 1.0)",
            query,
          )
          .toArray(),
      );
    } catch (error) {
      return new Response((error as Error).message, { status: 400 });
    }
  }
}
