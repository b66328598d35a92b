import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Database } from "../../../engines/postgres/database.ts";
import { createLog } from "../../../kernel/log.ts";
import type { JsonObject } from "../../ledger/service.ts";
import { type Memory, stored, type TestMemory, type Tried, testMemory, wrongs } from "./testing/memory.ts";

let memory: TestMemory;
let databases: Database[];
/** The memory of a new organisation, as four nodes have it, ten connections each. */
let nodes: Memory[];

beforeAll(async () => {
  memory = await testMemory();
  const { target } = memory.platform.database;
  databases = [1, 2, 3, 4].map(() => new Database(target, () => "", createLog("silent")));
});
beforeEach(async () => {
  const { organizationId } = await memory.another();
  nodes = databases.map((database) => memory.on(database, organizationId));
});
afterAll(async () => {
  await Promise.all(databases.map((database) => database.close()));
  await memory.stop();
});

/** Runs of each mixture of things done at once. */
const RUNS = Number(process.env.MEMORY_RACE_RUNS ?? 15);

type Doing = (node: Memory) => Promise<Tried>;

const all = (doings: readonly Doing[]) => Promise.all(doings.map((each, at) => each(nodes[at % 4]!)));
const times = (count: number, doing: (at: number) => Doing) =>
  all(Array.from({ length: count }, (_, at) => doing(at)));
const proposing =
  (capability: string, payload: JsonObject): Doing =>
  (node) =>
    node.attempt(capability, payload);
const now = () => stored(memory.platform.database, nodes[0]!.organizationId);
const nothingWrong = async () =>
  expect(await wrongs(memory.platform.database, nodes[0]!.organizationId)).toEqual([]);
const codes = (tried: readonly Tried[]) =>
  Object.fromEntries(
    [...Map.groupBy(tried, ({ error }) => (error === null ? "done" : (error.code ?? String(error))))].map(
      ([code, each]) => [code, each.length],
    ),
  );

describe("32 at once, on four nodes", () => {
  it.each([
    ["an e-mail", { type: "person", display_name: "Ada", primary_email: "ada@x.io" }],
    ["several keys", { type: "company", display_name: "X", canonical_keys: { domain: "x.io", vat: "7" } }],
  ])("make one entity of %s", async (_, payload) => {
    const tried = await times(32, (at) =>
      proposing("upsert_entity", { ...payload, attrs: { [`n${at}`]: at } }),
    );
    expect(codes(tried)).toEqual({ done: 32 });
    expect(new Set(tried.map(({ outcome }) => outcome!.result.entity_id)).size).toBe(1);
    expect(tried.filter(({ outcome }) => outcome!.result.was_insert)).toHaveLength(1);
    const [entity] = (await now()).records.values();
    // Nobody's part is lost.
    expect(Object.keys(entity!.data.attrs as object)).toHaveLength(32);
    expect(entity!.version).toBe(32);
    await nothingWrong();
  });

  it("make one artifact of an external id, and one link of two records", async () => {
    const artifact = { kind: "mail", title: "Hello", external_system: "mail", external_id: "17" };
    const tried = await times(32, (at) =>
      proposing("upsert_source_artifact", { ...artifact, attrs: { at } }),
    );
    expect(codes(tried)).toEqual({ done: 32 });
    expect(tried.filter(({ outcome }) => outcome!.result.was_insert)).toHaveLength(1);
    const [from, to] = await Promise.all([
      nodes[0]!.run("upsert_entity", { type: "person", display_name: "A" }),
      nodes[0]!.run("upsert_entity", { type: "person", display_name: "B" }),
    ]);
    const ends = { from_id: from!.result.entity_id!, to_id: to!.result.entity_id!, relation: "knows" };
    const linked = await times(32, () => proposing("link_records", ends));
    expect(codes(linked)).toEqual({ done: 32 });
    expect(new Set(linked.map(({ outcome }) => outcome!.result.link_id)).size).toBe(1);
    await nothingWrong();
  });

  it("patch once what all have seen the same of", async () => {
    const { result } = await nodes[0]!.run("upsert_entity", { type: "team", display_name: "T" });
    const patch = { id: result.entity_id!, if_updated_at: result.updated_at! };
    const tried = await times(32, (at) => proposing("patch_entity", { ...patch, attrs_patch: { at } }));
    expect(codes(tried)).toEqual({ done: 1, ENTITY_CHANGED: 31 });
    await nothingWrong();
  });

  it("undo an action once", async () => {
    const { actionId } = await nodes[0]!.run("record_decision", { title: "So", kind: "strategic" });
    expect(codes(await times(32, () => (node) => node.revert(actionId)))).toEqual({
      done: 1,
      REVERT_BLOCKED: 31,
    });
    const [undoing] = await memory.platform.database.query<{ action_id: string }>(
      "select action_id from ambit.memory_versions where organization_id = $1 and version = 2",
      [nodes[0]!.organizationId],
    );
    const redone = await times(32, () => (node) => node.revert(undoing!.action_id));
    expect(codes(redone)).toEqual({ done: 1, REVERT_BLOCKED: 31 });
    expect((await now()).records.size).toBe(1);
    await nothingWrong();
  });
});

it("keys in any order and mixture never make two of one, nor a failure that is not the caller's", async () => {
  const key = fc.record({ name: fc.constantFrom("a", "b", "c", "d"), value: fc.constantFrom("1", "2") });
  const payload = fc.array(key, { minLength: 1, maxLength: 4 }).map((keys) => ({
    ...{ type: "company", display_name: "X" },
    canonical_keys: Object.fromEntries(keys.map(({ name, value }) => [name, value])),
  }));
  await fc.assert(
    fc.asyncProperty(fc.array(payload, { minLength: 12, maxLength: 24, size: "max" }), async (payloads) => {
      const { organizationId } = await memory.another();
      nodes = databases.map((database) => memory.on(database, organizationId));
      const tried = await all(payloads.map((each) => proposing("upsert_entity", each)));
      expect(
        Object.keys(codes(tried)).filter((code) => !["done", "ENTITY_AMBIGUOUS"].includes(code)),
      ).toEqual([]);
      await nothingWrong();
    }),
    { numRuns: RUNS },
  );
});

it("keys taken in part while another is taking the rest are let go, and the one entity gets them all", async () => {
  const { database } = memory.platform;
  const { organizationId, writer } = nodes[0]!;
  const company = (keys: JsonObject) => ({ type: "company", display_name: "X", canonical_keys: keys });
  const [first, second] = await database.transaction(async (tx) => {
    const work = { organizationId, actionId: "act_held", sourceAppId: null, nowMs: Date.now() };
    const made = await writer.execute(tx, work, "upsert_entity", company({ b: "1" }));
    const meanwhile = nodes[1]!.attempt("upsert_entity", company({ a: "1", b: "1", c: "1" }));
    // Until the other waits for the key that is not committed yet.
    for (let waits = 0; waits === 0; ) {
      const [row] = await database.query<{ count: number }>(
        `select count(*)::int as count from pg_locks join pg_stat_activity using (pid)
         where not granted and locktype = 'transactionid' and datname = current_database()`,
      );
      waits = row!.count;
    }
    return [made, { meanwhile }] as const;
  });
  const { outcome, error } = await second.meanwhile;
  expect(error).toBe(null);
  expect(outcome!.result).toMatchObject({ entity_id: first.result.entity_id, was_insert: false });
  const [entity] = (await now()).records.values();
  expect(entity!.data.canonical_keys).toEqual({ a: "1", b: "1", c: "1" });
  await nothingWrong();
});

it("e-mails that change places at once end with an answer for everybody", async () => {
  const made = await Promise.all(
    ["a@x.io", "b@x.io"].map((primary_email) =>
      nodes[0]!.run("upsert_entity", { type: "person", display_name: "X", primary_email }),
    ),
  );
  const [a, b] = made.map(({ result }) => result.entity_id!);
  for (let round = 0; round < 3; round++) {
    const tried = await all([
      proposing("update_entity", { id: a!, primary_email: "b@x.io" }),
      proposing("update_entity", { id: b!, primary_email: "a@x.io" }),
    ]);
    for (const { error } of tried) expect(error?.code ?? "ENTITY_AMBIGUOUS").toBe("ENTITY_AMBIGUOUS");
    await nothingWrong();
  }
});

it("merges, deletions, reverts and what refers to entities meanwhile leave nothing dangling", async () => {
  const known = new Set([
    "done",
    "RESOURCE_NOT_FOUND",
    "VALIDATION_UNKNOWN_REFERENCE",
    "VALIDATION_INVALID_SCHEMA",
  ]);
  for (const code of ["ENTITY_IN_USE", "ENTITY_AMBIGUOUS", "REVERT_BLOCKED"]) known.add(code);
  const at = fc.nat(5);
  const doing = fc.oneof(
    fc.record({ merge: fc.tuple(at, at) }),
    fc.record({ commit: fc.tuple(at, at) }),
    fc.record({ link: fc.tuple(at, at) }),
    fc.record({ artifact: fc.tuple(at, at) }),
    fc.record({ mail: at }),
    fc.record({ remove: at }),
    fc.record({ revert: at }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(doing, { minLength: 24, maxLength: 40, size: "max" }), async (doings) => {
      const { organizationId } = await memory.another();
      nodes = databases.map((database) => memory.on(database, organizationId));
      const made = await Promise.all(
        [0, 1, 2, 3, 4, 5].map((each) =>
          nodes[0]!.run("upsert_entity", {
            type: "person",
            display_name: "X",
            primary_email: `${each}@x.io`,
          }),
        ),
      );
      const id = (each: number) => made[each]!.result.entity_id as string;
      const tried = await all(
        doings.map((each): Doing => {
          if ("merge" in each) {
            const [loser, winner] = each.merge.map(id);
            return proposing("merge_entities", { loser_id: loser!, winner_id: winner!, reason: "same" });
          }
          if ("commit" in each) {
            const [from, to] = each.commit.map(id);
            return proposing("record_commitment", {
              ...{ description: "owes", status: "proposed" },
              ...{ from_entity: from!, to_entity: to! },
            });
          }
          if ("link" in each) {
            const [from, to] = each.link.map(id);
            return proposing("link_records", { from_id: from!, to_id: to!, relation: "knows" });
          }
          if ("artifact" in each) {
            const links = { entity_ids: each.artifact.map(id) };
            return proposing("upsert_source_artifact", {
              ...{ kind: "mail", title: "M", external_system: "mail", external_id: "1" },
              links,
            });
          }
          if ("mail" in each)
            return proposing("upsert_entity", {
              type: "person",
              display_name: "Y",
              primary_email: `${each.mail}@x.io`,
            });
          if ("remove" in each) return proposing("delete_entity", { id: id(each.remove), reason: "gone" });
          return (node) => node.revert(made[each.revert]!.actionId);
        }),
      );
      expect(Object.keys(codes(tried)).filter((code) => !known.has(code))).toEqual([]);
      await nothingWrong();
    }),
    { numRuns: RUNS },
  );
}, 120_000);
