import { it } from "vitest";
import { apiAs } from "/work/main/tests/support/api.ts";
import { discard, startServer } from "/work/main/tests/support/server.ts";
import { newStaffed } from "/work/main/tests/support/substrate.ts";
import { checkpoint, compareAll, compareBooks, newRun, play, telling } from "/work/main/tests/substrate/model/play.ts";
it("soaks", async () => {
  const server = await startServer();
  const founder = apiAs(server.apiUrl, server.apiKey);
  const from = Number(process.env.AMBIT_SEED ?? 1), runs = Number(process.env.AMBIT_RUNS ?? 10), steps = Number(process.env.AMBIT_STEPS ?? 250);
  const fails: string[] = [];
  const codes = new Map<string, number>();
  for (let seed = from; seed < from + runs; seed++) {
    const run = newRun(seed, await newStaffed(() => server.apiUrl, founder, `Model ${seed}`));
    const t = Date.now();
    try {
      await telling(run, seed, async () => { await play(run, steps/2); const kept=[await checkpoint(run)]; await play(run, steps/2); await compareAll(run); await compareBooks(run, kept); });
    } catch (e) { fails.push((e as Error).message.slice(0, 4000)+"\n"+String((e as any).stack).split("\n").filter(l=>l.includes("tests/substrate")).slice(0,4).join("\n")); }
    for (const line of run.trail) { const m=/^ {2}→ (\d+) .*?"code":"(\w+)"/.exec(line) ?? /^ {2}→ (\d+) .*?"result":"(auto\w*|requires\w*|rejected)"/.exec(line); if (m) codes.set(m[1]+" "+m[2], (codes.get(m[1]+" "+m[2])??0)+1); }
    for (const a of run.world.actions.values()) { const k = `action ${a.status} ${a.capability}${a.error ? " "+a.error : ""}`; codes.set(k, (codes.get(k)??0)+1);}
    console.log(seed, Date.now()-t, "ms", fails.length);
    if (fails.length > 2) break;
  }
  console.log([...codes].sort().map(([k,v])=>`${v}\t${k}`).join("\n"));
  for (const f of fails) console.log("FAIL\n"+f);
  await discard(server);
  if (fails.length) throw new Error("fails");
}, 3_000_000);
