import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { must } from "../support/app.ts";
import { ask, run } from "./connect.ts";
import { openStage, type Stage, snapshot } from "./furnish.ts";
import { argsOf, formsOf, mergedArgsOf } from "./step.ts";
import { STEPS } from "./steps.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage?.close());

describe("what a key may not do, no tool does", () => {
  it("a read-only key reads, and changes nothing", async () => {
    const person = await stage.verbs(stage.server.apiKey);
    const found = await stage.furnished(person);
    const widest = { name: "reader", kind: "person", scope: "both" };
    found.keyId = must(await stage.owner("POST", "/api-keys", { name: "victim" })).id;
    const { key } = must(await stage.owner("POST", "/api-keys", { ...widest, read_only: true }));
    const [single, joined] = [await stage.verbs(key), await stage.merged(key)];
    const before = await snapshot(stage.owner, found);
    const refusedReads = new Set<string>();
    for (const each of STEPS) {
      for (const [client, name, args] of [
        [single, each.verb, argsOf(each, found)],
        [joined, each.tool, mergedArgsOf(each, found)],
      ] as const) {
        const { error } = await ask(client, name, args);
        if (each.forReaders) expect([name, error]).toEqual([name, null]);
        else if (!each.reads)
          expect([name, error?.code]).toEqual([name, expect.stringMatching(/AUTH_|SQL_READ_ONLY/)]);
        else if (error !== null) {
          expect([name, error.code]).toEqual([name, "AUTH_INSUFFICIENT_PERMISSIONS"]);
          refusedReads.add(each.verb);
        }
      }
    }
    // Users, codes and where webhooks go are for those who may change them, and
    // so are credentials; a preview is part of a change, and so is what a policy would have decided.
    expect([...refusedReads].sort()).toEqual([
      "approvals_get_settings",
      "attention_rules_preview",
      "auth_list_users",
      "gateway_get_connection",
      "gateway_replay",
      "gateway_simulate",
      "mail_organization_outbox",
      "mail_read_outbox",
      "outbox_list_targets",
      "schema_dry_run",
      "substrate_preview",
    ]);
    expect(await snapshot(stage.owner, found)).toEqual(before);
    await Promise.all([person, single, joined].map((client) => client.close()));
  });

  it("what is called read-only changes nothing, even for an owner", async () => {
    const person = await stage.verbs(stage.server.apiKey);
    const found = await stage.furnished(person);
    const before = await snapshot(stage.owner, found);
    for (const each of STEPS.filter(({ reads }) => reads)) await run(person, each.verb, argsOf(each, found));
    expect(await snapshot(stage.owner, found)).toEqual(before);
    await person.close();
  });

  it("an agent's key is refused what only a person may do", async () => {
    const agent = await stage.merged(stage.server.agentKey);
    const found = await stage.freshApp();
    found.organizationId = must(await stage.owner("GET", "/v1/organizations")).organizations[0].id;
    for (const each of STEPS.filter(({ person }) => person)) {
      for (const { tool, action } of formsOf(each)) {
        const { error } = await ask(agent, tool, mergedArgsOf(each, found, action));
        expect([each.verb, tool, error?.code]).toEqual([each.verb, tool, "AUTH_PERSON_REQUIRED"]);
        expect(error?.remediation).toContain("person");
      }
    }
    const people = must(await stage.owner("GET", "/api-keys")).keys.filter(
      (key: any) => key.kind === "person",
    );
    const revoke = await ask(agent, "manage_api_keys", { action: "revoke", key_id: people[0].id });
    expect(revoke.error?.code).toBe("AUTH_PERSON_REQUIRED");
    await agent.close();
  });

  it("an app-bound key stays in its app", async () => {
    const [mine, other] = [await stage.freshApp(), await stage.freshApp()];
    const { key } = must(
      await stage.owner("POST", "/api-keys", { name: "bound", key_scope: "app", target_app_id: mine.appId }),
    );
    const client = await stage.merged(key);
    await run(client, "manage_schema", { app_id: mine.appId, action: "get" });
    for (const each of STEPS.filter(({ app }) => app)) {
      const { error } = await ask(client, each.tool, mergedArgsOf(each, other));
      expect([each.verb, error?.code]).toEqual([each.verb, "AUTH_INSUFFICIENT_PERMISSIONS"]);
    }
    await client.close();
  });
});
