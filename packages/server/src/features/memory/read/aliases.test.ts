import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openStage, type Stage } from "./testing/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage?.stop());

const person = (name: string) => stage.write("upsert_entity", { type: "person", display_name: name });
const merge = (loser_id: string, winner_id: string) =>
  stage.write("merge_entities", { loser_id, winner_id, reason: "the same" });
const leadsTo = async (id: string, at: number) =>
  (await stage.read("getEntity", { entity_id: id, as_of: new Date(at).toISOString() }))?.id ?? null;

describe("the id of an entity that was merged away, as of an instant", () => {
  it("leads where it led then: nowhere, to itself, to each winner in turn", async () => {
    const third = await person("C");
    const before = stage.now();
    const [first, second] = [await person("A"), await person("B")];
    const apart = stage.now();
    await merge(first, second);
    const once = stage.now();
    await merge(second, third);
    const twice = stage.now();
    expect(await Promise.all([before, apart, once, twice].map((at) => leadsTo(first, at)))).toEqual([
      ...[null, first, second, third],
    ]);
    expect(await Promise.all([once, twice].map((at) => leadsTo(second, at)))).toEqual([second, third]);
    expect((await stage.read("getEntity", { entity_id: first })).id).toBe(third);
  });

  it("still leads there as of then when the winner is gone by now", async () => {
    const [loser, winner] = [await person("D"), await person("E")];
    await merge(loser, winner);
    const merged = stage.now();
    await stage.write("delete_entity", { id: winner, reason: "left" });
    expect(await leadsTo(loser, merged)).toBe(winner);
    expect([await leadsTo(loser, stage.now()), await stage.read("getEntity", { entity_id: loser })]).toEqual([
      ...[null, null],
    ]);
  });
});
