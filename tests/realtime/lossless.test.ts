/**
 * The promise: nothing is lost, nothing comes twice, and nothing comes out of order, whatever ends: a client's
 * connection, the connection on which the log is read, the server or the database (killed without warning), the slot.
 *
 * Random apps as in exact.test.ts. A client that comes back gives its last `seq`; what it then gets is held against the
 * log: all that it missed, judged as ever, or `resync`. As long as nothing but clients' connections end, there is no
 * excuse for a `resync` that no change of policies or members explains.
 *
 * AMBIT_SEED repeats a run or looks elsewhere, AMBIT_STEPS makes it longer, AMBIT_RUNS makes more of them.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Dice, SEED } from "../gateway/stand/dice.ts";
import { signUp } from "../support/api.ts";
import { applySchema, must, notesApp } from "../support/app.ts";
import { connectRealtime, type Frame } from "../support/realtime.ts";
import { Ground } from "./stand/ground.ts";
import { type Plan, type Play, play } from "./stand/play.ts";
import { quoted } from "./stand/sql.ts";

const STEPS = Number(process.env.AMBIT_STEPS ?? 90);
const RUNS = Number(process.env.AMBIT_RUNS ?? 1);
const seeds = Array.from({ length: RUNS }, (_, n) => SEED + n);
const calm = { steps: STEPS, modern: true, changes: 0, wishes: 0.03, losses: 0.05 };
let ground: Ground;

beforeAll(async () => {
  ground = await Ground.start();
});
afterAll(() => ground?.close());

/** Plays with something done to the ground between any two quiet points. */
const disturbed = (
  seed: number,
  what: string,
  work: () => Promise<unknown>,
  more: Partial<Plan> = {},
): Promise<Play> =>
  play(ground, {
    ...{ ...calm, seed, ...more },
    async disturb() {
      await work();
      return `!! ${what}`;
    },
  });

const resumed = ({ clients }: Play): number =>
  clients.flatMap(({ watches }) => watches).reduce((sum, watch) => sum + watch.resumed, 0);

/** What a change frame says, whichever subscription it came to. */
const told = ({ op, reason, record, old_record, seq }: Frame) => ({ op, reason, record, old_record, seq });

/** Several changes of ada's and other people's rows in each transaction, some of them of another table. */
async function writeTransactions(dice: Dice, appId: string, ada: string): Promise<void> {
  const notes = quoted(appId, "notes");
  const client = await ground.db.connect();
  try {
    for (let n = 0; n < 8; n++) {
      await client.query("begin");
      for (let part = 0; part < 1 + dice.int(4); part++) {
        const owner = dice.chance(0.7) ? ada : "somebody";
        await client.query(`insert into ${notes} (owner_id, title) values ($1, $2)`, [owner, `${n}.${part}`]);
        if (dice.chance(0.3)) await client.query(`insert into ${quoted(appId, "others")} default values`);
        if (dice.chance(0.3))
          await client.query(`update ${notes} set owner_id = $1 where title = $2`, [ada, `${n}.${part}`]);
      }
      if (dice.chance(0.3)) await client.query(`delete from ${notes} where title like $1`, [`${n - 1}.%`]);
      await client.query("commit");
    }
  } finally {
    client.release();
  }
}

/**
 * Comes back from each of these changes in turn; whether it went on from there. If so, all that came later has to come,
 * and otherwise a `resync`.
 */
async function comeBackFromAll(
  apiUrl: string,
  { appId, token, all }: { appId: string; token: string; all: readonly Frame[] },
): Promise<boolean[]> {
  const client = await connectRealtime(apiUrl, appId, token);
  const answers: boolean[] = [];
  for (const [at, { seq }] of all.entries()) {
    const own = ({ id }: Frame) => id === `from ${at}`;
    client.send({ type: "subscribe", table: "notes", id: `from ${at}`, since: seq });
    const { resumed } = await client.waitFor((frame) => frame.type === "subscribed" && own(frame));
    // What it is sent comes behind the answer; the next answer is behind that.
    client.send({ type: "subscribe", table: "notes", id: `behind ${at}` });
    await client.waitFor((frame) => frame.type === "subscribed" && frame.id === `behind ${at}`);
    const due = resumed === true ? all.slice(at + 1).map(told) : [];
    expect(client.changes("notes").filter(own).map(told), seq).toEqual(due);
    const resyncs = client.frames.filter((frame) => frame.type === "resync" && own(frame));
    expect(
      resyncs.map(({ reason }) => reason),
      seq,
    ).toEqual(resumed === true ? [] : ["window_over"]);
    answers.push(resumed);
    for (const id of [`from ${at}`, `behind ${at}`]) client.send({ type: "unsubscribe", id });
    // Slower than the limit on messages.
    await sleep(60);
  }
  await client.close();
  return answers;
}

describe("nothing is lost", { timeout: 120_000 + STEPS * 1_000 }, () => {
  it.each(seeds)("when clients are lost and come back with `since`, seed %i", async (seed) => {
    const played = await play(ground, { ...calm, seed, losses: 0.2 });
    expect(resumed(played), "subscriptions that went on where they were").toBeGreaterThan(5);
    expect(played.judge.counts.exact).toBeGreaterThan(STEPS / 4);
  });

  it.each(seeds)("from whichever frame on, amidst a transaction too, seed %i", async (seed) => {
    const dice = new Dice(seed);
    const appId = await notesApp(ground.owner);
    await applySchema(ground.owner, appId, {
      others: { columns: { id: { type: "serial", primaryKey: true } } },
    });
    must(await ground.owner("POST", `/v1/${appId}/realtime/configure`, { tables: ["others"] }));
    const { id, api, token } = await signUp(ground.server.apiUrl, appId, "ada");
    const there = await connectRealtime(ground.server.apiUrl, appId, token);
    there.send({ type: "subscribe", table: "notes", id: "all" });
    await there.waitFor((frame) => frame.type === "subscribed");
    await writeTransactions(dice, appId, id);
    must(await api("POST", `/v1/${appId}/notes`, { title: "the last" }));
    await there.waitFor((frame) => frame.record?.title === "the last");
    const all = there.changes("notes");
    const amidst = all.filter(({ seq }, at) => all[at + 1]?.seq.startsWith(seq.slice(0, 17)));
    expect(amidst.length, "places amidst transactions").toBeGreaterThan(3);
    const answers = await comeBackFromAll(ground.server.apiUrl, { appId, token, all });
    expect(new Set(answers), "whether it went on").toEqual(new Set([true]));
    await there.close();
  });

  it("as far back as the window goes, and whoever comes from before it is told so", async () => {
    const MIB = 1024 * 1024;
    const node = await ground.addNode({ AMBIT_REALTIME_WINDOW_MEMORY_BYTES: String(MIB) });
    const appId = await notesApp(ground.owner);
    const { id, token } = await signUp(ground.server.apiUrl, appId, "ada");
    const there = await connectRealtime(node.apiUrl, appId, token);
    there.send({ type: "subscribe", table: "notes", id: "all" });
    await there.waitFor((frame) => frame.type === "subscribed");
    const text = `insert into ${quoted(appId, "notes")} (owner_id, title) values ($1, $2)`;
    for (let n = 0; n < 30; n++) await ground.db.query(text, [id, `${n} ${"x".repeat(MIB / 16)}`]);
    await there.waitFor((frame) => frame.record?.title.startsWith("29 "));
    const answers = await comeBackFromAll(node.apiUrl, { appId, token, all: there.changes("notes") });
    expect(answers.filter((each) => !each).length, "from before the window").toBeGreaterThan(5);
    expect(answers.filter(Boolean).length, "from within the window").toBeGreaterThan(5);
    expect(answers, "the older, the sooner over").toEqual(answers.toSorted((a, b) => Number(a) - Number(b)));
    await there.close();
    await ground.removeNode(node);
  });

  it.each(seeds)("when policies change while clients are away, seed %i", async (seed) => {
    const played = await play(ground, { ...calm, seed, losses: 0.2, changes: 0.1 });
    expect(resumed(played)).toBeGreaterThan(0);
  });

  it.each(seeds)("when the connection on which the log is read is cut, seed %i", async (seed) => {
    const played = await disturbed(seed, "replication is cut", () => ground.cutReplication());
    expect(played.judge.counts.exact).toBeGreaterThan(STEPS / 4);
  });

  it.each(seeds)("when Postgres is killed, seed %i", async (seed) => {
    const played = await disturbed(seed, "Postgres is killed", () => ground.killDatabase());
    expect(played.judge.counts.exact).toBeGreaterThan(STEPS / 4);
  });

  it.each(seeds)("when the server is killed, seed %i", async (seed) => {
    const played = await disturbed(seed, "the server is killed", () => ground.killServer(), { losses: 0 });
    expect(played.judge.counts.exact).toBeGreaterThan(0);
  });

  it.each(seeds)("when the slots are lost: then everyone is told to load afresh, seed %i", async (seed) => {
    let dropped = 0;
    const played = await disturbed(seed, "the slots are dropped", async () => {
      dropped += await ground.dropSlots();
      // The node reads through a copy of its own: without it, too, what is written now is lost to it.
      await ground.cutReplication();
    });
    expect(dropped).toBeGreaterThan(0);
    expect(played.judge.counts.resyncs).toBeGreaterThan(0);
  });
});
