/**
 * The promise: connections see who else is there and send each other messages, in rooms and channels that the app's
 * rules open to them and no others, across all nodes of a database. What a client folds from its frames is exactly who
 * is there; who may no longer be in is taken out; nobody else notices anything.
 *
 * Two nodes on one Postgres. Where it is left to chance, AMBIT_SEED repeats it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { Dice, SEED } from "../gateway/stand/dice.ts";
import { signUp } from "../support/api.ts";
import { newApp } from "../support/app.ts";
import type { RealtimeClient } from "../support/realtime.ts";
import { ada, ben, connect, eve, ground, key, named, owner, presence, useRooms } from "./stand/room-world.ts";
import { answer, answered, eventually, folded, heard, idOf, join, later, say, track } from "./stand/rooms.ts";

useRooms();

describe("the app-wide room, as clients have always known it", { timeout: 30_000 }, () => {
  it("shows the others and oneself to the others, on both nodes, to those who show themselves", async () => {
    const [mine, hers, silent] = [
      await connect(ada!.token),
      await connect(ben!.token, 1),
      await connect(null, 1),
    ];
    expect(
      await answer(mine, { type: "presence_track", metadata: { name: "Ada" } }, "presence_state"),
    ).toEqual({
      type: "presence_state",
      clients: [],
    });
    let first = await answer(hers, { type: "presence_track" }, "presence_state");
    // The other node may hear of it a moment later.
    if (first.clients.length === 0) first = await hers.waitFor(({ type }) => type === "presence_join");
    else [first] = first.clients;
    expect(first).toMatchObject({ client_id: idOf(mine), user_id: ada!.id, metadata: { name: "Ada" } });
    expect(await mine.waitFor(({ type }) => type === "presence_join")).toEqual({
      ...{ type: "presence_join", client_id: idOf(hers), user_id: ben!.id, metadata: {} },
    });
    hers.send({ type: "presence_update", metadata: { away: [1, { x: null }] } });
    expect(await mine.waitFor(({ type }) => type === "presence_update")).toEqual({
      ...{ type: "presence_update", client_id: idOf(hers), metadata: { away: [1, { x: null }] } },
    });
    await hers.close();
    expect(await mine.waitFor(({ type }) => type === "presence_leave")).toEqual({
      ...{ type: "presence_leave", client_id: idOf(hers), user_id: ben!.id },
    });
    expect(presence(mine).map(({ type }) => type.slice("presence_".length))).toEqual(
      "state join update leave".split(" "),
    );
    expect(presence(silent)).toEqual([]);
    const refused = await answer(silent, { type: "presence_update", metadata: {} }, "presence_state");
    expect(refused.message).toMatch(/after presence_track/);
  });

  it("tells anonymous connections no user ids, in whatever frame", async () => {
    const [mine, hers, nobody] = [
      await connect(ada!.token),
      await connect(ben!.token, 1),
      await connect(null),
    ];
    await answer(mine, { type: "presence_track" }, "presence_state");
    await track(mine, "open");
    await answer(nobody, { type: "presence_track" }, "presence_state");
    await track(nobody, "open");
    await answer(hers, { type: "presence_track" }, "presence_state");
    await track(hers, "open");
    hers.send({ type: "presence_update", room: "open", metadata: { moved: true } });
    // It may come with the joining.
    await nobody.waitFor((frame) => frame.type === "presence_diff" && /moved/.test(JSON.stringify(frame)));
    await Promise.all([mine.close(), hers.close()]);
    await eventually(() => {
      expect([...folded(nobody, "open")!.keys()]).toEqual([idOf(nobody)]);
      expect(presence(nobody).filter(({ type }) => type === "presence_leave")).toHaveLength(2);
    });
    const text = JSON.stringify(nobody.frames);
    for (const { id, email } of [ada!, ben!]) {
      expect(text).not.toContain(id);
      expect(text).not.toContain(email);
    }
  });
});

describe("named rooms", { timeout: 30_000 }, () => {
  it(`fold to exactly who is there, whatever everybody does (seed ${SEED})`, async () => {
    console.log(`AMBIT_SEED=${SEED}`);
    const dice = new Dice(SEED);
    const rooms = ["red", "blue"];
    const tokens = [ada!.token, ben!.token, eve!.token, null, key()];
    /** What each connection shows in each room. */
    const truth = new Map<RealtimeClient, Map<string, unknown>>();
    const all: RealtimeClient[] = [];
    const users = new Map<RealtimeClient, string | null>();
    const userOf = (token: string | null) =>
      [ada!, ben!, eve!].find((one) => one.token === token)?.id ?? null;
    const come = async () => {
      const token = dice.pick(tokens);
      const client = await connect(token, dice.int(2));
      users.set(client, userOf(token));
      truth.set(client, new Map());
      all.push(client);
    };
    for (let n = 0; n < 8; n++) await come();
    for (let step = 0; step < 260; step++) {
      const here = [...truth.keys()];
      const client = dice.pick(here);
      const room = dice.pick(rooms);
      const metadata = { step, deep: "x".repeat(dice.int(40)) };
      const shown = truth.get(client)!;
      if (dice.chance(0.05)) {
        truth.delete(client);
        await client.close();
        await come();
      } else if (!shown.has(room) || dice.chance(0.2)) {
        client.send({ type: "presence_track", room, metadata });
        shown.set(room, metadata);
      } else if (dice.chance(0.6)) {
        client.send({ type: "presence_update", room, metadata });
        shown.set(room, metadata);
      } else {
        client.send({ type: "presence_untrack", room });
        shown.delete(room);
      }
      if (dice.chance(0.3)) await sleep(dice.int(40));
    }
    await Promise.all([...truth.keys()].map(answered));
    await eventually(() => {
      for (const [client, shown] of truth) {
        for (const room of rooms) {
          const expected = new Map<string, string>();
          for (const [other, metadata] of truth) {
            if (!metadata.has(room)) continue;
            const anonymous = client.frames[0]!.role === "butterbase_anon";
            const user = anonymous ? null : users.get(other)!;
            expected.set(idOf(other), JSON.stringify([user, metadata.get(room)]));
          }
          const view = folded(client, room);
          if (shown.has(room)) expect(view).toEqual(expected);
          else expect(view).toBeNull();
        }
      }
    });
    for (const client of all) expect(client.frames.filter(({ type }) => type === "error")).toEqual([]);
  });

  it("lose those of a node that is killed within seconds, each once; the others stay", async () => {
    const third = await ground.addNode();
    const [here, there] = [await connect(ada!.token), await connect(ben!.token, 1)];
    const ghosts: RealtimeClient[] = [];
    for (let n = 0; n < 3; n++) ghosts.push(await connect(eve!.token, ground.nodes.indexOf(third)));
    for (const client of [here, there, ...ghosts]) {
      await track(client, "ward");
      await answer(client, { type: "presence_track" }, "presence_state");
    }
    const everybody = [here, there, ...ghosts].map(idOf).sort();
    await eventually(() => {
      for (const client of [here, there, ...ghosts]) {
        expect([...folded(client, "ward")!.keys()].sort()).toEqual(everybody);
      }
    });
    const at = performance.now();
    await third.kill();
    ground.nodes.splice(ground.nodes.indexOf(third), 1);
    const left = [here, there].map(idOf).sort();
    await eventually(() => {
      for (const client of [here, there]) expect([...folded(client, "ward")!.keys()].sort()).toEqual(left);
    }, 12_000);
    expect(performance.now() - at, "ms until they are gone").toBeLessThan(8_000);
    await sleep(1_000);
    const gone = ghosts.map(idOf).sort();
    for (const client of [here, there]) {
      const leaves = named(client, "ward").flatMap((frame) => frame.leaves ?? []);
      expect(leaves.map(({ client_id }) => client_id).sort()).toEqual(gone);
      const plain = presence(client).filter(({ type }) => type === "presence_leave");
      expect(plain.map(({ client_id }) => client_id).sort()).toEqual(gone);
      expect(plain.map(({ user_id }) => user_id)).toEqual(gone.map(() => eve!.id));
      await client.close();
    }
  });

  it("and channels of another app are other rooms and channels, even of the same name", async () => {
    const other = await newApp(owner);
    const zoe = await signUp(ground.server.apiUrl, other, "zoe");
    const [mine, near, far] = [
      await connect(ada!.token),
      await connect(zoe.token, 0, other),
      await connect(zoe.token, 1, other),
    ];
    for (const client of [near, far]) {
      await track(client, "lobby");
      await answer(client, { type: "presence_track" }, "presence_state");
      await join(client, "lobby");
    }
    const seen = [near, far].map(({ frames }) => frames.length);
    expect((await track(mine, "lobby", { secret: 1 })).clients).toHaveLength(1);
    await answer(mine, { type: "presence_track", metadata: { secret: 2 } }, "presence_state");
    await join(mine, "lobby");
    expect((await say(mine, "lobby", { secret: 3 })).type).toBe("broadcast_ack");
    await mine.close();
    // One of their own comes after all that.
    await say(near, "lobby", "own");
    await eventually(() => expect(heard(far, "lobby")).toEqual(["own"]));
    await answered(near);
    for (const [n, client] of [near, far].entries()) {
      const news = client.frames.slice(seen[n]);
      expect(JSON.stringify(news)).not.toContain("secret");
      expect(JSON.stringify(news)).not.toContain(idOf(mine));
    }
    await expect(connect(ada!.token, 0, other)).rejects.toThrow("HTTP 401");
  });
});

describe("broadcast", { timeout: 30_000 }, () => {
  it(`reaches all members but the sender once, each sender's messages in order (seed ${SEED})`, async () => {
    const dice = new Dice(SEED + 1);
    const clients: RealtimeClient[] = [];
    for (let n = 0; n < 6; n++) clients.push(await connect(dice.pick([ada!.token, ben!.token, null]), n % 2));
    const echoing = new Set(clients.filter(() => dice.chance(0.4)));
    for (const client of clients) await join(client, "talk", echoing.has(client));
    const [outside, elsewhere] = [await connect(ada!.token, 1), await connect(ben!.token)];
    await join(elsewhere, "talk:2");
    const sent = new Map(clients.map((client): [RealtimeClient, number] => [client, 0]));
    for (let n = 0; n < 240; n++) {
      const client = dice.pick(clients);
      const number = sent.get(client)!;
      sent.set(client, number + 1);
      client.send({
        ...{ type: "broadcast", channel: "talk", event: `e${number % 3}`, payload: { number } },
        ...{ id: `n${number}`, sender: "somebody", client_id: idOf(dice.pick(clients)) },
      });
      if (n % 12 === 11) await sleep(dice.int(30));
    }
    for (const client of clients) {
      const own = sent.get(client)!;
      await eventually(() => {
        const acks = client.frames.filter(({ type }) => type === "broadcast_ack").map(({ id }) => id);
        expect(acks).toEqual(Array.from({ length: own }, (_, n) => `n${n}`));
      });
      await eventually(() => {
        const told = client.frames.filter(({ type }) => type === "broadcast");
        for (const sender of clients) {
          const theirs = told.filter((frame) => frame.sender === idOf(sender));
          const many = sender === client && !echoing.has(client) ? 0 : sent.get(sender)!;
          expect(theirs.map(({ payload }) => payload.number)).toEqual(
            Array.from({ length: many }, (_, n) => n),
          );
          for (const { event, payload } of theirs) expect(event).toBe(`e${payload.number % 3}`);
        }
        const known = new Set(clients.map(idOf));
        expect(told.filter(({ sender }) => !known.has(sender))).toEqual([]);
      });
    }
    for (const client of [outside, elsewhere]) {
      expect(client.frames.filter(({ type }) => type === "broadcast")).toEqual([]);
    }
  });

  it("ends with leaving; who is not in can neither hear nor send", async () => {
    const [mine, hers, third] = [
      await connect(ada!.token),
      await connect(ben!.token, 1),
      await connect(eve!.token, 1),
    ];
    await join(mine, "door");
    await join(third, "door");
    const refused = await say(hers, "door", "from outside");
    expect(refused).toMatchObject({ type: "error", channel: "door" });
    expect(refused.message).toMatch(/broadcast_join/);
    await join(hers, "door");
    await say(mine, "door", 1);
    await eventually(() => expect(heard(hers, "door")).toEqual([1]));
    expect(await answer(hers, { type: "broadcast_leave", channel: "door" }, "broadcast_left")).toEqual({
      type: "broadcast_left",
      channel: "door",
    });
    await say(mine, "door", 2);
    expect((await say(hers, "door", 3)).type).toBe("error");
    await eventually(() => expect(heard(third, "door")).toEqual([1, 2]));
    await join(hers, "door");
    await say(mine, "door", 4);
    await eventually(() => expect(heard(hers, "door")).toEqual([1, 4]));
    expect(heard(mine, "door")).toEqual([]);
  });

  it("takes names as they are, whatever is in them but control characters", async () => {
    const [mine, hers] = [await connect(ada!.token), await connect(ben!.token, 1)];
    const names = [
      "__proto__",
      "constructor",
      "a b/c?d#e%25&'\"\\;--",
      "é",
      "e\u0301",
      "\u{1f600}".repeat(100),
      "\u202Etxt",
      " ",
      "null",
      "*",
      "Private:x",
    ];
    for (const name of names) {
      for (const client of [mine, hers]) {
        expect(await join(client, name)).toEqual({ type: "broadcast_joined", channel: name });
        expect(await track(client, name, { name })).toMatchObject({ type: "presence_state", room: name });
      }
      expect((await say(mine, name, name)).type).toBe("broadcast_ack");
    }
    await eventually(() => {
      for (const name of names) {
        expect(heard(hers, name)).toEqual([name]);
        for (const client of [mine, hers]) {
          expect([...folded(client, name)!.keys()].sort()).toEqual([idOf(mine), idOf(hers)].sort());
        }
      }
    });
    for (const name of ["", "a\nb", "a\u0000b", "\u009f", "x".repeat(201), 7, null, ["a"]]) {
      const { type, message } = await answer(
        mine,
        { type: "broadcast_join", channel: name },
        "broadcast_joined",
      );
      expect([name, type]).toEqual([name, "error"]);
      expect(message).toMatch(/channel/);
    }
    const from = mine.frames.length;
    mine.send(String.raw`{"type":"broadcast_join","channel":"half \ud83d"}`);
    expect((await later(mine, from, ({ type }) => type !== "heartbeat")).type).toBe("error");
  });
});
