import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import type { Json, JsonObject } from "../ledger/service.ts";
import { readCondition } from "./condition.ts";
import { limits } from "./limits.ts";
import { find } from "./search.ts";
import { type Node, newOrganization, ruleNode, write } from "./testing/stand.ts";

let test: TestPlatform;
let node: Node;
let editor: { organizationId: string; accountId: string };
const NOW = Date.parse("2026-05-04T12:00:00Z");
const COUNT = 2 * limits.rowsPerPage + 30;

beforeAll(async () => {
  test = await testPlatform();
  node = ruleNode(test.platform, test.apps);
  editor = await newOrganization(test.platform);
  for (let n = 0; n < COUNT; n++) {
    const status = n % 10 === 0 ? "tentative" : "confirmed";
    const due: JsonObject = n % 3 === 0 ? {} : { due_at: "2026-05-01T00:00:00Z" };
    await write(
      node,
      editor,
      "record_commitment",
      { description: `c${n}`, status, ...due, amount: n },
      NOW + n,
    );
  }
  await write(
    node,
    editor,
    "upsert_entity",
    { type: "person", display_name: "Ada", attrs: { level: 3 } },
    NOW,
  );
  await write(node, editor, "upsert_entity", { type: "company", display_name: "Ada Ltd" }, NOW);
  await write(node, editor, "record_decision", { title: "Go", kind: "strategic" }, NOW);
});
afterAll(() => test.stop());

const search = (condition: Json) =>
  find(node, editor.organizationId, readCondition("row_query", condition), NOW);

describe("rows", () => {
  it("are found on every page", async () => {
    const where = { in: [{ var: "amount" }, [0, COUNT / 2, COUNT - 1]] };
    const { bindings, note } = await search({ from: "commitments", where });
    expect(bindings.map(({ variables }) => variables.amount)).toEqual([COUNT - 1, COUNT / 2, 0]);
    expect(note).toBeNull();
    expect(bindings[0]!.key).toBe(bindings[0]!.shown.id);
  });

  it("are at most as many as asked for; more are told of", async () => {
    const three = await search({ from: "commitments", limit: 3 });
    expect(three.bindings).toHaveLength(3);
    expect(three.note).toBe("More than 3 rows match.");
    const all = await search({ from: "commitments" });
    expect(all.bindings).toHaveLength(limits.bindings);
    expect(all.note).toContain(`More than ${limits.bindings}`);
  });

  it("are narrowed by status and type", async () => {
    const tentative = await search({ from: "commitments", status: "tentative" });
    expect(tentative.bindings).toHaveLength(Math.ceil(COUNT / 10));
    const people = await search({ from: "entities", type: "person" });
    expect(people.bindings.map(({ variables }) => variables.display_name)).toEqual(["Ada"]);
    expect((await search({ from: "decisions", type: "mission" })).note).toBe("No row matches.");
    expect((await search({ "==": [{ var: "attrs.level" }, 3] })).bindings).toHaveLength(1);
  });

  it("that can't be judged are no matches, and are counted", async () => {
    const where = { ">": [{ days_since: { var: "due_at" } }, 100] };
    const { bindings, note } = await search({ from: "commitments", where });
    expect(bindings).toEqual([]);
    expect(note).toMatch(/^No row matches\. \d+ rows could not be judged \(com_\w+: days_since needs a date/);
    expect(note).toContain(`${Math.ceil(COUNT / 3)} rows`);
  });

  it("of another organisation are not seen", async () => {
    const other = await newOrganization(test.platform);
    const condition = readCondition("row_query", { from: "commitments" });
    expect((await find(node, other.organizationId, condition, NOW)).bindings).toEqual([]);
  });

  it("cost only so much in all", async () => {
    const list = Array.from({ length: 70 }, (_, n) => n);
    const where = { all: [list, { all: [list, { ">=": [{ var: "" }, 0] }] }] };
    await expect(search({ from: "commitments", where })).rejects.toMatchObject({
      code: "RULE_CONDITION_FAILED",
      details: { exhausted: "firing" },
    });
    const cheaper = { all: [list, { all: [list.slice(0, 20), { ">=": [{ var: "" }, 0] }] }] };
    await expect(search({ from: "commitments", where: cheaper })).resolves.toBeDefined();
  });
});
