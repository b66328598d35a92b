import pg from "pg";
import { afterAll, describe, expect, inject, it } from "vitest";
import { TenantPools } from "./tenant-pools.ts";

const server = inject("postgres");
const pools = new TenantPools(() => new pg.Pool({ ...server, database: "postgres", max: 3 }), 4);
afterAll(() => pools.closeAll());

const settled = () => new Promise((resolve) => setTimeout(resolve, 50));

describe("TenantPools", () => {
  it("keeps all apps together under the bound by closing what nobody is using", async () => {
    for (let n = 0; n < 12; n++) {
      const client = await pools.get(`app_${n}`).connect();
      client.release();
      expect(pools.connections).toBeLessThanOrEqual(4);
    }
  });

  it("never closes a pool in use", async () => {
    const busy = await Promise.all(["a", "b", "c", "d", "e", "f"].map((app) => pools.get(app).connect()));
    for (let n = 0; n < 5; n++) (await pools.get(`more_${n}`).connect()).release();
    for (const client of busy) expect((await client.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    for (const client of busy) client.release();
    await settled();
    expect((await pools.get("a").query("select 2 as two")).rows).toEqual([{ two: 2 }]);
  });
});
