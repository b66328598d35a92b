/**
 * The promise: `subscribe` with `initial: true` gives the current rows and then the stream, with no gap and no overlap,
 * however many write meanwhile and however many rows there are.
 *
 * Random apps as in exact.test.ts, in which subscriptions begin all the time amidst writes: for each, what was committed
 * around its beginning has to be in the rows or among the changes, never in both and never in neither.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SEED } from "../gateway/stand/dice.ts";
import { signUp } from "../support/api.ts";
import { must, notesApp } from "../support/app.ts";
import { connectRealtime, type Frame, type RealtimeClient } from "../support/realtime.ts";
import { Ground } from "./stand/ground.ts";
import { play } from "./stand/play.ts";
import { quoted } from "./stand/sql.ts";

const STEPS = Number(process.env.AMBIT_STEPS ?? 120);
let ground: Ground;

beforeAll(async () => {
  ground = await Ground.start();
});
afterAll(() => ground?.close());

const initials = (client: RealtimeClient, id: string): Frame[] =>
  client.frames.filter((frame) => frame.type === "initial" && frame.id === id);

/** All rows of the `initial` frames of a subscription, once the last has come. */
async function initialRows(client: RealtimeClient, id: string): Promise<any[]> {
  await client.waitFor((frame) => frame.type === "initial" && frame.id === id && frame.done === true, 20_000);
  return initials(client, id).flatMap((frame) => frame.rows);
}

describe("initial rows and the stream behind them", { timeout: 120_000 }, () => {
  it.each([SEED, SEED + 1])("fit together amidst writes, seed %i", async (seed) => {
    const plan = { seed, steps: STEPS, modern: true, changes: 0, wishes: 0.5, losses: 0 };
    const { judge } = await play(ground, plan);
    expect(judge.counts.initials).toBeGreaterThan(STEPS / 10);
  });

  it("come in several frames, each row once, the last one marked, and nothing else between", async () => {
    const appId = await notesApp(ground.owner);
    const ada = await signUp(ground.server.apiUrl, appId, "ada");
    const notes = quoted(appId, "notes");
    await ground.db.query(
      `insert into ${notes} (owner_id, title) select $1, repeat('x', 400) || n from generate_series(1, 3000) n`,
      [ada.id],
    );
    await ground.db.query(`insert into ${notes} (owner_id, title) values ('somebody', 'hers')`);
    const client = await connectRealtime(ground.server.apiUrl, appId, ada.token);
    client.send({ type: "subscribe", table: "notes", id: "all", initial: true });
    let writing = true;
    const writer = (async () => {
      for (let n = 0; writing; n++) must(await ada.api("POST", `/v1/${appId}/notes`, { title: `late ${n}` }));
    })();
    const rows = await initialRows(client, "all");
    writing = false;
    await writer;
    const frames = initials(client, "all");
    expect(frames.length).toBeGreaterThan(3);
    expect(frames.map(({ done }) => done === true)).toEqual(frames.map((_, n) => n === frames.length - 1));
    must(await ada.api("POST", `/v1/${appId}/notes`, { title: "the last" }));
    await client.waitFor((frame) => frame.record?.title === "the last");
    const titles = [...rows, ...client.changes("notes").map((frame) => frame.record)].map(
      ({ title }) => title,
    );
    const { rows: stored } = await ground.db.query(`select title from ${notes} where owner_id = $1`, [
      ada.id,
    ]);
    expect(titles.sort()).toEqual(stored.map(({ title }) => title).sort());
    const at = client.frames.findIndex((frame) => frame.type === "initial");
    const from = client.frames.slice(at);
    expect(
      from.slice(0, frames.length).map(({ type }) => type),
      "no change between the rows",
    ).toEqual(frames.map(() => "initial"));
    await client.close();
  });

  it("carry rows of a megabyte, and say so when there are more rows than they give", async () => {
    const appId = await notesApp(ground.owner);
    const ada = await signUp(ground.server.apiUrl, appId, "ada");
    const notes = quoted(appId, "notes");
    const large = "ü".repeat(500_000);
    await ground.db.query(`insert into ${notes} (owner_id, title) values ($1, $2)`, [ada.id, large]);
    const client = await connectRealtime(ground.server.apiUrl, appId, ada.token);
    client.send({ type: "subscribe", table: "notes", id: "one", initial: true });
    const [row] = await initialRows(client, "one");
    expect(row.title).toBe(large);
    await ground.db.query(`update ${notes} set owner_id = $1 where owner_id = $1`, [ada.id]);
    const change = await client.waitFor((frame) => frame.op === "UPDATE");
    expect([change.record.title, change.old_record.title], "a value that was not written again").toEqual([
      large,
      large,
    ]);
    await ground.db.query(
      `insert into ${notes} (owner_id, title) select $1, n from generate_series(1, 10500) n`,
      [ada.id],
    );
    client.send({ type: "subscribe", table: "notes", id: "many", initial: true });
    const refusal = await client.waitFor((frame) => frame.type === "error", 20_000);
    expect(refusal.message).toMatch(/10000 rows/);
    expect(refusal.message).toMatch(/filter|data API/);
    await client.close();
  });
});
