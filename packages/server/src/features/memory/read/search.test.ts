import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AmbitError } from "../../../kernel/errors.ts";
import { limits } from "./limits.ts";
import { openStage, type Stage } from "./testing/stage.ts";

let stage: Stage;
const ids: Record<string, string> = {};
const learning = (title: string, description: string) =>
  stage.write("record_learning", { title, description });

beforeAll(async () => {
  stage = await openStage();
  const entity = (display_name: string, fields: object = {}) =>
    stage.write("upsert_entity", { type: "company", display_name, ...fields });
  ids.acme = await entity("Acme Corporation", { primary_email: "office@acme.example" });
  ids.globex = await entity("Globex", { attrs: { note: "buys from Acme" } });
  ids.pricing = await learning("Pricing of the enterprise plan", "Acme paid the list price in March.");
  ids.body = await learning(
    "What we saw",
    "The pricing committee met. The committee kept the enterprise plan.",
  );
  ids.apart = await learning("Plan", "An enterprise needs a plan, and pricing comes last.");
  ids.accents = await learning("Café in Zürich", "José pays at the café.");
  ids.japanese = await learning("東京タワー", "The office moved.");
  ids.decision = await stage.write("record_decision", {
    ...{ title: "Discount for Acme", kind: "strategic", rationale: "Volume of the commitment" },
  });
  ids.commitment = await stage.write("record_commitment", {
    ...{ description: "Deliver the connector to Acme", status: "confirmed", to_entity: ids.acme },
  });
  await stage.count();
});
afterAll(() => stage?.stop());

describe("what a search finds", () => {
  it("and: every word; or: any; phrase: next to each other; prefix: beginnings", async () => {
    const sorted = async (q: string, match: string) => (await stage.found(q, { match })).sort();
    const of = (...names: string[]) => names.map((name) => ids[name]).sort();
    expect(await sorted("enterprise plan", "and")).toEqual(of("pricing", "body", "apart"));
    expect(await sorted("globex connector", "or")).toEqual(of("globex", "commitment"));
    expect(await sorted("enterprise plan", "phrase")).toEqual(of("pricing", "body"));
    expect(await sorted('"enterprise plan" committee', "and")).toEqual(of("body"));
    expect(await sorted("enterp pric", "prefix")).toEqual(of("pricing", "body", "apart"));
    expect(await sorted("comm*", "and")).toEqual(
      of("body", "decision", "pricing").filter((id) => id !== ids.pricing),
    );
    expect(await sorted("office@acme.example", "and")).toEqual(of("acme"));
  });

  it("goes by what a reader sees, not by accents, case or width; scripts without spaces are found by parts", async () => {
    for (const q of ["cafe zurich", "CAFÉ ZÜRICH", "ｃａｆｅ", "jose"])
      expect(await stage.found(q)).toEqual([ids.accents]);
    expect(await stage.found("東京")).toEqual([ids.japanese]);
    expect(await stage.found("京東")).toEqual([]);
    expect(await stage.found("!!!")).toEqual([]);
  });

  it("no phrase begins in the title and ends in the text", async () => {
    await learning("first alphaword", "betaword second");
    expect(await stage.found("alphaword betaword", { match: "phrase" })).toEqual([]);
    expect(await stage.found("alphaword betaword")).toHaveLength(1);
  });

  it("titles come before texts, all words before some, and of likes the newer", async () => {
    expect((await stage.found("pricing"))[0]).toBe(ids.pricing);
    const [first] = await stage.found("acme discount volume", { match: "or" });
    expect(first).toBe(ids.decision);
    const older = await learning("Retention tiebreak", "same text");
    const newer = await learning("Retention tiebreak", "same text");
    expect(await stage.found("tiebreak")).toEqual([newer, older]);
    const { results } = await stage.read("searchMemory", { q: "tiebreak" });
    expect(results[0].rank).toBe(results[1].rank);
    expect(results[0].rank).toBeGreaterThan(0);
    expect(results[0].rank).toBeLessThanOrEqual(1);
  });

  it("a result shows where it was found", async () => {
    const long = `${"Nothing of note. ".repeat(60)}Here the rareword stands.${" More.".repeat(80)}`;
    const id = await learning("Long", long);
    const { results } = await stage.read("searchMemory", { q: "rareword" });
    expect(results[0]).toMatchObject({ id, kind: "learning", body_text: long, body_truncated: false });
    expect(results[0].snippet).toContain("rareword");
    expect(results[0].snippet.length).toBeLessThan(limits.snippetChars + 80);
    expect(results[0]).toMatchObject({ source_artifact_id: null, supersedes: null, status: "active" });
    expect(results[0].action_id).toMatch(/^act_/);
  });
});

describe("misspelt words", () => {
  it.each([
    ["acmee", "acme", "acme"],
    ["conector", "connector", "commitment"],
    ["committe", "committee", "body"],
    ["entreprise", "enterprise", "pricing"],
    ["corporatoin", "corporation", "acme"],
    ["corpration", "corporation", "acme"],
    ["corparetion", "corporation", "acme"],
  ])("%s is taken for %s, and it is said", async (typed, meant, name) => {
    const { results, corrections } = await stage.read("searchMemory", { q: typed });
    expect(results.map(({ id }: { id: string }) => id)).toContain(ids[name]);
    expect(corrections[typed]).toContain(meant);
  });

  it("within phrases and beside other words too", async () => {
    expect(await stage.found("enterprize plan", { match: "phrase" })).toContain(ids.body);
    expect(await stage.found('globex "buyss from"')).toEqual([ids.globex]);
  });

  it("what stands as it was typed comes before everything corrected, and nothing common is corrected", async () => {
    const rare = await learning("Somewhere", "an acne study");
    await stage.count();
    const found = await stage.found("acne");
    expect(found[0]).toBe(rare);
    expect(found).toContain(ids.acme);
    const { corrections } = await stage.read("searchMemory", { q: "acme" });
    expect(corrections).toBeUndefined();
  });

  it("numbers and short words are what they are", async () => {
    await learning("Order 48151", "to be");
    await stage.count();
    expect(await stage.found("48152")).toEqual([]);
    expect(await stage.found("tb")).toEqual([]);
  });

  it("a correction never names a word of something the reader may not see", async () => {
    await stage.write("record_learning", { title: "Seen", description: "salarx" }, { app: "app_one" });
    await learning("Secret", "salary salary2 salarium");
    await stage.count();
    const own = stage.scoped({ appId: "app_one", ownOnly: true });
    const answer = await stage.read("searchMemory", { q: "salari" }, own);
    expect(answer.results).toHaveLength(1);
    expect(answer.corrections).toEqual({ salari: ["salarx"] });
    const other = stage.scoped({ appId: "app_two", ownOnly: true });
    expect(await stage.read("searchMemory", { q: "salari" }, other)).toEqual({ results: [] });
  });

  it("a word that is common, but not where the reader looks, is corrected there", async () => {
    for (let n = 0; n < limits.fewRecords; n++) await learning(`Jonas ${n}`, "x");
    const own = await stage.write("record_learning", { title: "Jonah", description: "y" }, { app: "app_j" });
    await stage.count();
    expect(await stage.found("jonas", {}, stage.scoped({ appId: "app_j", ownOnly: true }))).toEqual([own]);
  });
});

describe("what narrows a search", () => {
  it("kinds, entity, app, status and time", async () => {
    expect(await stage.found("acme", { kinds: "commitments,decision" })).toHaveLength(2);
    expect(await stage.found("acme", { kinds: ["entities"] })).toContain(ids.acme);
    expect(await stage.found("acme", { kinds: "principles" })).toEqual([]);
    expect(await stage.found("deliver", { entity_id: ids.acme })).toEqual([ids.commitment]);
    expect(await stage.found("*", { entity_id: ids.acme })).toEqual([ids.commitment]);
    expect(await stage.found("deliver", { entity_id: ids.globex })).toEqual([]);
    expect(await stage.found("acme", { status: "confirmed" })).toEqual([ids.commitment]);
    expect(await stage.found("salarx", { app_id: "app_one" })).toHaveLength(1);
    expect(await stage.found("acme", { app_id: "app_one" })).toEqual([]);
    const { updated_at } = await stage.read("getRecord", { record_id: ids.decision });
    const next = new Date(Date.parse(updated_at) + 1).toISOString();
    expect(await stage.found("acme", { from: updated_at, to: next })).toEqual([ids.decision]);
    expect(await stage.found("", { from: updated_at, to: next })).toEqual([ids.decision]);
  });

  it("nothing to look for gives the latest, without a rank", async () => {
    const { results, next_cursor } = await stage.read("searchMemory", { q: "*", limit: 2 });
    expect(results).toHaveLength(2);
    expect(results[0].rank).toBeNull();
    const rest = await stage.read("searchMemory", { q: "", limit: 200, cursor: next_cursor });
    const all = await stage.read("searchMemory", { limit: 200 });
    expect([...results, ...rest.results]).toEqual(all.results);
  });

  it("an unknown kind is refused and named", async () => {
    await expect(stage.read("searchMemory", { kinds: "decisions,constructor" })).rejects.toThrow(
      /constructor is no kind/,
    );
  });
});

describe("pages", () => {
  it("show every result once, in the order of one page", async () => {
    for (let n = 0; n < 25; n++) await learning(n % 3 === 0 ? `Paging ${n}` : `Other ${n}`, "paging pages");
    const whole = await stage.found("paging", { limit: 100 });
    expect(whole).toHaveLength(25);
    const pieces: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await stage.read("searchMemory", { q: "paging", limit: 4, cursor });
      pieces.push(...page.results.map(({ id }: { id: string }) => id));
      cursor = page.next_cursor;
    } while (cursor !== undefined);
    expect(pieces).toEqual(whole);
  });
});

describe("any text", () => {
  it("is searched for without an error, or refused by name when it is too long", async () => {
    const nasty = fc.array(
      fc.constantFrom(
        ..."\"*'\\:&|!()<>-~%_;$",
        "<->",
        "<2>",
        ":*",
        ":A",
        "''",
        "--",
        "acme",
        "é",
        "𝒳",
        "\u0301",
        " ",
        "\n",
        "{}",
        "$1",
      ),
      { maxLength: 30 },
    );
    const text = fc.oneof(
      nasty.map((parts) => parts.join("")),
      fc.string({ unit: "binary", maxLength: 80 }),
    );
    const input = fc.record({ q: text, match: fc.constantFrom("and", "or", "phrase", "prefix") });
    await fc.assert(
      fc.asyncProperty(input, async ({ q, match }) => {
        fc.pre(!q.includes("\0"));
        const searches = [
          stage.read("searchMemory", { q, match }),
          stage.read("searchMemory", { q, match, as_of: "2026-01-01T00:00:05Z" }),
          stage.read("findEntities", { q, count: "true" }),
          stage.read("listArtifacts", { q, kind: q }),
          stage.read("searchMemory", {
            q,
            match,
            status: q,
            app_id: q,
            entity_id: q === "" ? "x" : q.slice(0, 100),
          }),
        ];
        const ended = await Promise.allSettled(searches);
        const wrong = ended.filter(
          (each) =>
            each.status === "rejected" && (each.reason as AmbitError).code !== "MEMORY_QUERY_TOO_LONG",
        );
        expect(wrong).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });

  it("has bounds, each a refusal that is counted", async () => {
    const code = (q: string) =>
      stage.read("searchMemory", { q }).then(
        () => "ok",
        (error) => error.code,
      );
    expect(await code("a".repeat(limits.queryChars))).toBe("ok");
    expect(await code("a".repeat(limits.queryChars + 1))).toBe("MEMORY_QUERY_TOO_LONG");
    expect(await code(Array.from({ length: limits.queryWords }, (_, n) => `w${n}`).join(" "))).toBe("ok");
    expect(await code(Array.from({ length: limits.queryWords + 1 }, (_, n) => `w${n}`).join(" "))).toBe(
      "MEMORY_QUERY_TOO_LONG",
    );
    const metrics = await stage.platform.metrics.registry.metrics();
    expect(metrics).toMatch(/ambit_limit_hit_total\{limit="memory_query_chars"\} 1/);
    expect(metrics).toMatch(/ambit_limit_hit_total\{limit="memory_query_words"\} 1/);
  });
});
