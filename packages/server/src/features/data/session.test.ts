import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Database } from "../../engines/postgres/database.ts";
import type { App } from "../../kernel/operation.ts";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { inOwnSession } from "./session.ts";

const SERVICE = { role: "service", claims: null } as const;
/** Counts for minutes. */
const SLOW =
  "select count(*) from generate_series(1, 100000) a, generate_series(1, 100000) b where a + b > 3";

let test: TestPlatform;
let app: App;
beforeAll(async () => {
  test = await testPlatform();
  app = await test.createApp();
});
afterAll(() => test?.stop());

/** Statements of the app that still run. */
async function running(): Promise<number> {
  const sql = `select count(*)::int as n from pg_stat_activity where usename = $1 and state = 'active'`;
  const [row] = await test.asSuperuser(sql, [app.id]);
  return Number(row!.n);
}

async function nothingRunsWithin(ms: number): Promise<void> {
  for (const endAt = Date.now() + ms; (await running()) > 0; await sleep(50)) {
    expect(Date.now()).toBeLessThan(endAt);
  }
}

const session = (
  database: Pick<Database, "asLoginOnce">,
  signal: AbortSignal,
  work: (client: pg.Client) => Promise<unknown>,
) => inOwnSession(database as Database, app.id, SERVICE, { readOnly: true, commit: true, signal }, work);

describe("a statement whose caller is gone", () => {
  it("is not begun when the caller went while the connection was being made", async () => {
    const { database } = test.platform;
    const controller = new AbortController();
    const late: Pick<Database, "asLoginOnce"> = {
      asLoginOnce: (appId, work) =>
        database.asLoginOnce(appId, (client) => {
          controller.abort();
          return work(client);
        }),
    };
    let begun = false;
    const answer = session(late, controller.signal, (client) => {
      begun = true;
      return client.query(SLOW);
    });
    await expect(answer).rejects.toThrow("abort");
    expect([begun, await running()]).toEqual([false, 0]);
  });

  it("is stopped whenever the caller goes, also in the moment it is sent", async () => {
    for (let round = 0; round < 30; round += 1) {
      const controller = new AbortController();
      const answer = session(test.platform.database, controller.signal, (client) => {
        const sent = client.query(SLOW);
        if (round % 3 === 0) controller.abort();
        else setTimeout(() => controller.abort(), round % 3);
        return sent;
      });
      await expect(answer).rejects.toThrow();
    }
    await nothingRunsWithin(4_000);
  });
});
