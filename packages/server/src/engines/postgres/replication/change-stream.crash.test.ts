import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type PostgresFixture, startPostgres } from "./testing/postgres-fixture.ts";
import { mark, publish, Recorder } from "./testing/recorder.ts";
import { cutWalsenders, expectExact, reconnect, startWriting } from "./testing/writing.ts";

let postgres: PostgresFixture;
let client: Client;

beforeAll(async () => {
  postgres = await startPostgres();
  client = await postgres.connect();
});

afterAll(() => postgres.stop());

describe("a change stream", () => {
  it("loses and doubles nothing when its connection is cut again and again", async () => {
    await client.query("CREATE TABLE cut (writer int, n int, PRIMARY KEY (writer, n))");
    await publish(client, "cut", "cut");
    const recorder = new Recorder({ connection: postgres.connection, slot: "cut", publications: ["cut"] });
    const writing = startWriting(postgres, "cut");
    for (let i = 0; i < 12; i++) {
      await recorder.untilState("streaming");
      await sleep(60);
      await cutWalsenders(client);
      await recorder.until(
        () => recorder.statuses.filter(({ state }) => state === "disconnected").length > i,
      );
    }
    await writing.stop();
    await mark(client, "end");
    await recorder.untilMessage("end");
    await recorder.stream.stop();
    expect(writing.acknowledged.length).toBeGreaterThan(500);
    await expectExact(client, recorder, "cut", writing.acknowledged);
  });

  it("takes up a large transaction where it was cut off", async () => {
    await client.query("CREATE TABLE parts (writer int, n int, PRIMARY KEY (writer, n))");
    await publish(client, "parts", "parts");
    let cuts = 0;
    const recorder: Recorder = new Recorder({
      connection: postgres.connection,
      slot: "parts",
      publications: ["parts"],
      onTransaction: async ({ part }) => {
        if (part !== 1 + cuts || cuts === 3) return;
        cuts += 1;
        await cutWalsenders(client);
      },
    });
    await client.query("INSERT INTO parts SELECT 0, n FROM generate_series(1, 120000) n");
    await mark(client, "end");
    await recorder.untilMessage("end");
    await recorder.stream.stop();
    expect(recorder.statuses.filter(({ state }) => state === "disconnected").length).toBeGreaterThan(0);
    await expectExact(client, recorder, "parts", []);
    const parts = recorder.transactions.filter(({ events: [event] }) => event?.kind === "insert");
    expect(parts.map(({ part }) => part)).toEqual(parts.map((_, i) => i));
    expect(parts.map(({ firstEvent }) => firstEvent)).toEqual(parts.map((_, i) => i * 10_000));
  });

  it("loses and doubles nothing when the server is killed", async () => {
    await client.query("CREATE TABLE killed (writer int, n int, PRIMARY KEY (writer, n))");
    await publish(client, "killed", "killed");
    const recorder = new Recorder({
      connection: postgres.connection,
      slot: "killed",
      publications: ["killed"],
    });
    const writing = startWriting(postgres, "killed");
    for (let i = 0; i < 3; i++) {
      await recorder.untilState("streaming");
      await sleep(150);
      await postgres.crash();
      await recorder.until(
        () => recorder.statuses.filter(({ state }) => state === "disconnected").length > i,
      );
    }
    await writing.stop();
    client = await reconnect(postgres);
    await mark(client, "end");
    await recorder.untilMessage("end");
    await recorder.stream.stop();
    expect(writing.acknowledged.length).toBeGreaterThan(200);
    await expectExact(client, recorder, "killed", writing.acknowledged);
  });
});
