import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import { type Caller, callerOf } from "../../testing/caller.ts";
import { createMemory } from "./index.ts";
import { type Answer, openStage, type Stage } from "./read/testing/stage.ts";
import type { MemoryReader } from "./types.ts";

let stage: Stage;
let caller: Caller;
let ids: Record<string, string>;

beforeAll(async () => {
  stage = await openStage();
  const readerOf = async (key: KeyPrincipal): Promise<MemoryReader> =>
    key.scopes.includes("app:app_one")
      ? stage.scoped({ appId: "app_one", kinds: ["learning"] })
      : { organizationId: key.organizationId, scope: null };
  const { feature } = createMemory(stage.platform, { readerOf });
  caller = callerOf(feature.operations, { organizationId: stage.organizationId });
  const entity = await stage.write("upsert_entity", { type: "person", display_name: "Jane" });
  const artifact = await stage.write("upsert_source_artifact", {
    kind: "mail",
    title: "Offer",
    content: "text",
  });
  const learning = await stage.write("record_learning", {
    title: "Learned",
    description: "D",
    source_artifact_id: artifact,
  });
  const link = await stage.write("link_records", { from_id: entity, to_id: learning, relation: "taught" });
  const principle = await stage.write("record_principle", {
    ...{ title: "P", applies_to: {}, constraint_spec: { type: "max_per_week", params: { n: 1 } } },
  });
  ids = { entity, artifact, learning, link, principle };
});
afterAll(() => stage?.stop());

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => "ok",
    (error) => error.code,
  );

describe("every way to read, as it is called", () => {
  it("takes what a query says, and answers as it declares", async () => {
    const call = (name: string, input: object = {}) => caller.call<Answer>(`memory.${name}`, { ...input });
    expect(await call("find_entities", { type: "person", q: "ja", limit: "5", count: "true" })).toMatchObject(
      {
        ...{ entities: [{ id: ids.entity, display_name: "Jane" }], total: 1 },
      },
    );
    expect(await call("get_entity", { entity_id: ids.entity })).toMatchObject({
      id: ids.entity,
      type: "person",
    });
    expect(await call("list_source_artifacts", { kind: "mail", count: "1" })).toMatchObject({ total: 1 });
    expect(await call("get_source_artifact", { artifact_id: ids.artifact })).toMatchObject({
      content: "text",
    });
    expect(await call("search", { q: "learned", kinds: "learnings,decisions", limit: "3" })).toMatchObject({
      ...{ results: [{ id: ids.learning, kind: "learning", title: "Learned" }] },
    });
    const listed = await call("list", { source_artifact_id: ids.artifact, superseded: "false" });
    expect(listed).toMatchObject({
      results: [{ id: ids.learning, source_artifact_id: ids.artifact }],
      next_before: null,
    });
    expect(await call("list_principles")).toMatchObject({ principles: [{ id: ids.principle }] });
    expect(await call("get_principle", { principle_id: ids.principle })).toMatchObject({ title: "P" });
    expect(await call("get_record", { record_id: ids.link })).toMatchObject({
      kind: "link",
      data: { relation: "taught" },
    });
    const { versions } = await call("history", { record_id: ids.learning });
    expect(versions).toMatchObject([{ version: 1, deleted: false, record: { title: "Learned" } }]);
    expect(versions[0].action_id).toMatch(/^act_/);
    const { links } = await call("links", { record_id: ids.learning });
    expect(links).toMatchObject([
      { direction: "out", relation: "source_artifact_id", link_id: null, id: ids.artifact },
      { direction: "in", relation: "taught", link_id: ids.link, id: ids.entity, title: "Jane" },
    ]);
  });

  it("answers 404 for what is not there or not to be seen, of whatever kind", async () => {
    const app = { scopes: ["app:app_one", "substrate"] };
    const gets = [
      ["get_entity", { entity_id: ids.entity }],
      ["get_source_artifact", { artifact_id: ids.artifact }],
      ["get_principle", { principle_id: ids.principle }],
      ["get_record", { record_id: ids.link }],
      ["history", { record_id: ids.entity }],
      ["links", { record_id: ids.principle }],
    ] as const;
    for (const [name, input] of gets) {
      expect(await codeOf(caller.call(`memory.${name}`, input))).toBe("ok");
      expect(await codeOf(caller.call(`memory.${name}`, input, app))).toBe("RESOURCE_NOT_FOUND");
      const nothing = Object.fromEntries(Object.keys(input).map((field) => [field, "lrn_nothing"]));
      expect(await codeOf(caller.call(`memory.${name}`, nothing))).toBe("RESOURCE_NOT_FOUND");
    }
    const lists = ["find_entities", "list_source_artifacts", "list_principles"];
    for (const name of lists) {
      const answer = await caller.call<Answer>(`memory.${name}`, { count: "true" }, app);
      expect(Object.values(answer).filter((value) => value !== 0)).toEqual(
        Object.values(answer)
          .filter((value) => value !== 0)
          .map(() => []),
      );
    }
    const { results } = await caller.call<Answer>("memory.search", {}, app);
    expect(results.map(({ id }: Answer) => id)).toEqual([ids.learning]);
    const { links } = await caller.call<Answer>("memory.links", { record_id: ids.learning }, app);
    expect(links).toEqual([]);
  });

  it("needs a key that opens the substrate", async () => {
    expect(await codeOf(caller.call("memory.search", {}, { scopes: ["*"] }))).toBe(
      "AUTH_INSUFFICIENT_PERMISSIONS",
    );
    expect(
      await codeOf(caller.call("memory.search", {}, { scopes: ["substrate", "read"], role: "viewer" })),
    ).toBe("ok");
  });

  it("sees nothing of another organisation", async () => {
    const other = { organizationId: "00000000-0000-4000-8000-00000000000f" };
    expect(await caller.call("memory.search", { q: "learned" }, other)).toEqual({ results: [] });
    expect(await caller.call("memory.find_entities", { count: true }, other)).toEqual({
      entities: [],
      total: 0,
    });
    expect(await codeOf(caller.call("memory.get_record", { record_id: ids.learning }, other))).toBe(
      "RESOURCE_NOT_FOUND",
    );
    expect(await codeOf(caller.call("memory.history", { record_id: ids.learning }, other))).toBe(
      "RESOURCE_NOT_FOUND",
    );
  });

  it.each([
    ["search", { kinds: "nonsense" }],
    ["search", { limit: "201" }],
    ["search", { match: "fuzzy" }],
    ["search", { as_of: "yesterday" }],
    ["search", { as_of: "0000-01-01T00:00:00Z" }],
    ["list", { superseded: "perhaps" }],
    ["list", { limit: "0" }],
    ["find_entities", { limit: "1001" }],
    ["find_entities", { count: "2" }],
  ])("refuses %s %o by its shape", async (name, input) => {
    expect(await codeOf(caller.call(`memory.${name}`, input))).toBe("VALIDATION_INVALID_SCHEMA");
  });

  it.each([
    ["search", { q: "a", cursor: "x" }],
    ["search", { cursor: "x" }],
    ["list", { before: "x" }],
    ["find_entities", { cursor: "WzFd" }],
    ["history", { record_id: "lrn_1", before: "WyJhIl0" }],
    ["links", { cursor: "x" }],
  ])("refuses %s %o by its cursor", async (name, input) => {
    const asked = name === "links" ? { ...input, record_id: ids.entity } : input;
    expect(await codeOf(caller.call(`memory.${name}`, asked))).toBe("MEMORY_CURSOR_INVALID");
  });
});
