import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { MemoryReader, MemoryRecord, ReadScope } from "../types.ts";
import { idsIn, REFERENCE_FIELDS } from "../write/data.ts";
import { wordsOf } from "./fold.ts";
import type { ReadName } from "./inputs.ts";
import { isVisible } from "./scope.ts";
import { type Answer, openStage, type Stage } from "./testing/stage.ts";
import {
  happen,
  type Known,
  newestChangeFirst,
  newestMadeFirst,
  randomFrom,
  visibleOf,
  type World,
} from "./testing/world.ts";

const SEED = 20_260_101;
let stage: Stage;
let world: World;
beforeAll(async () => {
  stage = await openStage();
  world = await happen(stage, randomFrom(SEED), 260);
  await stage.count();
}, 120_000);
afterAll(() => stage?.stop());

const kinds = ["entity", "decision", "commitment", "learning", "source_artifact", "link"] as const;
const scope: fc.Arbitrary<ReadScope | null> = fc.option(
  fc.record(
    {
      appId: fc.constantFrom("app_aaaaaaaaaaaa", "app_bbbbbbbbbbbb", "app_nobody"),
      kinds: fc.oneof(fc.subarray([...kinds]), fc.subarray([...kinds], { minLength: 5 })),
      entityTypes: fc.subarray(["person", "company", "project"]),
      ownOnly: fc.boolean(),
    },
    { requiredKeys: ["appId"], noNullPrototype: true },
  ),
  { freq: 5 },
);
/** An instant between the first write and a while after the last, or null for now; as its place among the moments. */
const instant = fc.option(fc.double({ min: 0, max: 1.05, noNaN: true }), { freq: 3 });

interface Question {
  readonly reader: MemoryReader;
  readonly as_of: string | undefined;
  /** What was known then. */
  readonly known: Known;
  readonly seen: MemoryRecord[];
}

function ask(of: ReadScope | null, at: number | null): Question {
  const { moments } = world;
  const [first, last] = [moments[0]!.atMs, moments.at(-1)!.atMs];
  const atMs = at === null ? Number.POSITIVE_INFINITY : Math.round(first + at * (last - first));
  const known = moments.findLast((moment) => moment.atMs <= atMs)?.known ?? new Map();
  return {
    reader: { organizationId: stage.organizationId, scope: of },
    as_of: at === null ? undefined : new Date(atMs).toISOString(),
    known,
    seen: visibleOf(known, of),
  };
}

const each = (run: (question: Question, limit: number) => Promise<void>, numRuns = 60) =>
  fc.assert(
    fc.asyncProperty(scope, instant, fc.integer({ min: 1, max: 60 }), (of, at, limit) =>
      run(ask(of, at), limit),
    ),
    { numRuns, seed: SEED },
  );

/** Everything a list gives, page by page. */
async function allPages(name: ReadName, rows: string, input: Record<string, unknown>, reader: MemoryReader) {
  const found: Answer[] = [];
  let next: Record<string, string> | undefined;
  do {
    const page = await stage.read(name, { ...input, ...next }, reader);
    found.push(...page[rows]);
    const { next_cursor: cursor, next_before: before } = page;
    next = (cursor ?? before) == null ? undefined : { cursor, before };
  } while (next !== undefined);
  return found;
}
const idsOf = (rows: Answer[]): string[] => rows.map(({ id }) => id);

describe(`a reader sees what its scope lets it see, now and as of any instant (seed ${SEED})`, () => {
  it("the world is worth looking at", () => {
    expect(world.moments.length).toBeGreaterThan(100);
    const last = [...world.moments.at(-1)!.known.values()];
    for (const kind of kinds) expect(last.filter((record) => record.kind === kind).length).toBeGreaterThan(2);
    expect(world.ids.length).toBeGreaterThan(last.length);
  });

  it("in the list of the memory", () =>
    each(async ({ reader, as_of, seen }, limit) => {
      expect(idsOf(await allPages("listMemory", "results", { limit, as_of }, reader))).toEqual(
        newestChangeFirst(seen),
      );
      const decisions = { kinds: "decisions,links", superseded: "false", limit, as_of };
      const expected = seen.filter(
        ({ kind, status }) => kind === "link" || (kind === "decision" && status !== "superseded"),
      );
      expect(idsOf(await allPages("listMemory", "results", decisions, reader))).toEqual(
        newestChangeFirst(expected),
      );
    }));

  it("in what comes from a source artifact", () =>
    each(async ({ reader, as_of, known, seen }) => {
      for (const { id } of [...known.values()].filter(({ kind }) => kind === "source_artifact").slice(0, 3)) {
        const rows = await allPages(
          "listMemory",
          "results",
          { source_artifact_id: id, as_of, limit: 2 },
          reader,
        );
        expect(idsOf(rows)).toEqual(
          newestChangeFirst(seen.filter(({ data }) => data.source_artifact_id === id)),
        );
      }
    }, 30));

  it("in the lists of entities, source artifacts and principles, and in their numbers", () =>
    each(async ({ reader, as_of, seen }, limit) => {
      const entities = await allPages("findEntities", "entities", { limit, as_of }, reader);
      expect(idsOf(entities)).toEqual(newestMadeFirst(seen, "entity"));
      const people = seen.filter(({ subtype }) => subtype === "person");
      const { total } = await stage.read(
        "findEntities",
        { type: "person", count: true, limit: 1, as_of },
        reader,
      );
      expect(total).toBe(newestMadeFirst(people, "entity").length);
      const artifacts = await allPages("listArtifacts", "artifacts", { limit, as_of }, reader);
      expect(idsOf(artifacts)).toEqual(newestMadeFirst(seen, "source_artifact"));
      for (const artifact of artifacts) expect(artifact).not.toHaveProperty("content");
      const principles = await allPages(
        "listPrinciples",
        "principles",
        { limit, as_of, status: "all" },
        reader,
      );
      expect(idsOf(principles)).toEqual(
        newestChangeFirst(seen.filter(({ subtype }) => subtype === "principle")),
      );
    }));

  it("by words and by e-mail address in the list of entities", () =>
    each(async ({ reader, as_of, seen }) => {
      const having = (prefix: string) =>
        seen.filter(({ title, body }) =>
          wordsOf(`${title} ${body}`, 64).some((word) => word.startsWith(prefix)),
        );
      const found = await stage.read("findEntities", { q: "alp", count: true, limit: 1_000, as_of }, reader);
      expect(idsOf(found.entities)).toEqual(newestMadeFirst(having("alp"), "entity"));
      expect(found.total).toBe(found.entities.length);
      const known = await stage.read("findEntities", { primary_email: " BETA@x.io", as_of }, reader);
      expect(idsOf(known.entities)).toEqual(
        newestMadeFirst(
          seen.filter(({ data }) => data.primary_email === "beta@x.io"),
          "entity",
        ),
      );
    }));

  it("by id, and nothing else is there", () =>
    each(async ({ reader, as_of, known, seen }) => {
      const visible = new Map(seen.map((record) => [record.id, record]));
      for (const id of world.ids) {
        if (!known.has(id)) continue;
        const record = await stage.read("getRecord", { record_id: id, as_of }, reader);
        const expected = visible.get(id);
        if (expected === undefined) expect(record).toBeNull();
        else expect(record).toMatchObject({ id, version: expected.version, data: expected.data });
      }
    }, 12));

  it("in searches", () =>
    each(async ({ reader, as_of, seen }, limit) => {
      const having = (word: string) =>
        seen
          .filter(({ title, body }) => wordsOf(`${title} ${body}`, 64).includes(word))
          .map(({ id }) => id)
          .sort();
      const rows = await allPages("searchMemory", "results", { q: "épsilon", limit, as_of }, reader);
      expect(idsOf(rows).sort()).toEqual(having("epsilon"));
      const both = await allPages("searchMemory", "results", { q: "alpha beta", limit, as_of }, reader);
      expect(idsOf(both).sort()).toEqual(having("alpha").filter((id) => having("beta").includes(id)));
      const ranks = rows.map(({ rank }) => rank);
      expect(ranks).toEqual([...ranks].sort((a, b) => b - a));
      const latest = await allPages("searchMemory", "results", { q: "*", limit, as_of }, reader);
      expect(idsOf(latest)).toEqual(newestChangeFirst(seen));
    }));

  it("in searches about one record", () =>
    each(async ({ reader, as_of, known, seen }) => {
      const entities = [...known.values()].filter(({ kind }) => kind === "entity").slice(0, 4);
      for (const { id } of entities) {
        const naming = seen.filter((record) =>
          REFERENCE_FIELDS[record.kind].some(({ field }) => idsIn(record.data, field).includes(id)),
        );
        const rows = await allPages("searchMemory", "results", { entity_id: id, limit: 3, as_of }, reader);
        expect(idsOf(rows)).toEqual(newestChangeFirst(naming));
        const found = await stage.found("alpha gamma", { entity_id: id, match: "or", as_of }, reader);
        const words = (record: MemoryRecord) => wordsOf(`${record.title} ${record.body}`, 64);
        const expected = naming.filter((record) =>
          words(record).some((word) => ["alpha", "gamma"].includes(word)),
        );
        expect(found.sort()).toEqual(expected.map((record) => record.id).sort());
      }
    }, 25));
});

describe("what has happened to a record, and what it is connected with", () => {
  it("is shown as far as each of it could be seen", () =>
    each(async ({ reader }) => {
      const at = (iso: string) => world.moments.findLast(({ atMs }) => atMs <= Date.parse(iso))!.known;
      for (const id of world.ids.slice(0, 25)) {
        const whole = await stage.read("history", { record_id: id, limit: 200 });
        const visible = (version: Answer) =>
          isVisible(reader.scope, version.record, (end) => at(version.known_from).get(end));
        const expected = whole.versions.filter((version: Answer, place: number) =>
          version.deleted ? visible(whole.versions[place + 1]) : visible(version),
        );
        const shown = await stage.read("history", { record_id: id, limit: 200 }, reader);
        expect(shown?.versions ?? []).toEqual(expected);
      }
    }, 12));

  it("in whole is every version there was", async () => {
    const { database } = stage.platform;
    const rows = await database.query<{ id: string; versions: number }>(
      "select record_id as id, count(*)::int as versions from ambit.memory_versions where organization_id = $1 group by 1",
      [stage.organizationId],
    );
    for (const { id, versions } of rows) {
      const pages = await allPages("history", "versions", { record_id: id, limit: 2 }, stage.everything);
      expect(pages.map(({ version }) => version)).toEqual(
        Array.from({ length: versions }, (_, n) => versions - n),
      );
    }
  });

  it("connections lead to visible records, through visible links, and to all of them", () =>
    each(async ({ reader }, limit) => {
      const { known, seen } = ask(reader.scope, null);
      const visible = new Set(idsOf(seen));
      const links = [...known.values()].filter(({ kind }) => kind === "link");
      const ends = new Set(links.flatMap(({ data }) => [data.from_id, data.to_id]));
      for (const record of seen.filter(({ id }) => ends.has(id)).slice(0, 12)) {
        const rows = await allPages("connections", "links", { record_id: record.id, limit }, reader);
        const expected: string[] = [];
        for (const other of known.values()) {
          const names = REFERENCE_FIELDS[other.kind].flatMap(({ field }) =>
            idsIn(other.data, field).map((to) => [field, to]),
          );
          for (const [field, to] of names) {
            if (other.id === record.id) expected.push(`out ${field} ${to}`);
            else if (to === record.id && other.kind !== "link") expected.push(`in ${field} ${other.id}`);
            else if (to === record.id && visible.has(other.id)) {
              const end = field === "from_id" ? other.data.to_id : other.data.from_id;
              expected.push(`${field === "from_id" ? "out" : "in"} ${other.data.relation} ${end}`);
            }
          }
        }
        const told = rows.map(({ direction, relation, id }) => `${direction} ${relation} ${id}`);
        expect(told.sort()).toEqual(expected.filter((each) => visible.has(each.split(" ")[2]!)).sort());
      }
    }, 40));
});
