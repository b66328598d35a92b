import { it } from "vitest";
import { testMemory } from "./testing/memory.ts";
it("perf", async () => {
  const m = await testMemory();
  const ent: any[] = [];
  for (let i = 0; i < 300; i++) ent.push((await m.run("upsert_entity", { type: "person", display_name: `Person ${i}`, primary_email: `p${i}@x.io` })).result.entity_id);
  const bench = async (name: string, f: (i: number) => Promise<any>, n = 1500) => {
    for (let i = 0; i < 100; i++) await f(-i - 1);
    const times: number[] = [];
    for (let i = 0; i < n; i++) { const t = performance.now(); await f(i); times.push(performance.now() - t); }
    times.sort((a, b) => a - b);
    const serial = times[n >> 1]!;
    const t2 = performance.now();
    let next = 100_000;
    await Promise.all(Array.from({ length: 8 }, async () => { while (next < 100_000 + n) await f(next++); }));
    console.log(name, serial.toFixed(3), "ms serial median; p10", times[n/10|0]!.toFixed(3), (n / (performance.now() - t2) * 1000).toFixed(0), "/s by 8");
  };
  await bench("bare tx", () => m.platform.database.transaction(async (tx) => { await tx.query("select $1::int", [1]); }));
  await bench("record_decision", (i) => m.run("record_decision", { title: `Decision number ${i}`, kind: "operational", rationale: "Because it was the best of the three options we had discussed in the meeting." }));
  await bench("record_commitment 2 refs", (i) => m.run("record_commitment", { description: `Pays invoice ${i}`, status: "proposed", from_entity: ent[Math.abs(i) % 300], to_entity: ent[(Math.abs(i) + 7) % 300] }));
  await bench("upsert new 1 key", (i) => m.run("upsert_entity", { type: "person", display_name: `New ${i}`, primary_email: `n${i}@x.io` }));
  await bench("upsert new 2 keys", (i) => m.run("upsert_entity", { type: "company", display_name: `New ${i}`, canonical_keys: { a: `n${i}`, b: `n${i}` } }));
  await bench("upsert same", (i) => m.run("upsert_entity", { type: "person", display_name: `Person ${Math.abs(i) % 300}`, primary_email: `p${Math.abs(i) % 300}@x.io` }));
  await bench("patch", (i) => m.run("patch_entity", { id: ent[Math.abs(i) % 300], attrs_patch: { i } }));
  await m.stop();
}, 200_000);
