import { DurableObject } from "cloudflare:workers";

/** `transactionSync` around SQL and keys: a throw takes back both, also from a nested one. */
export class TransactionSync extends DurableObject {
  async fetch(): Promise<Response> {
    const { storage } = this.ctx;
    const { sql } = storage;
    sql.exec("create table if not exists t (n integer)");
    const log: unknown[] = [];
    const attempt = (what: string, work: () => unknown) => {
      try {
        log.push([what, work()]);
      } catch (error) {
        log.push([what, `threw ${(error as Error).message}`]);
      }
    };
    const count = () => sql.exec("select count(*) as n from t").one().n;
    attempt("commit", () =>
      storage.transactionSync(() => {
        sql.exec("insert into t values (1)");
        storage.kv.put("k", 1);
        return count();
      }),
    );
    attempt("rollback", () =>
      storage.transactionSync(() => {
        sql.exec("insert into t values (2)");
        storage.kv.put("k", 2);
        throw new Error("taken back");
      }),
    );
    log.push([count(), storage.kv.get("k")]);
    attempt("nested", () =>
      storage.transactionSync(() => {
        sql.exec("insert into t values (3)");
        try {
          storage.transactionSync(() => {
            sql.exec("insert into t values (4)");
            throw new Error("inner");
          });
        } catch {
          // Only the inner one is taken back.
        }
        return count();
      }),
    );
    attempt("begin", () => sql.exec("begin transaction"));
    log.push([count(), await storage.get("k")]);
    return Response.json(log);
  }
}
