import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TestPlatform, testPlatform } from "../../../testing/platform.ts";
import { limits } from "./limits.ts";
import { anonymous, service, user } from "./testing/recorder.ts";
import { type RoomWorld, roomWorld, until } from "./testing/world.ts";

let test: TestPlatform;
beforeAll(async () => {
  test = await testPlatform();
});
afterAll(() => test.stop());

const join = (channel: string, self = false) => ({ type: "broadcast_join" as const, channel, self });
const send = (channel: string, payload: unknown, id?: string) => ({
  ...{ type: "broadcast" as const, channel, event: "say", payload, id },
});
const track = (room: string, metadata: unknown = {}) => ({ type: "presence_track" as const, room, metadata });
const problem = (text: string) =>
  expect.objectContaining({ type: "error", message: expect.stringContaining(text) });
const hits = async (limit: string) => {
  const { values } = await test.platform.metrics.limitsHit.get();
  return values.find(({ labels }) => labels.limit === `realtime_${limit}`)?.value ?? 0;
};

/** Lets the nodes read each other. */
async function exchange({ cluster, nodes }: RoomWorld): Promise<void> {
  for (let n = 0; n < 3; n++) {
    await cluster.pass(100);
    for (const node of nodes) node.read(1_000);
  }
}

describe("broadcast", () => {
  it("goes to the members on all nodes but the sender, in order, and to nobody else", async () => {
    const world = await roomWorld(test);
    const [ada, bob, eve] = ["ada", "bob", "eve"].map((id) => world.client(id, anonymous)) as [
      never,
      never,
      never,
    ];
    const clients = { ada, bob, eve } as Record<string, ReturnType<RoomWorld["client"]>>;
    expect(await world.say(clients.ada!, join("lobby"))).toEqual([
      { type: "broadcast_joined", channel: "lobby" },
    ]);
    await world.say(clients.bob!, join("lobby", true), 1);
    await world.say(clients.eve!, join("other"), 1);
    expect(await world.say(clients.ada!, send("lobby", 1, "m1"))).toEqual([
      { type: "broadcast_ack", id: "m1" },
    ]);
    for (let n = 2; n < 20; n++) expect(await world.say(clients.ada!, send("lobby", n))).toEqual([]);
    await exchange(world);
    expect(clients.bob!.news()).toEqual(
      Array.from({ length: 19 }, (_, n) => ({
        ...{ type: "broadcast", channel: "lobby", event: "say", payload: n + 1, sender: "ada" },
      })),
    );
    // Who asked for it hears itself too.
    expect(await world.say(clients.bob!, send("lobby", { a: [1] }), 1)).toMatchObject([
      { payload: { a: [1] } },
    ]);
    await exchange(world);
    expect(clients.ada!.news()).toMatchObject([{ payload: { a: [1] }, sender: "bob" }]);
    expect(clients.eve!.news()).toEqual([]);
    expect(await world.say(clients.eve!, send("lobby", 1), 1)).toEqual([problem("broadcast comes after")]);
    expect(await world.say(clients.bob!, { type: "broadcast_leave", channel: "lobby" }, 1)).toEqual([
      { type: "broadcast_left", channel: "lobby" },
    ]);
    await world.say(clients.ada!, send("lobby", 99));
    await exchange(world);
    expect(clients.bob!.news()).toEqual([]);
    world.rooms[0].left(clients.ada!);
    await world.say(clients.bob!, join("lobby"), 0);
    await world.say(clients.bob!, send("lobby", 1), 0);
    expect(clients.ada!.news()).toEqual([]);
  });

  it("tells of each limit, counts it, and goes on", async () => {
    const world = await roomWorld(test);
    const ada = world.client("ada", service);
    await world.say(ada, join("a"));
    const long = "x".repeat(limits.payloadBytes);
    expect(await world.say(ada, send("a", long, "7"))).toEqual([
      expect.objectContaining({ type: "error", id: "7" }),
    ]);
    let nested: unknown = 1;
    for (let n = 0; n < 20_000; n++) nested = [nested];
    expect(await world.say(ada, send("a", nested))).toEqual([problem("payload takes")]);
    expect(await hits("payload_bytes")).toBe(2);
    let refused = 0;
    for (let n = 0; n < limits.broadcastBurst + 10; n++)
      refused += (await world.say(ada, send("a", 1))).length;
    expect(refused).toBe(12);
    expect(await hits("broadcast_rate")).toBe(12);
    await world.cluster.pass(1_000);
    expect(await world.say(ada, send("a", 1))).toEqual([]);
    const bob = world.client("bob", service);
    for (let n = 0; n < limits.channelsPerConnection; n++) await world.say(bob, join(`c${n}`));
    expect(await world.say(bob, join("one more"))).toEqual([problem("100 channels")]);
    expect(await world.say(bob, join("c0"))).toMatchObject([{ type: "broadcast_joined" }]);
    const eve = world.client("eve", service);
    for (let n = 0; n < limits.roomsPerConnection; n++) await world.say(eve, track(`r${n}`));
    expect(await world.say(eve, track("one more"))).toEqual([problem("50 rooms")]);
    expect(await world.say(eve, track("r1", "x".repeat(limits.metadataChars)))).toEqual([
      problem("metadata takes"),
    ]);
    expect(await world.say(eve, { type: "presence_update", room: "nowhere" })).toEqual([
      problem("comes after presence_track"),
    ]);
    for (const limit of ["channels_per_connection", "rooms_per_connection", "metadata_chars"]) {
      expect([limit, await hits(limit)]).toEqual([limit, 1]);
    }
  });
});

describe("rules", () => {
  const MEMBERS = "exists (select 1 from members m where m.room = channel and m.user_id = current_user_id())";
  async function guarded() {
    const world = await roomWorld(test);
    await world.owner(
      "create table members (room text, user_id text, primary key (room, user_id))",
      "insert into members values ('private:1', 'ada'), ('private:1', 'bob')",
    );
    const clients = { ada: world.client("c-ada", user("ada")), bob: world.client("c-bob", user("bob")) };
    return { ...world, ...clients, eve: world.client("c-eve", user("eve")), world };
  }

  it("close private names when none matches, to all but keys, and leave others open", async () => {
    const { world, ada } = await guarded();
    expect(await world.say(ada, join("private:1"))).toEqual([problem("need a rule")]);
    expect(await world.say(ada, track("private:1"))).toEqual([problem("need a rule")]);
    expect(await world.say(ada, join("public:1"))).toMatchObject([{ type: "broadcast_joined" }]);
    expect(await world.say(world.client("key", service), join("private:1"))).toMatchObject([
      { type: "broadcast_joined" },
    ]);
  });

  it("are asked of Postgres as the caller: claims, tables, and the tables' own policies", async () => {
    const { world, ada, eve } = await guarded();
    await world.rules.put(world.app.id, {
      pattern: "private:*",
      receive: MEMBERS,
      send: "current_user_id() = 'ada'",
    });
    expect(await world.say(ada, join("private:1"))).toMatchObject([{ type: "broadcast_joined" }]);
    expect(await world.say(eve, join("private:1"))).toEqual([problem("a rule of the app denies it")]);
    expect(await world.say(world.client("x", anonymous), join("private:1"))).toEqual([problem("denies it")]);
    // Ada may be in her own room only: a name that would reach out of the text stays a name.
    expect(await world.say(ada, join("private:1' or '1'='1"))).toEqual([problem("denies it")]);
    await world.owner("alter table members enable row level security");
    world.rooms[0].recheck(world.app.id);
    await until(() => ada.sent.some(({ type }) => type === "broadcast_left"));
    expect(ada.news().at(-1)).toEqual({ type: "broadcast_left", channel: "private:1", reason: "denied" });
  });

  it("let members receive whom they don't let send", async () => {
    const { world, ada, bob } = await guarded();
    await world.rules.put(world.app.id, {
      pattern: "private:*",
      receive: MEMBERS,
      send: "current_user_id() = 'ada'",
    });
    await world.say(ada, join("private:1"));
    await world.say(bob, join("private:1"));
    expect(await world.say(bob, send("private:1", 1, "i"))).toEqual([problem("may not send")]);
    expect(await world.say(ada, send("private:1", 1))).toEqual([]);
    expect([ada.news(), bob.news().length]).toEqual([[], 1]);
    expect(await world.say(bob, track("private:1"))).toEqual([problem("may not send")]);
    expect(await world.say(ada, track("private:1"))).toEqual([]);
    // Being in a room takes both.
    await world.rules.put(world.app.id, { pattern: "private:*", receive: MEMBERS, send: "false" });
    await until(() => ada.sent.some(({ type }) => type === "presence_untracked"));
    expect(ada.sent.some(({ type }) => type === "broadcast_left")).toBe(false);
  });

  it("take out whoever is no longer a member, at latest at the next look", async () => {
    const { world, ada, bob } = await guarded();
    await world.rules.put(world.app.id, { pattern: "private:*", receive: MEMBERS, send: MEMBERS });
    for (const client of [ada, bob]) {
      await world.say(client, join("private:1"));
      await world.say(client, track("private:1"));
    }
    await world.cluster.pass(limits.presenceMs);
    ada.news();
    await world.owner("delete from members where user_id = 'bob'");
    await world.cluster.pass(limits.recheckMs);
    await until(() => bob.sent.filter(({ reason }) => reason === "denied").length === 2);
    expect(bob.news().filter(({ reason }) => reason)).toEqual(
      expect.arrayContaining([
        { type: "broadcast_left", channel: "private:1", reason: "denied" },
        { type: "presence_untracked", room: "private:1", reason: "denied" },
      ]),
    );
    await world.cluster.pass(limits.presenceMs);
    expect(ada.news()).toMatchObject([{ type: "presence_diff", leaves: [{ client_id: "c-bob" }] }]);
    await world.say(ada, send("private:1", "after"));
    expect(bob.news()).toEqual([]);
  });

  it("that change take effect at once, on other nodes too", async () => {
    const { world, ada, eve } = await guarded();
    await world.say(ada, join("room:1"));
    await world.say(eve, join("room:1"), 1);
    await world.rules.put(world.app.id, {
      pattern: "room:*",
      receive: "current_user_id() = 'ada'",
      send: "true",
    });
    await exchange(world);
    await until(() => eve.sent.some(({ type }) => type === "broadcast_left"));
    expect(ada.sent.some(({ type }) => type === "broadcast_left")).toBe(false);
    await world.rules.put(world.app.id, {
      pattern: "room:1",
      receive: "current_user_id() = 'eve'",
      send: "true",
    });
    await until(() => ada.sent.some(({ type }) => type === "broadcast_left"));
    await world.rules.delete(world.app.id, "room:1");
    expect(await world.say(ada, join("room:1"))).toMatchObject([{ type: "broadcast_joined" }]);
  });

  it("are read again although nobody told of a change", async () => {
    const { world, ada } = await guarded();
    await world.say(ada, join("room:1"));
    await test.platform.database.query(
      "insert into ambit.realtime_rules values ($1, 'room:*', 'false', 'false', true, true)",
      [world.app.id],
    );
    await world.cluster.pass(limits.recheckMs);
    await until(() => ada.sent.some(({ reason }) => reason === "denied"));
  });

  it("are asked again when a connection's claims change", async () => {
    const { world, ada } = await guarded();
    const receive =
      "(current_setting('request.jwt.claims', true)::json ->> 'team') = split_part(channel, ':', 2)";
    await world.rules.put(world.app.id, { pattern: "team:*", receive, send: "true" });
    ada.viewer = user("ada", { team: "red" });
    expect(await world.say(ada, join("team:red"))).toMatchObject([{ type: "broadcast_joined" }]);
    ada.viewer = user("ada", { team: "blue" });
    world.rooms[0].identityChanged(ada);
    await until(() => ada.sent.some(({ type }) => type === "broadcast_left"));
    expect(await world.say(ada, join("team:blue"))).toMatchObject([{ type: "broadcast_joined" }]);
  });

  it("that fail let nobody in, and say nothing of the data they failed on", async () => {
    const { world, ada, bob } = await guarded();
    await world.owner("create table secrets (text text)", "insert into secrets values ('top secret')");
    const fails = "(select text from secrets)::int = 1 or current_user_id() = 'ada'";
    await world.rules.put(world.app.id, { pattern: "f:*", receive: fails, send: fails });
    const [answer] = await world.say(bob, join("f:1"));
    expect(answer?.message).toContain("could not be decided");
    expect(JSON.stringify(answer)).not.toContain("secret");
    expect(world.undecided).toEqual(["22P02"]);
    // Of many who ask together, only those fail for whom it fails.
    const claims = "case when current_user_id() = 'bob' then 1 / (length(channel) - 3) = 1 else true end";
    await world.rules.put(world.app.id, { pattern: "g:*", receive: claims, send: "true" });
    const answers = await Promise.all([world.say(ada, join("g:1")), world.say(bob, join("g:1"))]);
    expect(answers).toMatchObject([[{ type: "broadcast_joined" }], [{ type: "error" }]]);
  });

  it("answer a thousand who come at once with a few calls", async () => {
    const { world } = await guarded();
    await world.rules.put(world.app.id, { pattern: "private:*", receive: MEMBERS, send: MEMBERS });
    const clients = Array.from({ length: 1_000 }, (_, n) =>
      world.client(`c${n}`, user(n % 2 === 0 ? "ada" : `u${n}`)),
    );
    await Promise.all(clients.map((client) => world.rooms[0].handle(client, join("private:1"))));
    const joined = clients.filter(({ sent }) => sent[0]?.type === "broadcast_joined");
    expect([joined.length, world.calls() <= 8]).toEqual([500, true]);
  });

  it("that take too long for one caller are cut short, and the others get their answers", async () => {
    const { world, ada, bob, eve } = await guarded();
    await world.owner("create table big as select generate_series(1, 3000) n");
    const slow =
      "case when current_user_id() = 'bob' then (select count(*) from big a, big b, big c) > 0 else true end";
    await world.rules.put(world.app.id, { pattern: "s:*", receive: slow, send: "true" });
    const answers = await Promise.all([ada, bob, eve].map((client) => world.say(client, join("s:1"))));
    expect(answers.map(([answer]) => answer?.type)).toEqual([
      "broadcast_joined",
      "error",
      "broadcast_joined",
    ]);
    expect(world.undecided).toEqual(["57014"]);
  });
});
