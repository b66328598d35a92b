
import { it } from "vitest";
import { testPlatform } from "../../testing/platform.ts";
import { setTimeout as sleep } from "node:timers/promises";
it("drops", async () => {
  const t = await testPlatform();
  for (let i = 0; i < 25; i++) {
    await sleep(700);
    const rows = await t.asSuperuser("select slot_name from pg_replication_slots where slot_name like 'ambit_anchor%' and not active");
    for (const r of rows) await t.asSuperuser("select pg_drop_replication_slot($1)", [r.slot_name]).catch(() => {});
    if (i % 3 === 0) await t.asSuperuser("select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'walsender'");
  }
  await t.stop();
}, 60000);
