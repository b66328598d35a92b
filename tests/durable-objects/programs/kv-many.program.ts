import { DurableObject } from "cloudflare:workers";

/** Many keys at once, deletes that count, and deleteAll. */
export class KvMany extends DurableObject {
  async fetch(): Promise<Response> {
    const { storage } = this.ctx;
    const log: unknown[] = [];
    await storage.put({ a: 1, b: "two", c: null, d: undefined });
    log.push([...(await storage.get(["a", "b", "c", "d", "missing"]))]);
    log.push(await storage.delete("a"), await storage.delete("a"), await storage.delete(["b", "c", "x"]));
    await storage.put("a", { deep: { er: [1, 2] } });
    await storage.put("a", { replaced: true });
    log.push(await storage.get("a"), (await storage.get("missing")) ?? "undefined");
    const many = Object.fromEntries(
      Array.from({ length: 128 }, (_, n) => [`n${String(n).padStart(3, "0")}`, n]),
    );
    await storage.put(many);
    log.push((await storage.list({ prefix: "n" })).size, (await storage.get(Object.keys(many))).size);
    storage.sql.exec("create table t (x)");
    await storage.deleteAll();
    log.push([...(await storage.list()).keys()]);
    log.push(storage.sql.exec("select count(*) as n from sqlite_schema where name = 't'").one());
    await storage.put("after", true);
    await storage.sync();
    log.push(await storage.get("after"));
    return Response.json(log);
  }
}
