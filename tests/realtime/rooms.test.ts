/**
 * The promise: connections see who else is there and send each other messages, in rooms and channels that the app's
 * rules open to them and no others, across all nodes of a database. What a client folds from its frames is exactly who
 * is there; who may no longer be in is taken out; nobody else notices anything.
 *
 * Two nodes on one Postgres. Where it is left to chance, AMBIT_SEED repeats it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Dice, SEED } from "../gateway/stand/dice.ts";
import { type Api, apiAs, type Person, signUp } from "../support/api.ts";
import { applySchema, must, newApp } from "../support/app.ts";
import { callTool, connectMcp } from "../support/mcp.ts";
import { connectRealtime, type Frame, type RealtimeClient } from "../support/realtime.ts";
import { Ground } from "./stand/ground.ts";
import { answer, answered, eventually, folded, heard, idOf, join, later, say, track } from "./stand/rooms.ts";

let ground: Ground;
let owner: Api;
let appId: string;
let [ada, ben, eve]: Person[] = [];
const open_: RealtimeClient[] = [];

beforeAll(async () => {
  ground = await Ground.start(2);
  owner = ground.owner;
  appId = await newApp(owner);
  await applySchema(owner, appId, {
    members: {
      columns: {
        team: { type: "text", nullable: false },
        user_id: { type: "text", nullable: false },
        role: { type: "text", nullable: false, default: "'member'" },
      },
      primaryKey: ["team", "user_id"],
    },
    rooms: { columns: { name: { type: "text", primaryKey: true }, owner_id: { type: "text" } } },
  });
  const { apiUrl } = ground.server;
  [ada, ben, eve] = await Promise.all(["ada", "ben", "eve"].map((name) => signUp(apiUrl, appId, name)));
}, 60_000);
afterEach(async () => {
  await Promise.all(open_.splice(0).map((client) => client.close()));
});
afterAll(() => ground?.close());

/** A connection to one of the nodes, closed after the test. */
async function connect(token: string | null, node = 0, app = appId): Promise<RealtimeClient> {
  const client = await connectRealtime(ground.nodes[node]!.apiUrl, app, token);
  open_.push(client);
  await client.waitFor(({ type }) => type === "connected");
  return client;
}
const key = () => ground.server.apiKey;
const presence = ({ frames }: RealtimeClient, from = 0) =>
  frames.slice(from).filter(({ type }) => type.startsWith("presence"));
const named = (client: RealtimeClient, room: string) =>
  presence(client).filter((frame) => frame.room === room);
const putRule = (pattern: string, receive: string, send = receive) =>
  owner("PUT", `/v1/${appId}/realtime/rules`, { pattern, receive, send });
const dropRule = (pattern: string) =>
  owner("DELETE", `/v1/${appId}/realtime/rules/${encodeURIComponent(pattern)}`);
const denied = (frame: Frame) => {
  expect(frame).toMatchObject({ type: "error", message: expect.stringMatching(/may not|need a rule/) });
};

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

describe("rules", { timeout: 40_000 }, () => {
  const TEAM =
    "exists (select 1 from members m where m.team = split_part(channel, ':', 3) and m.user_id = current_user_id()";

  it("are what opens names that begin with private:, on every node, and keys need none", async () => {
    for (const [token, node] of [
      [ada!.token, 0],
      [null, 1],
    ] as const) {
      const client = await connect(token, node);
      for (const frame of [await join(client, "private:nobody"), await track(client, "private:nobody")]) {
        denied(frame);
        expect(frame.message).toMatch(/put_rule/);
      }
      denied(await join(client, "private:"));
      expect((await say(client, "private:nobody", 1)).type).toBe("error");
    }
    const service = await connect(key(), 1);
    expect((await join(service, "private:nobody")).type).toBe("broadcast_joined");
    expect((await track(service, "private:nobody")).type).toBe("presence_state");
  });

  it("are put, listed and deleted over HTTP and MCP alike; what can't be judged is refused", async () => {
    const agent = await connectMcp(ground.server.mcpUrl, ground.server.agentKey);
    const manage = (action: string, more: object = {}) =>
      callTool(agent, "manage_realtime", { action, app_id: appId, ...more });
    try {
      const rule = { pattern: "private:a/b *", receive: "true", send: "current_user_id() is not null" };
      expect((await manage("put_rule", rule)).rule).toMatchObject({ pattern: rule.pattern });
      must(await putRule("private:exact", "false"));
      const listed = async () => (await manage("list_rules")).rules.map(({ pattern }: any) => pattern);
      expect(await listed()).toEqual(["private:a/b *", "private:exact"]);
      expect(must(await owner("GET", `/v1/${appId}/realtime/rules`))).toEqual(await manage("list_rules"));
      const client = await connect(ada!.token, 1);
      expect((await join(client, "private:a/b c")).type).toBe("broadcast_joined");
      denied(await join(client, "private:exact"));
      expect(must(await dropRule("private:a/b *"))).toEqual({ pattern: "private:a/b *", status: "deleted" });
      expect((await dropRule("private:a/b *")).body.error.code).toBe("REALTIME_RULE_NOT_FOUND");
      await manage("delete_rule", { pattern: "private:exact" });
      expect(await listed()).toEqual([]);
      const bad = [
        ["a*b", "true", "REALTIME_PATTERN_INVALID"],
        ["a", "tru", "REALTIME_RULE_INVALID"],
        ["a", "true; drop table members", "REALTIME_RULE_UNSAFE"],
        ["a", "pg_sleep(9) is null", "REALTIME_RULE_UNSAFE"],
        ["a", "exists (select 1 from ambit.apps)", "REALTIME_RULE_UNSAFE"],
        ["a", "exists (select 1 from no_such_table)", "REALTIME_RULE_INVALID"],
        ["a", "channel", "REALTIME_RULE_INVALID"],
      ] as const;
      for (const [pattern, condition, code] of bad) {
        const refused = await putRule(pattern, condition);
        expect([condition, refused.body.error?.code]).toEqual([condition, code]);
        expect(refused.body.error.remediation).toBeTruthy();
      }
      for (const api of [ada!.api, apiAs(ground.server.apiUrl, null)]) {
        for (const [method, body] of [["GET"], ["PUT", rule]] as const) {
          expect((await api(method, `/v1/${appId}/realtime/rules`, body)).status).toBeGreaterThanOrEqual(401);
        }
      }
      expect(await listed()).toEqual([]);
    } finally {
      await agent.close();
    }
  });

  it("on a table of members let in who is in it, and take out whoever no longer is", async () => {
    must(await putRule("private:team:*", `${TEAM})`, `${TEAM} and m.role <> 'guest')`));
    must(
      await owner("POST", `/v1/${appId}/members`, [
        { team: "x", user_id: ada!.id },
        { team: "x", user_id: ben!.id, role: "guest" },
        { team: "y", user_id: eve!.id },
      ]),
    );
    const [mine, guest, stranger] = [
      await connect(ada!.token),
      await connect(ben!.token, 1),
      await connect(eve!.token),
    ];
    const channel = "private:team:x";
    expect((await join(mine, channel)).type).toBe("broadcast_joined");
    expect((await track(mine, channel)).type).toBe("presence_state");
    expect((await join(guest, channel)).type).toBe("broadcast_joined");
    denied(await say(guest, channel, "as a guest"));
    denied(await track(guest, channel));
    denied(await join(stranger, channel));
    denied(await track(stranger, channel));
    await say(mine, channel, "to the guest");
    await eventually(() => expect(heard(guest, channel)).toEqual(["to the guest"]));
    const marks = [mine, guest].map(({ frames }) => frames.length);
    must(await owner("DELETE", `/v1/${appId}/members?team=eq.x`));
    for (const [n, client] of [mine, guest].entries()) {
      const out = await later(client, marks[n]!, ({ type }) => type === "broadcast_left", 7_500);
      expect(out).toEqual({ type: "broadcast_left", channel, reason: "denied" });
    }
    expect(await later(mine, marks[0]!, ({ type }) => type === "presence_untracked", 7_500)).toEqual({
      ...{ type: "presence_untracked", room: channel, reason: "denied" },
    });
    const service = await connect(key());
    await join(service, channel);
    expect((await track(service, channel)).clients).toHaveLength(1);
    expect((await say(service, channel, "among us")).type).toBe("broadcast_ack");
    await answered(mine);
    await answered(guest);
    expect([heard(mine, channel), heard(guest, channel)]).toEqual([[], ["to the guest"]]);
    expect((await say(mine, channel, "still here")).message).toMatch(/broadcast_join/);
    denied(await join(mine, channel));
  });

  it("that are changed or deleted take out at once, on both nodes", async () => {
    must(await putRule("private:news", "true"));
    must(await putRule("board", "true"));
    const clients = [await connect(ada!.token), await connect(ada!.token, 1), await connect(ben!.token, 1)];
    for (const client of clients) {
      for (const name of ["private:news", "board"]) {
        expect((await join(client, name)).type).toBe("broadcast_joined");
        expect((await track(client, name)).type).toBe("presence_state");
      }
    }
    must(await putRule("board", `current_user_id() = '${ben!.id}'`));
    const out = (name: string) => (client: RealtimeClient) =>
      Promise.all([
        client.waitFor((got) => got.type === "broadcast_left" && got.channel === name, 3_000),
        client.waitFor((got) => got.type === "presence_untracked" && got.room === name, 3_000),
      ]);
    for (const frames of await Promise.all(clients.slice(0, 2).map(out("board")))) {
      expect(frames.map(({ reason }) => reason)).toEqual(["denied", "denied"]);
    }
    await eventually(() => expect([...folded(clients[2]!, "board")!.keys()]).toEqual([idOf(clients[2]!)]));
    const agent = await connectMcp(ground.server.mcpUrl, ground.server.agentKey);
    await callTool(agent, "manage_realtime", {
      action: "delete_rule",
      app_id: appId,
      pattern: "private:news",
    });
    await agent.close();
    await Promise.all(clients.map(out("private:news")));
    must(await dropRule("board"));
    // Without a rule the name is open again.
    expect((await join(clients[0]!, "board")).type).toBe("broadcast_joined");
    expect(clients[2]!.frames.filter((got) => got.channel === "board").map(({ type }) => type)).toEqual([
      "broadcast_joined",
    ]);
  });

  it("on claims go by the token, also by one that is renewed", async () => {
    const CLAIM = "(current_setting('request.jwt.claims', true)::json ->> 'email_verified')::boolean";
    must(await putRule("private:sure:*", `not ${CLAIM}`));
    must(await putRule("private:proven:*", CLAIM));
    const { apiUrl } = ground.server;
    const kim = await signUp(apiUrl, appId, "kim");
    const client = await connect(kim.token, 1);
    expect((await join(client, "private:sure:1")).type).toBe("broadcast_joined");
    expect((await track(client, "private:sure:1")).type).toBe("presence_state");
    denied(await join(client, "private:proven:1"));
    const { mails } = must(
      await owner("GET", `/v1/${appId}/auth/outbox?to=${encodeURIComponent(kim.email)}`),
    );
    const nobody = apiAs(apiUrl, null);
    must(await nobody("POST", `/auth/${appId}/verify-email`, { email: kim.email, code: mails[0].code }));
    const { refreshToken: refresh_token } = kim;
    const { access_token } = must(await nobody("POST", `/auth/${appId}/refresh`, { refresh_token }));
    expect(client.frames.filter(({ reason }) => reason !== undefined)).toEqual([]);
    client.send({ type: "auth", token: access_token });
    const [left, untracked] = [
      await client.waitFor(({ type }) => type === "broadcast_left", 3_000),
      await client.waitFor(({ type }) => type === "presence_untracked", 3_000),
    ];
    expect([left.reason, untracked.reason]).toEqual(["denied", "denied"]);
    expect((await join(client, "private:proven:1")).type).toBe("broadcast_joined");
    denied(await join(client, "private:sure:1"));
  });
});

describe("rules that do harm", { timeout: 30_000 }, () => {
  it("see no more than the caller does, and nothing of other apps", async () => {
    const other = await newApp(owner);
    await applySchema(owner, other, { notes: { columns: { id: { type: "int", primaryKey: true } } } });
    const refused = await putRule("private:*", `exists (select 1 from ${other}.notes)`);
    expect(refused.body.error.code).toBe("REALTIME_RULE_UNSAFE");
    await applySchema(owner, appId, {
      owned: { columns: { name: { type: "text", primaryKey: true }, owner_id: { type: "text" } } },
    });
    must(await owner("POST", `/v1/${appId}/rls`, { table_name: "owned", user_column: "owner_id" }));
    must(await owner("POST", `/v1/${appId}/owned`, [{ name: "private:own:ada", owner_id: ada!.id }]));
    must(await putRule("private:own:*", "exists (select 1 from owned o where o.name = channel)"));
    const [mine, hers] = [await connect(ada!.token), await connect(ben!.token)];
    expect((await join(mine, "private:own:ada")).type).toBe("broadcast_joined");
    denied(await join(hers, "private:own:ada"));
    denied(await join(mine, "private:own:x' or name like 'private%"));
  });

  it("deny when they fail or take too long, and hold up nobody else's", async () => {
    must(
      await owner(
        "POST",
        `/v1/${appId}/rooms`,
        Array.from({ length: 500 }, (_, n) => ({ name: `${n}` })),
      ),
    );
    must(await putRule("private:odd:*", "1 / (length(channel) - 13) > -2"));
    const slow = "(select count(*) from rooms a, rooms b, rooms c, rooms d) = 0";
    must(await putRule("private:slow:*", `channel not like '%:slow:!%' or ${slow}`));
    const [mine, hers] = [await connect(eve!.token), await connect(ben!.token)];
    expect((await join(mine, "private:odd:22")).type).toBe("broadcast_joined");
    const failed = await join(mine, "private:odd:1");
    expect(failed).toMatchObject({ type: "error", message: expect.stringMatching(/could not be decided/) });
    expect((await join(hers, "private:slow:0")).type).toBe("broadcast_joined");
    for (let n = 0; n < 20; n++) mine.send({ type: "broadcast_join", channel: `private:slow:!${n}` });
    let worstMs = 0;
    for (let n = 1; n < 7; n++) {
      const at = performance.now();
      expect((await join(hers, `private:slow:${n}`)).type).toBe("broadcast_joined");
      worstMs = Math.max(worstMs, performance.now() - at);
      await sleep(200);
    }
    expect(worstMs).toBeLessThan(4_000);
    const told = mine.frames.filter(({ channel }) => channel?.startsWith("private:slow:!"));
    expect(told.length).toBeGreaterThan(0);
    expect(told.every(({ type }) => type === "error")).toBe(true);
    expect(hers.frames.filter(({ type }) => type === "broadcast_left")).toEqual([]);
  });
});

describe("what one connection may do", { timeout: 30_000 }, () => {
  it("is bounded; beyond that comes a clear error, and the connection goes on", async () => {
    const [mine, hers] = [await connect(ada!.token), await connect(ben!.token)];
    await join(mine, "big");
    await join(hers, "big");
    const most = "x".repeat(48 * 1024 - 2);
    expect((await say(mine, "big", most)).type).toBe("broadcast_ack");
    const tooBig = await say(mine, "big", `${most}x`);
    expect(tooBig).toMatchObject({ type: "error", channel: "big", message: expect.stringMatching(/table/) });
    expect((await track(mine, "big", { a: "x".repeat(4_096) })).message).toMatch(/metadata takes 4096/);
    let deep: unknown = 1;
    for (let n = 0; n < 300; n++) deep = [deep];
    expect((await say(mine, "big", deep)).message).toMatch(/nested/);
    await eventually(() => expect(heard(hers, "big")).toEqual([most]));
    for (let n = 1; n < 100; n++) {
      mine.send({ type: "broadcast_join", channel: `c${n}` });
      if (n % 20 === 0) await sleep(250);
    }
    const channels = await join(mine, "c100");
    expect(channels.message).toMatch(/100 channels.*broadcast_leave/);
    await answer(mine, { type: "broadcast_leave", channel: "c7" }, "broadcast_left");
    expect((await join(mine, "c100")).type).toBe("broadcast_joined");
    for (let n = 0; n < 50; n++) {
      hers.send({ type: "presence_track", room: `r${n}` });
      if (n % 20 === 0) await sleep(250);
    }
    expect((await track(hers, "r50")).message).toMatch(/50 rooms.*presence_untrack/);
    for (let n = 0; n < 120; n++) {
      hers.send({ type: "presence_update", room: "r0", metadata: { n } });
      if (n % 20 === 0) await sleep(250);
    }
    expect((await hers.waitFor((got) => /presence frames/.test(got.message))).room).toBe("r0");
    expect([mine.closed, hers.closed]).toEqual([undefined, undefined]);
    const metrics: string = must(await owner("GET", "/metrics"));
    for (const limit of [
      "payload_bytes",
      "metadata_chars",
      "channels_per_connection",
      "rooms_per_connection",
      "presence_rate",
    ]) {
      expect(metrics).toMatch(new RegExp(`limit="realtime_${limit}"\\} [1-9]`));
    }
  });

  it("so are the rules of an app", async () => {
    const other = await newApp(owner);
    await ground.db.query(
      `insert into ambit.realtime_rules (app_id, pattern, receive, send, receive_steady, send_steady)
       select $1, 'r' || n, 'true', 'true', true, true from generate_series(1, 200) n`,
      [other],
    );
    const put = (pattern: string) =>
      owner("PUT", `/v1/${other}/realtime/rules`, { pattern, receive: "true", send: "true" });
    expect((await put("one more")).body.error).toMatchObject({
      code: "QUOTA_REALTIME_RULES",
      remediation: expect.stringMatching(/delete/),
    });
    must(await put("r7"));
  });
});
