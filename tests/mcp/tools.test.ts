import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newApp } from "../support/app.ts";
import { ALIASES, CONTRACT } from "./compatible.ts";
import { ask, connectEra, ERAS } from "./connect.ts";
import { openStage, type Stage } from "./furnish.ts";
import { argsOf, type Found, formsOf, mergedArgsOf, type Step } from "./step.ts";
import { STEPS } from "./steps.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage?.close());

describe("the list of tools", () => {
  it.each(["", "?tools=verbs"])(
    "is the same in both eras, for every caller, every time (%s)",
    async (query) => {
      const lists = [];
      for (const era of ERAS) {
        for (const key of [stage.server.apiKey, stage.server.agentKey]) {
          const client = await connectEra(`${stage.server.mcpUrl}${query}`, key, era);
          lists.push((await client.listTools()).tools, (await client.listTools()).tools);
          await client.close();
        }
      }
      for (const list of lists) expect(list).toEqual(lists[0]);
      const names = lists[0]!.map(({ name }) => name);
      expect(names).toEqual([...names].sort());
    },
  );

  it("has every tool of the contract, with the arguments clients send and no other requirement", async () => {
    const client = await stage.merged(stage.server.agentKey);
    const { tools } = await client.listTools();
    for (const [name, contract] of Object.entries(CONTRACT)) {
      const tool = tools.find((each) => each.name === name);
      expect(tool, name).toBeDefined();
      const {
        properties = {},
        required = [],
        additionalProperties,
        type,
      } = tool!.inputSchema as Record<string, any>;
      expect({ name, type, additionalProperties }).toEqual({
        name,
        type: "object",
        additionalProperties: false,
      });
      expect([name, [...required].sort()]).toEqual([name, [...contract.required].sort()]);
      expect([name, contract.properties.filter((each) => !(each in properties))]).toEqual([name, []]);
      if (contract.actions === undefined) continue;
      expect([name, contract.actions.filter((each) => !properties.action.enum.includes(each))]).toEqual([
        name,
        [],
      ]);
    }
    await client.close();
  });

  it("says everything a client needs: title, description, annotations, schemas", async () => {
    for (const client of [
      await stage.merged(stage.server.agentKey),
      await stage.verbs(stage.server.agentKey),
    ]) {
      for (const { name, title, description, annotations, inputSchema, outputSchema } of (
        await client.listTools()
      ).tools) {
        expect([name, typeof title, (description ?? "").length > 20]).toEqual([name, "string", true]);
        expect(Object.keys(annotations!).sort(), name).toEqual([
          "destructiveHint",
          "idempotentHint",
          "openWorldHint",
          "readOnlyHint",
          "title",
        ]);
        expect([name, annotations!.title, inputSchema.type, outputSchema!.type]).toEqual([
          name,
          title,
          "object",
          "object",
        ]);
      }
      await client.close();
    }
  });

  it("has every operation as a verb, and every verb in this suite", async () => {
    const client = await stage.verbs(stage.server.agentKey);
    const names = (await client.listTools()).tools.map(({ name }) => name);
    expect(names).toEqual(STEPS.map(({ verb }) => verb).sort());
    await client.close();
    const compatible = await stage.merged(stage.server.agentKey);
    const { tools } = await compatible.listTools();
    const listed = tools.flatMap(({ name, inputSchema }) => {
      const { action } = (inputSchema as Record<string, any>).properties ?? {};
      return action === undefined || CONTRACT[name]?.properties.includes("event_type")
        ? [name]
        : action.enum.map((each: string) => `${name} ${each}`);
    });
    const known = STEPS.flatMap(formsOf)
      .map(({ tool, action }) => (action === null ? tool : `${tool} ${action}`))
      .filter((form) => !ALIASES.includes(form));
    expect(listed.filter((each) => each !== "butterbase_docs").sort()).toEqual(known.sort());
    await compatible.close();
  });

  it("never calls harmless what can destroy, nor read-only what writes", async () => {
    const [one, all] = [await stage.verbs(stage.server.agentKey), await stage.merged(stage.server.agentKey)];
    const [single, joined] = [(await one.listTools()).tools, (await all.listTools()).tools];
    for (const each of STEPS) {
      const { verb, destroys = false, reads = false } = each;
      const hints = single.find(({ name }) => name === verb)!.annotations!;
      expect([verb, hints.readOnlyHint, hints.destructiveHint]).toEqual([verb, reads, destroys]);
      for (const { tool } of formsOf(each).filter(({ tool }) => !ALIASES.includes(tool))) {
        const shared = joined.find(({ name }) => name === tool)!.annotations!;
        if (destroys) expect([tool, shared.destructiveHint]).toEqual([tool, true]);
        if (!reads) expect([tool, shared.readOnlyHint]).toEqual([tool, false]);
      }
    }
    await Promise.all([one.close(), all.close()]);
  });
});

describe("every operation works through both lists, and its answer holds to its schema", () => {
  /** An operation with several names goes by its last one where it is asked for in the older way. */
  const called = (each: Step, found: Found, era: (typeof ERAS)[number]) => {
    const forms = formsOf(each);
    const { tool, action } = era === "legacy" ? forms.at(-1)! : forms[0]!;
    return [tool, mergedArgsOf(each, found, action)] as const;
  };

  it.each(ERAS)("as verbs and as manage_* tools, %s", async (era) => {
    for (const [connect, callOf] of [
      [stage.verbs, (each: Step, found: Found) => [each.verb, argsOf(each, found)] as const],
      [stage.merged, (each: Step, found: Found) => called(each, found, era)],
    ] as const) {
      const client = await connect(stage.server.apiKey, era);
      const found = await stage.freshApp();
      for (const each of STEPS) {
        await each.before?.(stage.owner, found);
        // The client itself refuses an answer that its output schema does not allow.
        const answer = await ask(client, ...callOf(each, found));
        expect([each.verb, answer.error]).toEqual([each.verb, null]);
        each.find?.(answer.structured, found);
        if (each.verb === "docs_read") expect(answer.text).toBe(answer.structured.content);
        else {
          const shown = each.verb === "data_select" ? answer.structured.rows : answer.structured;
          expect(answer.text).toBe(JSON.stringify(shown, null, 2));
        }
      }
      await client.close();
    }
  });

  it("older names are still called", async () => {
    const client = await stage.merged(stage.server.agentKey);
    const { tools } = await client.listTools();
    const appId = await newApp(stage.owner);
    const known: Record<string, Record<string, unknown>> = {
      list_apps: {},
      apply_schema: {
        schema: {
          tables: { notes: { columns: { id: { type: "int", primaryKey: true }, o: { type: "text" } } } },
        },
      },
      dry_run_schema: { schema: { tables: {} } },
      enable_rls: { table_name: "notes" },
      create_policy: { table_name: "notes", policy_name: "p", using_expression: "true", command: "SELECT" },
      create_user_isolation_policy: { table_name: "notes", user_column: "o" },
      delete_rls_policy: { table_name: "notes", policy_name: "p" },
      configure_realtime: { tables: ["notes"] },
    };
    // Those that are the name of a step have been called above.
    const ofSteps = new Set(STEPS.flatMap(formsOf).map(({ tool }) => tool));
    const others = ALIASES.filter((name) => !ofSteps.has(name));
    const ends = ["apply_schema", "delete_rls_policy"];
    const order = ["apply_schema", ...others.filter((name) => !ends.includes(name)), "delete_rls_policy"];
    expect(tools.map(({ name }) => name).filter((name) => ALIASES.includes(name))).toEqual([]);
    for (const name of order) {
      const app = name === "list_apps" ? {} : { app_id: appId };
      expect([name, (await ask(client, name, { ...app, ...known[name] })).error]).toEqual([name, null]);
    }
    await client.close();
  });
});
