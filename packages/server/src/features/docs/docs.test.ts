import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { defineErrors } from "../../kernel/errors.ts";
import { type AnyOperation, appOperation, type Call, platformOperation } from "../../kernel/operation.ts";
import { docsOperations } from "./operations.ts";
import { createDocsService, type DocsService } from "./service.ts";
import { topicOf } from "./topics.ts";

const entries = defineErrors({
  TABLE_MISSING: { status: 404, message: "No such <table>.", remediation: "Create it & try again." },
}).entries;

interface Node {
  children?: Node[] | undefined;
}
const node: z.ZodType<Node> = z.object({
  get children() {
    return z.array(node).optional();
  },
});

const operations: AnyOperation[] = [
  appOperation({
    name: "realtime.configure",
    title: "Configure realtime",
    summary: "Turns broadcasts on for tables.",
    input: z.object({
      app_id: z.string(),
      tables: z.array(z.string()).describe("Table names"),
      tree: node.optional(),
    }),
    output: z.object({ configured: z.array(z.string()) }),
    right: "develop",
    risk: "write",
    idempotent: true,
    errors: ["TABLE_MISSING"],
    http: { method: "POST", path: "/v1/:app_id/realtime/configure", rename: { tableNames: "tables" } },
    mcp: { tool: "manage_realtime", action: "configure", aliases: ["configure_realtime"] },
    run: async () => ({ configured: [] }),
  }),
  appOperation({
    name: "rls.delete",
    title: "Delete policies",
    summary: "Deletes the policies of a table.",
    input: z.object({
      app_id: z.string(),
      table: z.string(),
      policy: z.string().optional(),
      limit: z.coerce.number().default(3),
    }),
    output: z.object({ tree: node }),
    right: "develop",
    personOnly: true,
    risk: "destructive",
    idempotent: false,
    http: [
      { method: "DELETE", path: "/v1/:app_id/rls/:table" },
      { method: "DELETE", path: "/v1/:app_id/rls/:table/:policy", status: 204 },
    ],
    run: async () => ({ tree: {} }),
  }),
  platformOperation({
    name: "data.insert",
    title: "Insert a row",
    summary: "Inserts one row.",
    input: z.object({ table: z.string(), row: z.record(z.string(), z.unknown()) }),
    output: z.looseObject({}),
    right: "public",
    risk: "write",
    idempotent: false,
    http: { method: "POST", path: "/v1/:table", bodyAs: "row", status: 201 },
    run: async () => ({}),
  }),
];

const GUIDE = `# Realtime

Clients subscribe over a WebSocket.

## Presence

\`\`\`sh
# not a heading
\`\`\`
A presence frame tells who is in the room.
`;

let directory: string;
let service: DocsService;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ambit-docs-"));
  await writeFile(join(directory, "realtime.md"), GUIDE);
  await writeFile(
    join(directory, "rls.md"),
    "# Row-level security\n\nPolicies decide which rows a caller sees.\n",
  );
  await writeFile(join(directory, "notes.txt"), "not a guide");
  service = createDocsService({
    operations: () => operations,
    errors: () => entries,
    paths: () => ({ "/hot/{id}": { get: { operationId: "hot", parameters: [{ name: "id", in: "path" }] } } }),
    publicUrl: () => "http://127.0.0.1:4000",
    version: "1.2.3",
    guidesDirectory: directory,
  });
});
afterAll(() => rm(directory, { recursive: true }));

describe("reading", () => {
  it("gives a topic's guides and the reference of its operations", async () => {
    const text = await service.read("realtime");
    expect(text).toContain("A presence frame tells");
    expect(text).toContain("### realtime.configure: Configure realtime");
    expect(text).toContain("- HTTP: `POST /v1/:app_id/realtime/configure`");
    expect(text).toContain("- MCP: `manage_realtime` action `configure` (also `configure_realtime`)");
    expect(text).toContain("- `tables` (string[], required): Table names");
    expect(text).toContain("- Error `TABLE_MISSING` (404): No such <table>. Create it & try again.");
    expect(await service.read("schema")).toMatch(/Policies decide.*persons only/s);
  });

  it("has the guides on functions and durable objects each under its own topic", () => {
    expect(["functions", "runtime"].map((name) => topicOf(name, "overview"))).toEqual([
      "functions",
      "functions",
    ]);
    for (const name of ["durable-objects", "durable_objects"])
      expect(topicOf(name, "overview")).toBe("durable-objects");
  });

  it("says so when there is nothing", async () => {
    expect(await service.read("billing")).toContain("nothing on plans and payments");
  });

  it("lists everything, one line each, under topic all, and the topics in the overview", async () => {
    expect(await service.read("all")).toContain(
      "- realtime.configure [manage_realtime configure]: Turns broadcasts on",
    );
    expect(await service.read("overview")).toMatch(
      /Ambit 1\.2\.3.*http:\/\/127\.0\.0\.1:4000\/mcp.*- realtime: /s,
    );
  });
});

describe("searching", () => {
  it("puts the best passage first", async () => {
    expect((await service.search("who is present in a room: presence", null))[0]).toMatchObject({
      title: "Presence",
    });
    expect((await service.search("configure broadcasts", null))[0]!.title).toContain("realtime.configure");
    expect((await service.search("TABLE_MISSING", null)).map(({ title }) => title)).toContain(
      "TABLE_MISSING",
    );
  });

  it("stays within the topic, and finds nothing where nothing is", async () => {
    expect(await service.search("presence", "schema")).toEqual([]);
    expect(await service.search("zebra", null)).toEqual([]);
  });

  it("answers through the tool", async () => {
    const read = docsOperations(service)[0]!;
    const ask = (input: object) => read.run({} as Call & never, input);
    expect(await ask({})).toMatchObject({ topic: "overview", content: expect.stringContaining("# Ambit") });
    expect(await ask({ query: " presence " })).toMatchObject({
      query: "presence",
      content: expect.stringContaining("## Presence (topic realtime)"),
    });
    expect(await ask({ topic: "realtime", query: "zebra" })).toMatchObject({
      content: expect.stringContaining("Nothing is written"),
    });
  });
});

describe("the OpenAPI document", () => {
  const document = (): any => JSON.parse(JSON.stringify(service.openApi()));

  it("has a route for every form, with every path parameter and only references that lead somewhere", () => {
    const api = document();
    expect(Object.keys(api.paths)).toEqual([
      "/hot/{id}",
      "/v1/{app_id}/realtime/configure",
      "/v1/{app_id}/rls/{table}",
      "/v1/{app_id}/rls/{table}/{policy}",
      "/v1/{table}",
    ]);
    for (const [path, item] of Object.entries<
      Record<string, { parameters?: { name: string; in: string }[] }>
    >(api.paths)) {
      for (const { parameters = [] } of Object.values(item)) {
        const named = parameters
          .filter((parameter) => parameter.in === "path")
          .map(({ name }) => `{${name}}`);
        expect(named).toEqual(path.match(/\{[a-z_]+\}/g));
      }
    }
    const references = JSON.stringify(api).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g);
    for (const [, name] of references) expect(api.components.schemas, name).toHaveProperty([name!]);
  });

  it("spells bodies as they go over the wire", () => {
    const api = document();
    const configure = api.paths["/v1/{app_id}/realtime/configure"].post;
    expect(configure.requestBody.content["application/json"].schema).toMatchObject({
      properties: { tableNames: { type: "array" } },
      required: ["tableNames"],
    });
    expect(configure.responses.default.description).toContain("TABLE_MISSING");
    const insert = api.paths["/v1/{table}"].post;
    expect(insert.requestBody.content["application/json"].schema).toMatchObject({
      type: "object",
      additionalProperties: {},
    });
    expect(insert.security).toEqual([{}, { bearer: [] }]);
    const drop = api.paths["/v1/{app_id}/rls/{table}/{policy}"].delete;
    expect(drop).toMatchObject({
      operationId: "rls.delete.2",
      "x-ambit-person-only": true,
      "x-ambit-risk": "destructive",
    });
    expect(drop.parameters.find((parameter: { name: string }) => parameter.name === "limit")).toMatchObject({
      in: "query",
      required: false,
    });
    expect(Object.keys(drop.responses)).toEqual(["204", "default"]);
  });
});

describe("the pages", () => {
  it("have an anchor for every code, and escape what they show", () => {
    const html = service.errorsPage();
    expect(html).toContain('id="table-missing"');
    expect(html).toContain("No such &lt;table&gt;.");
    expect(html).toContain("Create it &amp; try again.");
    expect(service.indexPage()).toContain('href="/docs/realtime"');
  });
});
