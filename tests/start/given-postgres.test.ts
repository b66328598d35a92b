import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, inject, it } from "vitest";
import { apiAs, signUp } from "../support/api.ts";
import { notesApp } from "../support/app.ts";
import { type Nodes, startNodes } from "../support/functions.ts";
import { connectRealtime } from "../support/realtime.ts";

let nodes: Nodes;
afterEach(() => nodes?.close());

/** Everything Ambit has in the PostgreSQL it was given, but its tables. */
async function held(): Promise<{ connections: string[]; slots: string[] }> {
  const { rows: connections } = await nodes.database.query(
    `select coalesce(nullif(application_name, ''), backend_type) as name from pg_stat_activity
     where datname = current_database() and application_name is distinct from 'suite'`,
  );
  const { rows: slots } = await nodes.database.query(
    "select slot_name, active, temporary from pg_replication_slots where database = current_database()",
  );
  return {
    connections: connections.map(({ name }) => name),
    slots: slots.map(({ slot_name, active, temporary }) => `${slot_name} ${active} ${temporary}`),
  };
}

/** What is left when everyone is gone: the one slot that keeps the window of the log. */
async function expectNothingLeft(): Promise<void> {
  // Postgres takes its time to notice that the other end is gone.
  await expect.poll(async () => (await held()).connections, { timeout: 10_000 }).toEqual([]);
  const { slots } = await held();
  expect(slots).toEqual([expect.stringMatching(/^ambit_anchor_\d+ false false$/)]);
}

async function start(count: number): Promise<void> {
  nodes = await startNodes(inject("postgres"), count);
  nodes.database.options.application_name = "suite";
}

describe("stopping on a PostgreSQL that goes on", { timeout: 150_000 }, () => {
  it("leaves no connection and no slot of its own, whatever its clients were doing", async () => {
    await start(2);
    const asked = async () => (await apiAs(nodes.server.apiUrl, null)("GET", "/health/ready")).body;
    // The log is not read while nobody listens; that is no reason to be sent no clients.
    for (let second = 0; second < 40; second++, await sleep(1_000))
      expect(await asked()).toMatchObject({ status: "ready", checks: { realtime: "ok" } });
    const appId = await notesApp(nodes.owner);
    const ada = await signUp(nodes.server.apiUrl, appId, "ada");
    const servers = [nodes.server, ...nodes.others];
    const clients = [];
    for (const { apiUrl } of servers) {
      const client = await connectRealtime(apiUrl, appId, ada.token);
      client.send({ type: "subscribe", table: "notes", id: "rows", initial: true });
      client.send({ type: "presence_track", room: "room:1", metadata: {} });
      client.send({ type: "broadcast_join", channel: "room:1" });
      await client.waitFor(({ type }) => type === "initial");
      await client.waitFor(({ type }) => type === "broadcast_joined");
      clients.push(client);
    }
    const writing = Array.from({ length: 50 }, (_, n) =>
      ada.api("POST", `/v1/${appId}/notes`, { title: `${n}` }).catch(() => null),
    );
    await clients[1]!.waitFor(({ type }) => type === "change");
    expect((await held()).slots.length).toBeGreaterThan(1);
    const codes = await Promise.all(servers.map((server) => server.stop()));
    expect(codes).toEqual([0, 0]);
    await Promise.all([...writing, ...clients.map((client) => client.waitClosed())]);
    await expectNothingLeft();
  });

  it("leaves none when it is stopped as soon as it has started, nor when the log is just begun to be read", async () => {
    await start(1);
    expect(await nodes.server.stop()).toBe(0);
    await expectNothingLeft();
    const server = await nodes.restart();
    const appId = await notesApp(apiAs(server.apiUrl, server.apiKey));
    const client = await connectRealtime(server.apiUrl, appId, server.apiKey);
    client.send({ type: "subscribe", table: "notes", initial: true });
    expect(await server.stop()).toBe(0);
    await expectNothingLeft();
  });
});
