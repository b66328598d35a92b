import { ProtocolError } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { connectClient, type Era, PERSON_KEY, startDoor } from "./testing/door.ts";

let door: Awaited<ReturnType<typeof startDoor>>;
beforeAll(async () => {
  door = await startDoor();
});
afterAll(() => door.stop());

type Content = { content: { type: string; text: string }[]; isError?: boolean; structuredContent?: unknown };
const textOf = (result: unknown) => {
  const { content } = result as Content;
  expect(content).toHaveLength(1);
  return content[0]!.text;
};
const bodyOf = (result: unknown) => {
  expect((result as Content).isError).toBe(true);
  expect((result as Content).structuredContent).toBeUndefined();
  return JSON.parse(textOf(result)).error;
};

describe.each<Era>(["legacy", "2026-07-28"])("the official client, %s", (era) => {
  it("connects, and learns who the server is", async () => {
    const client = await connectClient(door.url, era);
    expect(client.getServerVersion()).toMatchObject({ name: "ambit", version: "9.9.9" });
    expect(client.getNegotiatedProtocolVersion()).toBe(era === "legacy" ? "2025-11-25" : era);
    expect(client.getInstructions()).toContain("Ambit");
    expect(client.getServerCapabilities()).toEqual({ tools: {}, prompts: {} });
    await client.close();
  });

  it("lists tools in order, with honest annotations and both schemas", async () => {
    const client = await connectClient(door.url, era);
    const { tools } = await client.listTools();
    expect(tools.map((tool) => tool.name)).toEqual(["echo", "fail", "get_things", "manage_things"]);
    const things = tools.find((tool) => tool.name === "manage_things")!;
    expect(things.annotations).toEqual({
      title: "Manage Things",
      readOnlyHint: false,
      destructiveHint: true,
      idempotentHint: false,
      openWorldHint: false,
    });
    expect(things.title).toBe("Manage Things");
    expect(things.description).toContain("- configure(tables, mode?): Turns things on.");
    expect(things.inputSchema).toEqual({
      type: "object",
      properties: {
        app_id: { type: "string" },
        action: { type: "string", enum: ["configure", "get", "delete"], description: "What to do" },
        tables: { type: "array", items: { type: "string" }, description: "Tables" },
        mode: { type: "string" },
        table_name: { type: "string" },
      },
      required: ["app_id", "action"],
      additionalProperties: false,
    });
    const failing = tools.find((tool) => tool.name === "fail")!;
    expect(failing.annotations).toMatchObject({
      readOnlyHint: false,
      destructiveHint: true,
      openWorldHint: false,
    });
    expect(tools.find((tool) => tool.name === "echo")!.annotations).toMatchObject({
      readOnlyHint: true,
      destructiveHint: false,
    });
    await client.close();
  });

  it("calls every action; structured content holds to the output schema the client checks", async () => {
    const client = await connectClient(door.url, era);
    await client.listTools();
    const configured = await client.callTool({
      name: "manage_things",
      arguments: { app_id: "a", action: "configure", tables: ["messages"] },
    });
    const expected = {
      configured: ["messages"],
      _meta: {
        next_actions: [{ action: "look", description: "Look at it", tool: "manage_things", when: "now" }],
      },
    };
    expect(configured.structuredContent).toEqual(expected);
    expect(textOf(configured)).toBe(JSON.stringify(expected, null, 2));
    expect(configured._meta?.next_actions).toEqual(expected._meta.next_actions);
    const got = await client.callTool({
      name: "manage_things",
      arguments: { app_id: "a", action: "get", table_name: "trunk" },
    });
    expect(got.structuredContent).toEqual({ tree: { label: "trunk", children: [{ label: "leaf" }] } });
    const said = await client.callTool({ name: "echo", arguments: { text: "hello" } });
    expect(textOf(said)).toBe("hello");
    expect(said.structuredContent).toEqual({ text: "hello", at: "1970-01-01T00:00:00.000Z" });
    await client.close();
  });

  it("offers one tool per operation under ?tools=verbs, and aliases in both ways", async () => {
    const client = await connectClient(door.url, era, "/mcp?tools=verbs");
    const { tools } = await client.listTools();
    expect(tools.map((tool) => tool.name)).toEqual([
      "echo_say",
      "failing_run",
      "things_configure",
      "things_delete",
      "things_get",
    ]);
    const got = await client.callTool({ name: "things_get", arguments: { app_id: "a", tableName: "twig" } });
    expect(got.structuredContent).toMatchObject({ tree: { label: "twig" } });
    const merged = await connectClient(door.url, era);
    for (const caller of [client, merged]) {
      const result = await caller.callTool({
        name: "configure_things",
        arguments: { app_id: "a", tables: [] },
      });
      expect(result.structuredContent).toMatchObject({ configured: [] });
    }
    await client.close();
    await merged.close();
  });

  it("tells errors as results with the error body", async () => {
    const client = await connectClient(door.url, era);
    expect(bodyOf(await client.callTool({ name: "fail", arguments: { how: "known" } }))).toMatchObject({
      code: "RESOURCE_ALREADY_EXISTS",
      message: "Taken.",
      remediation: expect.any(String),
      documentation_url: `${door.url}/docs/errors#resource-already-exists`,
      details: { name: "x" },
    });
    const missing = await client.callTool({
      name: "manage_things",
      arguments: { app_id: "a", action: "configure" },
    });
    expect(bodyOf(missing)).toMatchObject({
      code: "VALIDATION_MISSING_FIELD",
      message: 'tables is required for action "configure" of manage_things.',
      details: { tool: "manage_things", action: "configure", field: "tables" },
    });
    const wrong = await client.callTool({ name: "fail", arguments: { how: "otherwise" } });
    expect(bodyOf(wrong)).toMatchObject({ code: "VALIDATION_INVALID_SCHEMA", details: [{ path: "how" }] });
    await client.close();
  });

  it("hides what went wrong inside, and logs it with the request's id but without its arguments", async () => {
    const client = await connectClient(door.url, era);
    const error = bodyOf(await client.callTool({ name: "fail", arguments: { how: "unknown" } }));
    expect(error).toMatchObject({ code: "INTERNAL_ERROR" });
    expect(JSON.stringify(error)).not.toContain("secret inside");
    expect(door.logged()).toContain(error.details.request_id);
    expect(door.logged()).toContain("secret inside");
    await client.callTool({ name: "echo", arguments: { text: `private-words-${era}` } });
    expect(door.logged()).not.toContain("private-words");
    await client.close();
  });

  it("refuses what breaks a tool's schema as invalid params", async () => {
    const client = await connectClient(door.url, era);
    const calls: [string, Record<string, unknown>, RegExp][] = [
      ["nothing", {}, /Unknown tool: "nothing"/],
      ["echo", { text: "x", texts: 1 }, /unknown argument "texts".*Known: text, action/],
      ["echo", {}, /text is missing/],
      ["manage_things", { app_id: "a" }, /action is missing. Actions: configure, get, delete/],
      ["manage_things", { app_id: "a", action: "constructor" }, /unknown action "constructor"/],
      ["manage_things", { action: "get" }, /app_id is missing/],
      ["get_things", { app_id: "a", tableName: "x" }, /unknown argument "tableName"/],
    ];
    for (const [name, args, message] of calls) {
      const error = await client.callTool({ name, arguments: args }).then(
        () => null,
        (problem) => problem,
      );
      expect(error, name).toBeInstanceOf(ProtocolError);
      expect(error).toMatchObject({ code: -32602, message: expect.stringMatching(message) });
    }
    await client.close();
  });

  it("refuses an agent what only a person may do", async () => {
    const call = { name: "manage_things", arguments: { app_id: "a", action: "delete" } };
    const agent = await connectClient(door.url, era);
    expect(bodyOf(await agent.callTool(call))).toMatchObject({ code: "AUTH_PERSON_REQUIRED" });
    const person = await connectClient(door.url, era, "/mcp", PERSON_KEY);
    expect((await person.callTool(call)).structuredContent).toEqual({ message: "gone" });
    await agent.close();
    await person.close();
  });

  it("has the quickstart prompt", async () => {
    const client = await connectClient(door.url, era);
    expect((await client.listPrompts()).prompts).toMatchObject([
      { name: "quickstart", arguments: [{ name: "app_name" }] },
    ]);
    const { messages } = await client.getPrompt({ name: "quickstart", arguments: { app_name: "notes" } });
    expect(messages[0]!.content).toMatchObject({
      type: "text",
      text: expect.stringContaining('the app "notes"'),
    });
    await expect(client.getPrompt({ name: "other" })).rejects.toMatchObject({ code: -32602 });
    await client.close();
  });
});

it("gives a call up when its client goes away", async () => {
  const client = await connectClient(door.url, "2026-07-28");
  const controller = new AbortController();
  const call = client.callTool({ name: "fail", arguments: { how: "slow" } }, { signal: controller.signal });
  setTimeout(() => controller.abort(), 50);
  await expect(call).rejects.toThrow();
  await vi.waitFor(() => expect(door.aborts()).toBe(1));
  await client.close();
});
