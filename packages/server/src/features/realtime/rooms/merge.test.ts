import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Event, type Merged, membersOf, merge, newMerged, type Row, type Told } from "./merge.ts";

const told = (node: string, ...members: Told[]): Event => ({ kind: "told", node, members });
const state = (node: string, id: number, part: number, last: boolean, ...members: Told[]): Event => ({
  ...{ kind: "state", node, id, part, last, members },
});
const all = (merged: Merged) =>
  [...merged.rooms].flatMap(([room, { members }]) =>
    [...members].map(([client, { text }]) => `${room}/${client}=${text}`),
  );

function heard(...events: Event[]): Merged {
  const merged = newMerged("me");
  for (const event of events) merge(merged, event);
  return merged;
}

const joined: Event = { kind: "joined", node: "n" };

describe("merge", () => {
  it("takes a list of all members only when every part of it came", () => {
    const first = state("n", 7, 0, false, ["a", "1", null, "1"]);
    const middle = state("n", 7, 1, false, ["a", "2", null, "1"]);
    const last = state("n", 7, 2, true, ["a", "3", null, "1"]);
    const whole = heard(joined, first, middle, last);
    expect(all(whole)).toEqual(["a/1=1", "a/2=1", "a/3=1"]);
    expect(whole.nodes.get("n")?.synced).toBe(true);
    const lists: Event[][] = [
      [first, last],
      [middle, last],
      [first, state("n", 8, 1, true)],
      [first, { kind: "lost", node: null }, middle, last],
    ];
    for (const events of lists) {
      const partial = heard(joined, told("n", ["a", "old", null, "1"]), ...events);
      expect(all(partial)).toEqual(["a/old=1"]);
      expect(partial.nodes.get("n")?.synced).toBe(false);
    }
  });

  it("tells each change once, and only what changed when a list replaces another", () => {
    const merged = heard(joined, state("n", 1, 0, true, ["a", "1", null, "1"], ["a", "2", null, "1"]));
    const changes = merge(merged, state("n", 2, 0, true, ["a", "2", null, "1"], ["a", "3", null, "1"]));
    expect(changes.map(({ client, before }) => [client, before?.text ?? null])).toEqual([
      ["1", "1"],
      ["3", null],
    ]);
    const gone: Event = { kind: "left", node: "n" };
    expect(merge(merged, gone).map(({ client }) => client)).toEqual(["2", "3"]);
    expect([merge(merged, gone), all(merged)]).toEqual([[], []]);
  });

  it("believes nobody but a member's own node, and no node that does not live", () => {
    const merged = heard(joined, { kind: "joined", node: "m" }, told("n", ["a", "1", null, "1"]));
    expect(merge(merged, told("m", ["a", "1"]))).toEqual([]);
    expect(merge(merged, told("m", ["a", "1", null, "2"]))).toEqual([]);
    expect(merge(merged, told("dead", ["a", "9", null, "1"]))).toEqual([]);
    expect(all(merged)).toEqual(["a/1=1"]);
  });

  it("keeps count of what members show, and gives every change with what was there before", () => {
    const node = fc.constantFrom("me", "n", "m");
    const member = fc
      .tuple(fc.constantFrom("a", "b"), fc.nat(3), fc.option(fc.stringMatching(/^x{0,9}$/)))
      .map(([room, client, text]) => ({ room, client, text }));
    const told = fc
      .tuple(node, fc.uniqueArray(member, { selector: ({ room, client }) => room + client }))
      .map(
        ([from, members]): Event => ({
          ...{ kind: "told", node: from },
          members: members.map(({ room, client, text }): Told => {
            const id = `${from}${client}`;
            return text === null ? [room, id] : [room, id, null, text];
          }),
        }),
      );
    const event = fc.oneof(
      { weight: 5, arbitrary: told },
      node.map((from): Event => ({ kind: "joined", node: from })),
      node.map((from): Event => ({ kind: "left", node: from })),
    );
    fc.assert(
      fc.property(fc.array(event), (events) => {
        const merged = newMerged("me");
        const mirror = new Map<string, Row>();
        for (const each of events) {
          for (const { room, client, before } of merge(merged, each)) {
            expect(mirror.get(`${room}/${client}`)?.text ?? null).toBe(before?.text ?? null);
            const now = merged.rooms.get(room)?.members.get(client);
            if (now === undefined) mirror.delete(`${room}/${client}`);
            else mirror.set(`${room}/${client}`, now);
          }
        }
        expect([...mirror].map(([key, { text }]) => `${key}=${text}`).sort()).toEqual(all(merged).sort());
        for (const { members, chars } of merged.rooms.values()) {
          expect(chars).toBe([...members.values()].reduce((sum, { text }) => sum + text.length, 0));
          expect(members.size).toBeGreaterThan(0);
        }
        expect(all(merged).length).toBe(
          ["me", "n", "m"].reduce((sum, from) => sum + [...membersOf(merged, from)].length, 0),
        );
      }),
      { seed: 99, numRuns: 300 },
    );
  });
});
