import { DurableObject } from "cloudflare:workers";

/** What was written without being waited for is stored before anybody sees the answer. */
export class OutputGate extends DurableObject {
  async fetch(request: Request): Promise<Response> {
    const { storage } = this.ctx;
    const key = new URL(request.url).searchParams.get("key");
    if (request.method === "GET") return Response.json([...(await storage.list()).keys()]);
    void storage.put(key!, true);
    storage.kv.put(`${key}-sync`, true);
    storage.sql.exec("create table if not exists t (k text)");
    storage.sql.exec("insert into t values (?)", key);
    return new Response(`stored ${storage.sql.exec("select count(*) as n from t").one().n}`);
  }
}
