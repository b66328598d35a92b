import { classify, suggestPolicy, type ToolDefinition, validate } from "@ambit/policy";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { discard, type Server, startServer } from "../support/server.ts";
import { connectEra } from "./connect.ts";

let server: Server;
const lists = new Map<string, ToolDefinition[]>();

beforeAll(async () => {
  server = await startServer();
  for (const query of ["", "?tools=verbs"]) {
    const client = await connectEra(`${server.mcpUrl}${query}`, server.agentKey, "2026-07-28");
    lists.set(query, (await client.listTools()).tools as never);
    await client.close();
  }
});
afterAll(() => discard(server));

describe.each(["", "?tools=verbs"])("the catalogue's scan of this server's own tools (%s)", (query) => {
  it("finds no tool whose annotations lie", () => {
    const tools = lists.get(query)!;
    expect(tools.length).toBeGreaterThan(25);
    const lies = tools.map(classify).filter((each) => each.annotation_mismatch !== undefined);
    expect(lies.map(({ name, annotation_mismatch }) => [name, annotation_mismatch])).toEqual([]);
    // The same scan would see it: turned round, every claim that something changes is one.
    const turned = tools
      .filter(({ annotations }) => annotations!.destructiveHint)
      .map((tool) => classify({ ...tool, annotations: { readOnlyHint: true } }))
      .filter((each) => each.risk === "critical");
    expect(turned.length).toBeGreaterThan(5);
    for (const { name, annotation_mismatch } of turned)
      expect([name, annotation_mismatch]).toEqual([name, expect.any(String)]);
  });

  it("takes nothing for harmless that says it is not, and finds nothing that speaks to the model", () => {
    for (const tool of lists.get(query)!) {
      const { name, class: found, signals } = classify(tool);
      if (tool.annotations!.readOnlyHint === false) expect([name, found]).not.toEqual([name, "read"]);
      expect([name, signals.filter(({ kind }) => kind === "instructions")]).toEqual([name, []]);
    }
  });

  it("ends in a policy that is valid for them", () => {
    const tools = lists.get(query)!;
    expect(validate(suggestPolicy(tools), tools)).toEqual({ valid: true, problems: [], warnings: [] });
  });
});
