import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { validate } from "@ambit/policy";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { casesIn } from "./policy-cases.ts";
import { run } from "./testing/ambit.ts";
import { listIn } from "./values.ts";

const EVERYTHING = createRequire(import.meta.url).resolve(
  "@modelcontextprotocol/server-everything/dist/index.js",
);
const SPEND = { counter: "spend", window: "day", max: 100, scope: "grant", cost: "args.amount" };
const POLICY = {
  version: "1",
  default: "deny",
  tools: {
    list: {},
    pay: {
      deny_if: [{ conditions: [{ path: "args.to", op: "eq", value: "eve" }], on_deny: "Not to her." }],
      approve_if: [{ conditions: [{ path: "args.amount", op: "gte", value: 50 }] }],
      limits: [SPEND],
    },
    ping: { rate_limit: { max: 1, window: 60 } },
  },
};

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ambit-policy-"));
  await file("policy.json", POLICY);
});
afterAll(() => rm(directory, { recursive: true }));

async function file(name: string, content: unknown): Promise<string> {
  await writeFile(join(directory, name), typeof content === "string" ? content : JSON.stringify(content));
  return name;
}
const policy = (args: string[], input?: string, env: Record<string, string> = {}) =>
  run(["policy", ...args], {
    cwd: directory,
    env: { AMBIT_DATA_DIR: directory, ...env },
    ...(input === undefined ? {} : { input }),
  });
const lines = (text: string) => text.trimEnd().split("\n");

describe("ambit policy validate", () => {
  it("says that a good policy is, from a file or standard input, without a server", async () => {
    const good = { code: 0, stdout: "valid: 0 problems, 0 warnings\n", stderr: "" };
    expect(await policy(["validate", "policy.json"])).toEqual(good);
    expect(await policy(["validate", "-"], JSON.stringify(POLICY))).toEqual(good);
  });

  it("names every problem and every warning with its place", async () => {
    const text = `{"version":"1","default":"deny","default":"allow","hide":["a","a\\u009b"],"tools":{"a":{},"p/q":{"deny_if":[{"conditions":[{"path":"args.x","op":"like","value":1}],"on_deni":"x"}]}}}`;
    const told = await policy(["validate", await file("bad.json", text)]);
    expect([told.code, told.stderr]).toEqual([1, ""]);
    const found = validate({ text });
    expect(found.problems.length).toBeGreaterThanOrEqual(3);
    const shown = lines(told.stdout);
    expect(shown).toHaveLength(found.problems.length + found.warnings.length + 1);
    expect(shown).toContainEqual(expect.stringMatching(/^\/default: .*twice/));
    expect(shown).toContainEqual(expect.stringMatching(/^\/tools\/p~1q\/deny_if\/0\/conditions\/0\/op: /));
    expect(shown).toContainEqual(expect.stringMatching(/^\/(hide\/0|tools\/a): warning: /));
    expect(shown.at(-1)).toBe(
      `NOT valid: ${found.problems.length} problems, ${found.warnings.length} warnings`,
    );
    expect(told.stdout.replaceAll("\n", "")).not.toMatch(/\p{C}/u);
    const json = await policy(["validate", "bad.json", "--json"]);
    expect([json.code, JSON.parse(json.stdout)]).toEqual([1, JSON.parse(JSON.stringify(found))]);
  });

  it("warns of what the tools do not have, however they are given", async () => {
    const tools = [
      { name: "list", inputSchema: { type: "object" } },
      { name: "pay", inputSchema: { type: "object", properties: { to: {}, sum: {} } } },
    ];
    for (const given of [tools, { tools }, { jsonrpc: "2.0", id: 1, result: { tools } }]) {
      const told = await policy(["validate", "policy.json", "--tools", await file("tools.json", given)]);
      expect(told.code).toBe(0);
      expect(told.stdout).toMatch(/^\/tools\/ping: warning: /m);
      expect(told.stdout).toMatch(/^\/tools\/pay\/limits\/0\/cost: warning: /m);
    }
  });

  it.each<[string[], RegExp]>([
    [["validate"], /<file> is missing\. Usage: ambit policy validate <file>/],
    [["validate", "nothing.json"], /nothing\.json can't be read \(ENOENT\)/],
    [["validate", "."], /can't be read \(EISDIR\)/],
    [["validate", "policy.json", "x"], /x is one argument too many/],
    [["validate", "policy.json", "--tool", "x"], /There is no flag --tool\./],
    [["validate", "policy.json", "--tools"], /--tools takes a value/],
    [["validate", "policy.json", "--tools", "policy.json"], /policy\.json is no list of tools/],
    [["validate", "policy.json", "--tools", "a", "--server", "b"], /not both/],
    [["validate", "policy.json", "--server", "ambit"], /No server is known/],
  ])("ends with 2 and one line when something can't be used: %j", async (args, message) => {
    const told = await policy(args);
    expect([told.code, told.stdout]).toEqual([2, ""]);
    expect(told.stderr).toMatch(message);
    expect(told.stderr).toMatch(/^ambit: .*\n$/);
  });

  it("reads no more than a policy can have", async () => {
    const large = await policy(["validate", "-"], " ".repeat(1_100_000));
    expect(large).toMatchObject({ code: 2, stderr: "ambit: Standard input is larger than 1048576 bytes.\n" });
  });
});

describe("ambit policy test", () => {
  const CASES = [
    { tool: "list", expect: "allow" },
    { tool: "drop", expect: "deny", rule: "(default deny)" },
    { name: "small", tool: "pay", arguments: { amount: 40, to: "bob" }, expect: "allow" },
    { name: "asked", tool: "pay", arguments: { amount: 60, to: "bob" }, expect: "hold" },
    { tool: "pay", arguments: { amount: 1 }, expect: "limit", rule: "/tools/pay/limits/spend" },
    { name: "another's", tool: "pay", arguments: { amount: 1 }, grant: "other", expect: "allow" },
    { tool: "pay", arguments: { amount: 1 }, at: "2026-01-02T00:00:00", expect: "allow" },
    { tool: "pay", arguments: { to: "eve", amount: 1 }, expect: "deny" },
    { tool: "ping", session: "a", expect: "allow" },
    { tool: "ping", session: "b", expect: "allow" },
    { tool: "ping", session: "a", expect: "limit" },
    { tool: "ping", session: "a", at: "2026-01-02T01:01:00+01:00", expect: "allow" },
  ];

  it("judges them in order, with counters kept between them", async () => {
    const good = { code: 0, stdout: "ok: 12 cases\n", stderr: "" };
    expect(await policy(["test", "policy.json", await file("cases.json", CASES)])).toEqual(good);
    const ndjson = CASES.map((each) => JSON.stringify(each)).join("\n\n");
    expect(await policy(["test", "policy.json", await file("cases.ndjson", ndjson)])).toEqual(good);
    expect(await policy(["test", "-", "cases.json"], JSON.stringify(POLICY))).toEqual(good);
    const one = await policy(["test", "policy.json", await file("one.json", CASES[0])]);
    expect(one.stdout).toBe("ok: 1 cases\n");
  });

  it("judges the guide's cases by the guide's policy as the guide says", async () => {
    const example = async (guide: string, at: number) => {
      const text = await readFile(new URL(`../../../docs/guides/${guide}.md`, import.meta.url), "utf8");
      return [...text.matchAll(/```json\n(.*?)```/gs)][at]![1]!;
    };
    await file("guide.json", await example("policies", 0));
    const told = await policy([
      "test",
      "guide.json",
      await file("guide-cases.json", await example("cli", 1)),
    ]);
    expect(told).toEqual({ code: 0, stdout: "ok: 4 cases\n", stderr: "" });
  });

  it("says which fail, and why", async () => {
    const cases = [
      CASES[0],
      { name: "to\u009beve", tool: "pay", arguments: { to: "eve" }, expect: "allow" },
      { tool: "drop", expect: "deny", rule: "(hidden)" },
    ];
    const told = await policy(["test", "policy.json", await file("failing.json", cases)]);
    expect([told.code, told.stderr]).toEqual([1, ""]);
    expect(lines(told.stdout)).toEqual([
      `case 2 "to\ufffdeve", pay: expected allow, the policy says deny by /tools/pay/deny_if/args.to-eq: Not to her.`,
      "case 3, drop: expected deny by (hidden), the policy says deny by (default deny)",
      "2 of 3 cases fail",
    ]);
    const json = await policy(["test", "policy.json", "failing.json", "--json"]);
    expect(json.code).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({
      ok: false,
      cases: [
        { passes: true, outcome: "allow" },
        { index: 1, passes: false, expected: { outcome: "allow", rule: null }, outcome: "deny" },
        { passes: false, expected: { outcome: "deny", rule: "(hidden)" }, rule: "(default deny)" },
      ],
    });
  });

  it("ends with 2 for what is no case, rather than passing it over", async () => {
    const cases: [unknown, RegExp][] = [
      ["", /is empty/],
      ["[1", /not JSON/],
      ['{"tool":"a","expect":"deny"}\n{"tool":', /value 2: not JSON/],
      ['[{"tool":"a","tool":"b","expect":"deny"}]', /tool.*twice/],
      [["x"], /Case 1 is no object/],
      [[{ expect: "deny" }], /Case 1 names no tool/],
      [[CASES[0], { tool: "a", expects: "deny" }], /Case 2 has the unknown key "expects"; there are name, /],
      [[{ tool: "a" }], /expect must be one of allow, deny, limit, hold/],
      [[{ tool: "a", expect: "deny", arguments: [] }], /arguments must be an object/],
      [[{ tool: "a", expect: "deny", at: "soon" }], /at must be a time/],
      [[{ tool: "a", expect: "deny", grant: 1 }], /grant must be a text/],
    ];
    for (const [content, message] of cases) {
      const text = typeof content === "string" ? content : JSON.stringify(content);
      expect(() => casesIn(listIn(text, "cases")), text).toThrow(message);
    }
    expect(await policy(["test", "policy.json", await file("no-cases", [{ tool: "a" }])])).toEqual({
      code: 2,
      stdout: "",
      stderr: "ambit: Case 1: expect must be one of allow, deny, limit, hold.\n",
    });
    const none = await policy(["test", "policy.json", await file("none", [])]);
    expect(none).toMatchObject({ code: 2, stderr: "ambit: none has no cases.\n" });
    const invalid = await policy(["test", await file("invalid.json", { version: "2" }), "cases.json"]);
    expect(invalid).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/ambit policy validate invalid\.json\n$/),
    });
    expect((await policy(["test", "-", "-"])).code).toBe(2);
  });
});

describe("ambit policy suggest", () => {
  it("asks a program for its tools, and suggests a policy that is valid for them", async () => {
    const told = await policy(["suggest", "--", process.execPath, EVERYTHING, "stdio"]);
    expect(told.code).toBe(0);
    const suggested = JSON.parse(told.stdout);
    expect(validate(suggested)).toMatchObject({ valid: true, problems: [] });
    expect(Object.keys(suggested.tools)).toContain("echo");
    expect(told.stderr).toMatch(/^echo +\w+ +\w+ +(name|description): /m);
    expect(told.stderr).toMatch(/^gzip-file-as-resource .*\n {4}! url_input \/inputSchema\/\S+: /m);
    expect(await file("suggested.json", told.stdout)).toBe("suggested.json");
    expect((await policy(["validate", "suggested.json"])).code).toBe(0);
  });

  it("gives the program the variables it is told, and nothing else of this environment", async () => {
    const script = await file(
      "env-server.mjs",
      `let text = "";
       const answer = (id, result) => console.log(JSON.stringify({ jsonrpc: "2.0", id, result }));
       process.stdin.on("data", (chunk) => {
         text += chunk;
         for (let end; (end = text.indexOf("\\n")) !== -1; text = text.slice(end + 1)) {
           const { id, method } = JSON.parse(text.slice(0, end));
           if (method === "initialize") answer(id, { protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo: { name: "e", version: "1" } });
           else if (method === "tools/list") answer(id, { tools: ["ONE", "TWO", "THREE"].filter((name) => process.env[name]).map((name) => ({ name: name + "_" + process.env[name], inputSchema: { type: "object" } })) });
           else if (id !== undefined) console.log(JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32601, message: "no" } }));
         }
       });`,
    );
    const args = [
      "suggest",
      "--json",
      "--env",
      "ONE=a=b",
      "--env",
      "TWO",
      "--",
      process.execPath,
      script,
      "-h",
    ];
    const told = await policy(args, "", { TWO: "mine", THREE: "hidden" });
    expect(told.code, told.stderr).toBe(0);
    const { tools, suggested_policy } = JSON.parse(told.stdout);
    expect(tools.map(({ name }: { name: string }) => name)).toEqual(["ONE_a=b", "TWO_mine"]);
    expect(tools[0]).toMatchObject({ class: expect.any(String), risk: expect.any(String), signals: [] });
    expect(validate(suggested_policy).valid).toBe(true);
    const missing = await policy(["suggest", "--env", "FOUR", "--", process.execPath, script]);
    expect(missing).toMatchObject({ code: 1, stderr: expect.stringMatching(/there is no FOUR in this/) });
  });

  it("takes tools from a file, and shows nothing of them that could steer a terminal", async () => {
    const tools = [{ name: "run\u001b[2J", description: "Runs\n\u009b1m code" }, { name: "get_x" }];
    const told = await policy(["suggest", "--tools", "-"], JSON.stringify(tools));
    expect(told.code).toBe(0);
    expect(told.stderr.replaceAll("\n", "")).not.toMatch(/\p{C}/u);
    expect(told.stdout.replaceAll("\n", "")).not.toMatch(/\p{C}/u);
    expect(lines(told.stderr).some((line) => line.startsWith("run\ufffd[2J"))).toBe(true);
    expect(JSON.parse(told.stdout).version).toBe("1");
  });

  it.each<[string[], RegExp]>([
    [["suggest"], /Of which server\?/],
    [["suggest", "--tools", "a", "--server", "b"], /Of which server\?/],
    [["suggest", "--"], /Which command\?/],
    [["suggest", "--", "./nothing"], /nothing did not tell its tools: .*ENOENT/],
    [
      ["suggest", "--", process.execPath, "-e", "console.error('no\\nlicence'); process.exit(3)"],
      /It said: .*licence/,
    ],
  ])("says in one line what went wrong: %j", async (args, message) => {
    const told = await policy(args);
    expect([told.code, told.stdout]).toEqual([1, ""]);
    expect(told.stderr).toMatch(message);
    expect(told.stderr).toMatch(/^ambit: .*\n$/);
  });
});
