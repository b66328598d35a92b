/**
 * The promise: several Ambit processes on one Postgres each serve their clients every change exactly once, and one that
 * is killed leaves no slot behind that keeps log.
 *
 * Random apps as in exact.test.ts, whose clients are spread over two nodes; writes and changes of policies go through
 * the first, so that the other one learns of them from the log alone.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SEED } from "../gateway/stand/dice.ts";
import { signUp } from "../support/api.ts";
import { must, notesApp } from "../support/app.ts";
import { connectRealtime } from "../support/realtime.ts";
import { Ground } from "./stand/ground.ts";
import { play } from "./stand/play.ts";

const STEPS = Number(process.env.AMBIT_STEPS ?? 90);
let ground: Ground;

beforeAll(async () => {
  ground = await Ground.start(2);
}, 60_000);
afterAll(() => ground?.close());

const slots = async (): Promise<string[]> => {
  const { rows } = await ground.db.query(
    "select slot_name from pg_replication_slots where slot_name <> 'suite' and not temporary order by 1",
  );
  return rows.map(({ slot_name }) => slot_name);
};

describe("two nodes on one Postgres", { timeout: 120_000 }, () => {
  it("serve everyone every change exactly once", async () => {
    const apiUrl = (n: number) => ground.nodes[n % 2]!.apiUrl;
    const plan = { seed: SEED, steps: STEPS, modern: true, changes: 0.06, wishes: 0.04, losses: 0, apiUrl };
    const { judge } = await play(ground, plan);
    expect(judge.counts.exact).toBeGreaterThan(STEPS / 4);
  });

  it("take a client over from one another, with nothing missing", async () => {
    let moved = 0;
    const apiUrl = (n: number) => ground.nodes[(n + moved) % 2]!.apiUrl;
    const plan = { seed: SEED + 1, steps: STEPS, modern: true, changes: 0, wishes: 0, losses: 0.15, apiUrl };
    const { judge, clients } = await play(ground, {
      ...plan,
      async disturb({ clients }) {
        await Promise.all(clients.map((client) => client.drop()));
        moved += 1;
        return "everyone moves to the other node";
      },
    });
    expect(judge.counts.exact).toBeGreaterThan(STEPS / 4);
    expect(
      clients.flatMap(({ watches }) => watches).filter(({ resumed }) => resumed > 0).length,
    ).toBeGreaterThan(0);
  });

  it("go on when one is killed, which leaves no slot behind", async () => {
    const before = new Set(await slots());
    const third = await ground.addNode();
    const appId = await notesApp(ground.owner);
    const ada = await signUp(ground.server.apiUrl, appId, "ada");
    const there = await connectRealtime(third.apiUrl, appId, ada.token);
    const here = await connectRealtime(ground.server.apiUrl, appId, ada.token);
    for (const client of [there, here]) await client.subscribe("notes");
    for (let n = 0; n < 20; n++) must(await ada.api("POST", `/v1/${appId}/notes`, { title: `${n}` }));
    const titles = ({ changes }: typeof here) => changes("notes").map(({ record }) => record.title);
    for (const client of [there, here]) await client.waitFor((frame) => frame.record?.title === "19");
    expect(titles(there)).toEqual(titles(here));
    await third.kill();
    ground.nodes.splice(ground.nodes.indexOf(third), 1);
    const deadline = Date.now() + 15_000;
    let left: string[];
    do {
      must(await ada.api("POST", `/v1/${appId}/notes`, { title: "more" }));
      await sleep(250);
      left = (await slots()).filter((name) => !before.has(name));
    } while (left.length > 0 && Date.now() < deadline);
    expect(left, "slots of the node that was killed").toEqual([]);
    await here.waitFor((frame) => frame.record?.title === "more");
    expect(titles(here).slice(0, 20)).toEqual(Array.from({ length: 20 }, (_, n) => `${n}`));
    await here.close();
  });
});
