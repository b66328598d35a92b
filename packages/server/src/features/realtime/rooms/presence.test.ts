import { describe, expect, it } from "vitest";
import { limits } from "./limits.ts";
import { Presence } from "./presence.ts";
import { Cluster } from "./testing/cluster.ts";
import { anonymous, recorder, type Sent, user } from "./testing/recorder.ts";

const APP = "app_x";

function node() {
  const cluster = new Cluster();
  const sim = cluster.start("one");
  return { cluster, presence: new Presence(sim) };
}

describe("presence on one node", () => {
  it("keeps the frames of the app-wide set: the others at first, then one frame per change", async () => {
    const { cluster, presence } = node();
    const ada = recorder(APP, "ada", user("u1"));
    const bob = recorder(APP, "bob", anonymous);
    presence.track(ada, null, '{"at":1}');
    await cluster.pass(limits.presenceMs);
    expect(ada.news()).toEqual([{ type: "presence_state", clients: [] }]);
    presence.track(bob, null, "{}");
    await cluster.pass(limits.presenceMs);
    expect(ada.news()).toEqual([{ type: "presence_join", client_id: "bob", user_id: null, metadata: {} }]);
    // An anonymous connection is not told who the others are.
    expect(bob.news()).toEqual([
      { type: "presence_state", clients: [{ client_id: "ada", user_id: null, metadata: { at: 1 } }] },
    ]);
    presence.update(ada, null, '{"at":2}');
    presence.update(bob, null, '{"x":1}');
    await cluster.pass(limits.presenceMs);
    expect(bob.news()).toEqual([{ type: "presence_update", client_id: "ada", metadata: { at: 2 } }]);
    expect(ada.news()).toEqual([{ type: "presence_update", client_id: "bob", metadata: { x: 1 } }]);
    presence.leave(ada, null);
    await cluster.pass(limits.presenceMs);
    expect(bob.news()).toEqual([{ type: "presence_leave", client_id: "ada", user_id: null }]);
    expect(ada.news()).toEqual([]);
  });

  it("tells members of a named room all that happened in one frame, and other rooms and apps nothing", async () => {
    const { cluster, presence } = node();
    const clients = ["a", "b", "c"].map((id) => recorder(APP, id, user(`u-${id}`)));
    const [a, b, c] = clients as [(typeof clients)[0], (typeof clients)[0], (typeof clients)[0]];
    const elsewhere = [recorder(APP, "d", user("u")), recorder("app_y", "e", user("u"))] as const;
    presence.track(elsewhere[0], "other", "{}");
    presence.track(elsewhere[1], "room", "{}");
    presence.track(a, "room", "1");
    presence.track(b, "room", "1");
    await cluster.pass(limits.presenceMs);
    for (const each of [...clients, ...elsewhere]) each.news();
    presence.track(c, "room", "1");
    presence.update(a, "room", "2");
    expect(presence.untrack(b, "room", null)).toBe(true);
    await cluster.pass(limits.presenceMs);
    expect(a.news()).toEqual([
      {
        ...{ type: "presence_diff", room: "room" },
        joins: [{ client_id: "c", user_id: "u-c", metadata: 1 }],
        updates: [{ client_id: "a", user_id: "u-a", metadata: 2 }],
        leaves: [{ client_id: "b", user_id: "u-b" }],
      },
    ]);
    expect(b.news()).toEqual([{ type: "presence_untracked", room: "room" }]);
    expect(c.news().map(({ type, clients }) => [type, clients.length])).toEqual([["presence_state", 2]]);
    expect(elsewhere.flatMap((each) => each.news())).toEqual([]);
  });

  it("makes of a thousand joins a thousand frames, not a million", async () => {
    const { cluster, presence } = node();
    const clients = Array.from({ length: 1_000 }, (_, n) => recorder(APP, `c${n}`, user(`u${n}`)));
    for (const client of clients.slice(0, 500)) presence.track(client, "room", "{}");
    await cluster.pass(limits.presenceMs);
    for (const client of clients.slice(500)) presence.track(client, "room", "{}");
    await cluster.pass(limits.presenceMs);
    expect(clients.reduce((sum, { sent }) => sum + sent.length, 0)).toBe(1_500);
    expect(clients[0]?.sent[1]?.joins.length).toBe(500);
    expect(clients[999]?.sent[0]?.clients.length).toBe(1_000);
  });

  it("makes no more bytes at a time than it can bear, whoever asks for the app-wide state how often", async () => {
    const { cluster, presence } = node();
    const text = JSON.stringify("x".repeat(4_000));
    const clients = Array.from({ length: 100 }, (_, n) => recorder(APP, `c${n}`, user(`u${n}`)));
    const fresh = recorder(APP, "fresh", user("u"));
    let made = new Set<ArrayBufferLike>();
    for (const client of clients) {
      const { send } = client;
      Object.assign(client, {
        send(frames: readonly Buffer[]) {
          for (const { buffer } of frames) made.add(buffer);
          send(frames);
        },
      });
    }
    const bytes = () => [...made].reduce((sum, { byteLength }) => sum + byteLength, 0);
    const others = (name: string) =>
      [...clients, fresh].map(({ clientId }) => clientId).filter((id) => id !== name);
    for (const client of clients) presence.track(client, null, text);
    await cluster.pass(limits.presenceMs);
    presence.track(fresh, null, text);
    for (let turn = 0; turn < 100; turn++) {
      made = new Set();
      // Again and again: whoever waits longer comes first all the same.
      for (const client of clients.slice(0, 50)) presence.track(client, null, text);
      await cluster.pass(limits.presenceMs);
      expect(bytes()).toBeLessThan(limits.ownStateBytes + 3 * 101 * 4_100);
    }
    await cluster.pass(100 * limits.presenceMs);
    for (const { clientId, sent } of [...clients, fresh]) {
      const state = sent.findLast(({ type }) => type === "presence_state");
      expect(state?.clients.map(({ client_id }: Sent) => client_id).sort()).toEqual(others(clientId).sort());
    }
    // What all change at once is made once, and each is told of all the others.
    made = new Set();
    for (const client of [...clients, fresh]) {
      client.news();
      presence.update(client, null, '"changed"');
    }
    await cluster.pass(limits.presenceMs);
    expect(bytes()).toBeLessThan(100 * 1_024);
    for (const client of [...clients, fresh]) {
      const news = client.news();
      expect(news.map(({ client_id }) => client_id).sort()).toEqual(others(client.clientId).sort());
      expect(new Set(news.map(({ type, metadata }) => `${type} ${metadata}`))).toEqual(
        new Set(["presence_update changed"]),
      );
    }
  });

  it("says nothing about who came and went between two tellings", async () => {
    const { cluster, presence } = node();
    const a = recorder(APP, "a", user("u"));
    const b = recorder(APP, "b", user("u"));
    presence.track(a, "room", "1");
    await cluster.pass(limits.presenceMs);
    a.news();
    presence.track(b, "room", "1");
    presence.leave(b, "room");
    await cluster.pass(limits.presenceMs);
    expect([a.news(), b.news()]).toEqual([[], []]);
  });

  it("bounds a room by members and by what they show", () => {
    const { presence } = node();
    const show = (n: number, text: string, room: string) =>
      presence.track(recorder(APP, `${room}${n}`, user("u")), room, text);
    for (let n = 0; n < limits.membersPerRoom; n++) show(n, "1", "full");
    expect(show(limits.membersPerRoom, "1", "full")).toBe("members_per_room");
    expect(show(0, "2", "full")).toBe(null);
    const long = `"${"x".repeat(limits.metadataChars - 2)}"`;
    const fit = limits.roomChars / limits.metadataChars;
    for (let n = 0; n < fit; n++) expect(show(n, long, "wordy")).toBe(null);
    expect(show(fit, "1", "wordy")).toBe("room_chars");
    expect(show(0, "1", "wordy")).toBe(null);
  });
});
