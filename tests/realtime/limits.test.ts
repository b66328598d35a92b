/**
 * The promise: one client is bounded in what it may ask and in what may wait for it. Hitting a limit is a clear error
 * with a remedy and a metric, and nobody else notices.
 */

import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, apiAs, type Person, signUp } from "../support/api.ts";
import { must, notesApp } from "../support/app.ts";
import { connectRealtime, type RealtimeClient } from "../support/realtime.ts";
import { discard, type Server, startServer } from "../support/server.ts";

let server: Server;
let owner: Api;
let appId: string;
let ada: Person;

beforeAll(async () => {
  server = await startServer();
  owner = apiAs(server.apiUrl, server.apiKey);
  appId = await notesApp(owner);
  ada = await signUp(server.apiUrl, appId, "ada");
});
afterAll(() => discard(server));

const open = () => connectRealtime(server.apiUrl, appId, ada.token);

/** How often a limit was hit, as the metrics say. */
async function hits(): Promise<number> {
  const text: string = must(await owner("GET", "/metrics"));
  const found = [...text.matchAll(/^ambit_limits?_hits?(?:_total)?\{[^}]*\} (\d+)$/gm)];
  return found.reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Another client gets a change that was made now. */
async function othersAreServed(other: RealtimeClient): Promise<void> {
  const title = `seen ${Math.random()}`;
  must(await ada.api("POST", `/v1/${appId}/notes`, { title }));
  await other.waitFor((frame) => frame.record?.title === title, 5_000);
}

describe("what one client may ask", { timeout: 60_000 }, () => {
  it("is so many subscriptions; the next one is refused and the others stay", async () => {
    const client = await open();
    const before = await hits();
    let refused: any;
    for (let n = 0; n < 2_000 && refused === undefined; n++) {
      client.send({ type: "subscribe", table: "notes", id: `s${n}` });
      // Slower than the limit on messages.
      if (n % 8 === 7) await sleep(110);
      refused = client.frames.find((frame) => frame.type === "error");
    }
    expect(refused?.message).toMatch(/subscri/i);
    expect(refused.message, "the remedy").toMatch(/unsubscribe/i);
    expect(await hits()).toBeGreaterThan(before);
    await othersAreServed(client);
    client.send({ type: "unsubscribe", id: "s0" });
    await client.waitFor((frame) => frame.type === "unsubscribed");
    client.send({ type: "subscribe", table: "notes", id: "again" });
    await client.waitFor((frame) => frame.type === "subscribed" && frame.id === "again");
    await client.close();
  });

  it("is frames of so many bytes: a larger one ends the connection and no other", async () => {
    const [client, other] = [await open(), await open()];
    await other.subscribe("notes");
    const before = await hits();
    client.send(JSON.stringify({ type: "event", event: "x", payload: "y".repeat(1024 * 1024) }));
    expect((await client.waitClosed()).code).toBe(1009);
    expect(await hits()).toBeGreaterThan(before);
    await othersAreServed(other);
    await other.close();
  });

  it("is so many frames in a second: more of them end the connection, which says why", async () => {
    const [client, other] = [await open(), await open()];
    await other.subscribe("notes");
    const before = await hits();
    for (let n = 0; n < 1_000; n++) client.send({ type: "unsubscribe", table: "notes" });
    expect((await client.waitClosed()).code).toBe(1008);
    expect(client.frames.at(-1)).toMatchObject({
      type: "error",
      message: expect.stringMatching(/too many messages/i),
    });
    expect(await hits()).toBeGreaterThan(before);
    await othersAreServed(other);
    await other.close();
  });

  it("is well-formed: what is not is answered with an error, and the connection goes on", async () => {
    const client = await open();
    const bad: (object | string)[] = [
      "{",
      "[]",
      "null",
      `${"[".repeat(5_000)}${"]".repeat(5_000)}`,
      { type: "nonsense" },
      { type: "subscribe" },
      { type: "subscribe", table: "notes", id: "x".repeat(65) },
      { type: "subscribe", table: "notes", id: "" },
      { type: "subscribe", table: "notes", id: "a", filter: "title=nonsense.1" },
      { type: "subscribe", table: "notes", id: "a", filter: { no_such_column: 1 } },
      { type: "subscribe", table: "notes", id: "a", columns: ["no_such_column"] },
      { type: "subscribe", table: "notes", id: "a", since: "nonsense" },
    ];
    for (const [n, frame] of bad.entries()) {
      client.send(frame);
      const errors = () => client.frames.filter(({ type }) => type === "error");
      await client.waitFor(() => errors().length > n);
      expect(errors().length, JSON.stringify(frame).slice(0, 80)).toBe(n + 1);
      expect(errors()[n]!.message.length, "in words").toBeGreaterThan(10);
    }
    await client.subscribe("notes");
    await othersAreServed(client);
    await client.close();
  });
});

/** A client that shakes hands, subscribes and then reads nothing. */
async function deafClient(): Promise<{ socket: Socket; readAll(): Promise<string> }> {
  const { hostname, port } = new URL(server.apiUrl);
  const socket = connect(Number(port), hostname);
  await new Promise((resolve) => socket.once("connect", resolve));
  socket.write(
    `GET /v1/${appId}/realtime?token=${ada.token} HTTP/1.1\r\nhost: ${hostname}\r\nconnection: upgrade\r\nupgrade: websocket\r\n` +
      "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  const text = Buffer.from(JSON.stringify({ type: "subscribe", table: "notes" }));
  // A masked text frame whose mask changes nothing.
  socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]));
  const pieces: Buffer[] = [];
  await new Promise<void>((resolve) => {
    const look = (piece: Buffer) => {
      pieces.push(piece);
      if (!Buffer.concat(pieces).includes('"subscribed"')) return;
      socket.off("data", look);
      socket.pause();
      resolve();
    };
    socket.on("data", look);
  });
  return {
    socket,
    readAll: () =>
      new Promise((resolve) => {
        socket.on("data", (piece: Buffer) => pieces.push(piece));
        socket.on("error", () => {});
        socket.on("close", () => resolve(Buffer.concat(pieces).toString("latin1")));
        socket.resume();
      }),
  };
}

/** Memory of the server that is its own, in bytes. */
const memory = (): number =>
  Number(/^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))![1]) * 1024;

describe("what may wait for one client", { timeout: 90_000 }, () => {
  it("is so many bytes: who does not read is told to load afresh and closed; nobody waits for them", async () => {
    const deaf = await Promise.all(Array.from({ length: 8 }, deafClient));
    const other = await open();
    await other.subscribe("notes");
    const [before, usedBefore] = [await hits(), memory()];
    const title = "z".repeat(200_000);
    for (let n = 0; n < 300; n++) {
      const startedMs = performance.now();
      must(await ada.api("POST", `/v1/${appId}/notes`, { title: `${n} ${title}` }));
      await other.waitFor((frame) => frame.record?.title.startsWith(`${n} `) === true, 5_000);
      expect(performance.now() - startedMs, "until somebody else has it, in ms").toBeLessThan(3_000);
    }
    expect(await hits()).toBeGreaterThan(before);
    // 8 clients times 60 MB would be half a gigabyte.
    expect(memory() - usedBefore, "bytes the server has grown by").toBeLessThan(300 * 1024 * 1024);
    for (const { readAll } of deaf) {
      const all = await readAll();
      expect(all.length, "bytes that were sent to who did not read").toBeLessThan(40 * 1024 * 1024);
      expect(all).not.toContain('"299 zzz');
    }
    await othersAreServed(other);
    await other.close();
  });

  it("who begins to read again in time is told to load afresh", async () => {
    const { readAll } = await deafClient();
    const before = await hits();
    const title = "y".repeat(200_000);
    for (let n = 0; n < 400 && (await hits()) === before; n++) {
      must(await ada.api("POST", `/v1/${appId}/notes`, { title }));
    }
    const all = await readAll();
    expect(all).toContain('"type":"resync"');
    expect(all).toContain('"reason":"too_slow"');
  });
});
