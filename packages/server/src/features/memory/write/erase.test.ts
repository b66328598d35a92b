import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../ledger/service.ts";
import { type TestMemory, testMemory, wrongs } from "./testing/memory.ts";

let memory: TestMemory;
beforeAll(async () => {
  memory = await testMemory();
});
afterAll(async () => {
  expect(await wrongs(memory.platform.database, memory.organizationId)).toEqual([]);
  await memory.stop();
});

const erase = (id: string, fields: string[] | null = null) =>
  memory.platform.database.transaction((tx) => memory.writer.erase(tx, memory.organizationId, id, fields));

/** Every table of the memory where this text stands, in whatever column. */
async function whereIs(text: string): Promise<string[]> {
  const { database } = memory.platform;
  const tables = await database.query<{ name: string }>(
    "select table_name as name from information_schema.tables where table_schema = 'ambit' and table_name like 'memory%'",
  );
  const found: string[] = [];
  for (const { name } of tables) {
    const [row] = await database.query<{ count: number }>(
      `select count(*)::int as count from ambit.${name} as t where strpos(lower(t::text), lower($1)) > 0`,
      [text],
    );
    if (row!.count > 0) found.push(name);
  }
  return found;
}

const SECRET = "Quetzalcoatl";
const upsert = async (fields: JsonObject) =>
  (await memory.run("upsert_entity", { type: "person", display_name: "P", ...fields })).result
    .entity_id as string;

describe("erasing", () => {
  it("a person leaves nothing of it anywhere, in no version, key, nor in what was merged into it", async () => {
    const id = await upsert({
      ...{ display_name: SECRET, primary_email: `${SECRET}@x.io`, canonical_keys: { github: SECRET } },
      attrs: { a: { b: [SECRET] } },
    });
    const loser = await upsert({ display_name: `${SECRET} 2`, primary_email: `${SECRET}2@x.io` });
    await memory.run("update_entity", { id, display_name: `${SECRET} 3`, attrs: {} });
    await memory.run("merge_entities", { loser_id: loser, winner_id: id, reason: "same" });
    expect(await whereIs(SECRET)).toEqual(
      expect.arrayContaining(["memory_records", "memory_versions", "memory_identities"]),
    );
    // By an id it was merged under: two versions of its own, one of the loser, the merged one and the record.
    expect(await erase(loser)).toBe(5);
    expect((await whereIs(SECRET)).filter((table) => !table.startsWith("memory_words"))).toEqual([]);
    const record = (await memory.record(id))!;
    expect(record).toMatchObject({ title: "[erased]", body: "", version: 3, subtype: "person" });
    expect(record.data).toMatchObject({
      ...{ primary_email: null, canonical_keys: {}, merged_keys: {}, attrs: {}, merged_ids: [loser] },
      erased: { display_name: true, primary_email: true, attrs: true },
    });
    expect(await erase(id)).toBe(0);
    expect(await erase("ent_01nobody")).toBe(0);
  });

  it("some fields leaves the others, and the e-mail's key goes with the e-mail", async () => {
    const id = await upsert({
      display_name: "Stays",
      primary_email: "gone@x.io",
      canonical_keys: { vat: "stays" },
    });
    expect(await erase(id, ["primary_email"])).toBe(2);
    expect((await memory.record(id))!.data).toMatchObject({
      ...{ display_name: "Stays", primary_email: null, canonical_keys: { vat: "stays" } },
      erased: { primary_email: true },
    });
    expect(await upsert({ primary_email: "gone@x.io" })).not.toBe(id);
    expect(await upsert({ canonical_keys: { vat: "stays" } })).toBe(id);
    await expect(erase(id, ["type"])).rejects.toMatchObject({ code: "VALIDATION_INVALID_SCHEMA" });
  });

  it("does not come undone by undoing, and a new value is no erased one", async () => {
    const id = await upsert({ display_name: "Secret", canonical_keys: { k: "x" } });
    const { actionId } = await memory.run("update_entity", { id, display_name: "Other" });
    await erase(id);
    await memory.revert(actionId);
    expect(await memory.record(id)).toMatchObject({ title: "[erased]", version: 3 });
    await memory.run("update_entity", { id, display_name: "New" });
    const { data } = (await memory.record(id))!;
    expect(data.display_name).toBe("New");
    expect(data.erased).not.toHaveProperty("display_name");
    expect(data.erased).toHaveProperty("canonical_keys");
  });

  it("reaches what is deleted", async () => {
    const id = await upsert({ display_name: "Tlaloc" });
    const { actionId } = await memory.run("delete_entity", { id, reason: "asked to" });
    expect(await erase(id)).toBe(1);
    expect((await whereIs("Tlaloc")).filter((table) => !table.startsWith("memory_words"))).toEqual([]);
    await memory.revert(actionId);
    expect((await memory.record(id))!.title).toBe("[erased]");
  });

  it("holds for every kind: a text that was in no field that stays is nowhere", async () => {
    const word = fc.stringMatching(/^[a-z]{12}$/);
    const entity = await upsert({});
    await fc.assert(
      fc.asyncProperty(word, async (secret) => {
        const made = await Promise.all([
          memory.run("record_decision", { title: secret, kind: "vision", rationale: secret }),
          memory.run("record_commitment", {
            description: secret,
            status: "proposed",
            unit: secret,
            attrs: { secret },
          }),
          memory.run("record_learning", { title: secret, description: secret, resolution_taken: secret }),
          memory.run("upsert_source_artifact", {
            ...{ kind: "mail", title: secret, external_system: secret, external_id: secret, summary: secret },
            ...{ content: secret, url: `https://${secret}/`, storage_object_id: secret, attrs: { secret } },
            links: { entity_ids: [entity] },
          }),
        ]);
        const link = await memory.run("link_records", {
          ...{ from_id: entity, to_id: made[0]!.changes[0]!.id, relation: "knows" },
          attrs: { secret },
        });
        for (const { changes } of [...made, link]) expect(await erase(changes[0]!.id)).toBe(2);
        expect((await whereIs(secret)).filter((table) => !table.startsWith("memory_words"))).toEqual([]);
      }),
      { numRuns: 5 },
    );
  });
});
