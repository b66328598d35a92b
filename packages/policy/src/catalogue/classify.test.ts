import { describe, expect, it } from "vitest";
import type { ToolDefinition } from "../types.ts";
import { classify } from "./index.ts";

const tool = (name: string, properties: object = {}, more: object = {}): ToolDefinition =>
  ({
    name,
    inputSchema: { type: "object", properties, ...(more as { schema?: object }).schema },
    ...more,
  }) as never;
const text = { type: "string" };
const kinds = (of: ToolDefinition) => classify(of).signals.map(({ kind, pointer }) => `${kind} ${pointer}`);

describe("evidence", () => {
  it("says where it is from, in the tool's own words", () => {
    expect(classify(tool("delete_file"))).toEqual({
      ...{ name: "delete_file", class: "destructive", risk: "critical", signals: [] },
      evidence: [{ source: "name", text: '"delete" in delete_file' }],
    });
    expect(
      classify({ name: "tidy", description: "Permanently removes files that are old." }).evidence,
    ).toContainEqual({
      source: "description",
      text: 'begins with "remove": "Permanently removes files that are old."',
    });
  });

  it("says so when there is none, and takes the tool to change something", () => {
    expect(classify({ name: "frobnicate" })).toMatchObject({ class: "write", risk: "medium" });
    expect(classify({ name: "frobnicate", annotations: { readOnlyHint: true } })).toMatchObject({
      class: "write",
    });
    expect(
      classify({ name: "frobnicate", annotations: { readOnlyHint: true } }).annotation_mismatch,
    ).toBeUndefined();
  });

  it("gives each class its risk", () => {
    const risks = ["get_x", "set_x", "run_x", "pay_x", "drop_x"].map((name) => classify({ name }).risk);
    expect(risks).toEqual(["low", "medium", "high", "critical", "critical"]);
  });
});

describe("descriptions", () => {
  it.each([
    ["Deletes a file.", "destructive"],
    ["This tool will permanently delete a record", "destructive"],
    ["Create, update or delete a record", "destructive"],
    ["Tidies up. This action cannot be undone.", "destructive"],
    ["Executes arbitrary JavaScript in the page", "execute"],
    ["Runs a shell command", "execute"],
    ["Charges a card", "financial"],
  ])("make graver: %s", (description, expected) => {
    expect(classify({ name: "fetch_x", description }).class).toBe(expected);
  });

  it.each([
    "Lists files. Files that were deleted are left out.",
    "Gets a record; it never deletes anything.",
    "Search results of the last run.",
    "Charge details of a customer",
    "Returns items that are permanently deleted after 30 days.",
    "Reads a file. Unlike delete, this can't destroy anything. Use delete_file to delete a file.",
    "Lists orders. If an order is cancelled this cannot be undone.",
  ])("do not make graver what only speaks of it: %s", (description) => {
    expect(classify({ name: "get_x", description }).class).toBe("read");
  });

  it("never make milder", () => {
    expect(classify({ name: "delete_x", description: "Lists things. Only reads." }).class).toBe(
      "destructive",
    );
    expect(classify({ name: "frobnicate", description: "Returns a list." }).class).toBe("write");
  });
});

describe("annotations are claims", () => {
  it("a tool that says it only reads and is called delete_x lies", () => {
    const found = classify({ name: "delete_x", annotations: { readOnlyHint: true } });
    expect(found).toMatchObject({ class: "destructive", risk: "critical" });
    expect(found.annotation_mismatch).toContain("readOnlyHint");
    expect(found.annotation_mismatch).toContain('"delete" in delete_x');
  });

  it.each([
    [{ name: "delete_x", annotations: { destructiveHint: false } }, "destructiveHint"],
    [{ name: "get_x", description: "Deletes x", annotations: { readOnlyHint: true } }, "readOnlyHint"],
    [tool("lookup", { command: text }, { annotations: { readOnlyHint: true } }), "readOnlyHint"],
    [
      tool("manage_docs", { action: { enum: ["list", "purge"] } }, { annotations: { readOnlyHint: true } }),
      "readOnlyHint",
    ],
  ] as const)("and so do others: %j", (of, hint) => {
    expect(classify(of as never).annotation_mismatch).toContain(hint);
  });

  it.each([
    [{ name: "get_x", annotations: { readOnlyHint: true, destructiveHint: false } }, "read"],
    [{ name: "write_file", annotations: { destructiveHint: true } }, "write"],
    [{ name: "create_x", annotations: { destructiveHint: false } }, "write"],
    [tool("query", { sql: text }, { annotations: { readOnlyHint: true } }), "execute"],
  ] as const)("the truth is no lie: %j", (of, expected) => {
    const { class: found, annotation_mismatch } = classify(of);
    expect([found, annotation_mismatch]).toEqual([expected, undefined]);
  });

  it("make graver what no word explains", () => {
    const destructiveHint = { annotations: { destructiveHint: true } };
    expect(classify({ name: "frobnicate", ...destructiveHint }).class).toBe("destructive");
    expect(classify({ name: "get_x", ...destructiveHint }).class).toBe("destructive");
    expect(classify({ name: "create_x", ...destructiveHint }).class).toBe("destructive");
    expect(classify({ name: "get_x", annotations: { readOnlyHint: false } }).class).toBe("write");
  });
});

describe("code, HTML, addresses and many parameters", () => {
  it.each([
    [tool("query", { sql: text }), "/inputSchema/properties/sql"],
    [tool("query", { query: { ...text, description: "A SQL query" } }), "/inputSchema/properties/query"],
    [tool("run_thing", { code: text }), "/inputSchema/properties/code"],
    [tool("t", { command: text }), "/inputSchema/properties/command"],
    [
      tool("t", { o: { type: "object", properties: { script: text } } }),
      "/inputSchema/properties/o/properties/script",
    ],
    [
      tool("t", { list: { type: "array", items: { type: "object", properties: { jsCode: text } } } }),
      "/inputSchema/properties/list/items/properties/jsCode",
    ],
    [
      tool("t", { x: { $ref: "#/$defs/x" } }, { schema: { $defs: { x: { properties: { bash: text } } } } }),
      "/inputSchema/properties/x/properties/bash",
    ],
    [
      tool("t", {}, { schema: { anyOf: [{ properties: { python: text } }] } }),
      "/inputSchema/anyOf/0/properties/python",
    ],
  ] as const)("code makes a tool run something: %j", (of, pointer) => {
    expect(kinds(of)).toContain(`code_input ${pointer}`);
    expect(classify(of).class).toBe("execute");
  });

  it.each([
    tool("search", { query: text }),
    tool("get_country", { country_code: text, code: { ...text, description: "The country code, e.g. DE" } }),
    tool("verify", { code: { ...text, description: "The verification code sent by mail" } }),
    tool("get_x", { command: { enum: ["a", "b"] } }),
    tool("get_status", { statusCode: { type: "number" }, code: { type: "number" } }),
  ])("what is no code is not taken for it: %j", (of) => {
    expect(kinds(of).filter((each) => each.startsWith("code_input"))).toEqual([]);
    expect(classify(of).class).toBe("read");
  });

  it("a tool that only looks at code runs none", () => {
    expect(classify(tool("validate_sql", { sql: text }))).toMatchObject({
      class: "read",
      signals: [{ kind: "code_input" }],
    });
  });

  it("finds HTML, templates and addresses", () => {
    expect(
      kinds(tool("send", { html: text, body: { ...text, description: "Raw HTML of the mail" } })),
    ).toEqual(["html_input /inputSchema/properties/html", "html_input /inputSchema/properties/body"]);
    const found = kinds(
      tool("send", {
        webhook_url: text,
        to: { ...text, format: "uri" },
        hourly: text,
        urls: { type: "array", items: text },
      }),
    );
    expect(found).toEqual(
      ["webhook_url", "to", "urls"].map((name) => `url_input /inputSchema/properties/${name}`),
    );
  });

  it("counts nested parameters too", () => {
    const inner = Object.fromEntries([..."abcdefgh"].map((name) => [name, text]));
    const nested = (more: object) =>
      tool("get", { list: { type: "array", items: { properties: { ...inner, ...more } } } });
    expect(kinds(nested({}))).toEqual([]);
    expect(kinds(nested({ i: text }))).toEqual(["many_parameters /inputSchema"]);
  });
});

describe("tools with several actions", () => {
  it("take the worst, and say which is which", () => {
    const found = classify(
      tool("manage_x", { action: { enum: ["list", "create", "delete", "invoke", "refund"] } }),
    );
    expect(found).toMatchObject({ class: "destructive", risk: "critical", action_field: "action" });
    expect(found.actions!.map((each) => [each.action, each.class, each.risk])).toEqual([
      ["list", "read", "low"],
      ["create", "write", "medium"],
      ["delete", "destructive", "critical"],
      ["invoke", "execute", "high"],
      ["refund", "financial", "critical"],
    ]);
    expect(classify(tool("manage_x", { action: { enum: ["list", "get"] } }))).toMatchObject({
      class: "read",
    });
  });

  it("a name that says more than its actions counts", () => {
    expect(classify(tool("delete_x", { action: { enum: ["preview", "list"] } })).class).toBe("destructive");
  });

  const branch = (action: string, description?: string, more = {}) => ({
    ...{ type: "object", properties: { action: { const: action }, id: text }, ...more },
    ...(description === undefined ? {} : { description }),
  });
  it.each(["oneOf", "anyOf"])("are found in %s, with what its branches say", (keyword) => {
    const of = {
      name: "cards",
      inputSchema: {
        type: "object",
        [keyword]: [branch("tidy", "Deletes all cards"), branch("get", "Gets one"), branch("odd")],
      },
    };
    expect(classify(of as never).actions).toMatchObject([
      { action: "tidy", class: "destructive", evidence: [{ source: "name" }, { source: "description" }] },
      { action: "get", class: "read" },
      { action: "odd", class: "write" },
    ]);
    expect(classify(of as never)).toMatchObject({ class: "destructive", action_field: "action" });
  });

  it("are found behind references, and where each value has its own description", () => {
    const schema = {
      $defs: { A: branch("drop"), B: branch("list") },
      oneOf: [{ $ref: "#/$defs/A" }, { $ref: "#/$defs/B" }],
    };
    expect(classify({ name: "t", inputSchema: schema as never })).toMatchObject({ class: "destructive" });
    const values = {
      operation: {
        oneOf: [
          { const: "x", description: "Removes it" },
          { const: "y", description: "Shows it" },
        ],
      },
    };
    expect(classify(tool("t", values))).toMatchObject({ class: "destructive", action_field: "operation" });
  });

  it("are found deeper, where no argument of the tool's own tells", () => {
    const steps = { type: "array", items: { properties: { action: { enum: ["get", "delete"] } } } };
    const found = classify(tool("batch", { steps }));
    expect(found).toMatchObject({ class: "destructive", actions: [{ action: "get" }, { action: "delete" }] });
    expect(found.action_field).toBeUndefined();
  });

  it("an argument that may be left out chooses nothing where the name says what is done", () => {
    const changes = { action: { enum: ["create", "delete"] } };
    expect(classify(tool("query_audit_logs", changes))).toMatchObject({ class: "read" });
    expect(classify(tool("manage_x", changes))).toMatchObject({ class: "destructive" });
    const byDefault = { action: { enum: ["get", "delete"], default: "get" } };
    expect(classify(tool("get_x", byDefault))).toMatchObject({ class: "destructive" });
    const always = { name: "get_x", inputSchema: { properties: changes, required: ["action"] } };
    expect(classify(always as never)).toMatchObject({ class: "destructive" });
    expect(classify(tool("create_rule", { command: { enum: ["select", "delete"] } }))).toMatchObject({
      class: "write",
    });
  });

  it("one value is no choice, nor is a list of something else", () => {
    expect(classify(tool("get_x", { action: { enum: ["get"] } })).actions).toBeUndefined();
    expect(classify(tool("get_x", { sort: { enum: ["asc", "delete"] } }))).toMatchObject({ class: "read" });
  });
});

describe("bounds", () => {
  it("follows no circle for ever", () => {
    const schema = { $ref: "#", properties: { a: { $ref: "#" }, b: { $ref: "#/properties/b" }, sql: text } };
    expect(classify({ name: "get_x", inputSchema: schema as never }).class).toBe("execute");
  });

  it("looks at a huge schema for a bounded time", () => {
    let deep: object = { type: "object", properties: { sql: text } };
    for (let level = 0; level < 5_000; level += 1) deep = { type: "object", properties: { deeper: deep } };
    const wide = Object.fromEntries(Array.from({ length: 50_000 }, (_, n) => [`p${n}`, text]));
    const started = performance.now();
    classify(tool("get_x", { deep, ...wide }, { description: "a, ".repeat(100_000) }));
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});
