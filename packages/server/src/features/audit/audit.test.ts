import { opens } from "@ambit/ledger";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AuditEntry } from "../../kernel/pipeline.ts";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { createLedger } from "../ledger/index.ts";
import { createAudit } from "./index.ts";
import { ledgerEntryOf } from "./ledger-entry.ts";
import type { AuditService } from "./service.ts";

let test: TestPlatform;
let audit: AuditService;
beforeAll(async () => {
  test = await testPlatform();
  audit = createAudit(test.platform, { ledger: createLedger(test.platform).service }).service;
});
afterAll(() => test.stop());

const entryOf = (more: Partial<AuditEntry> = {}): AuditEntry => ({
  appId: "app_abcdefghijkl",
  organizationId: test.organizationId,
  category: "admin",
  eventType: "members.invite",
  action: "create",
  resourceType: "member",
  resourceId: "ada@example.com",
  actorType: "platform_user",
  actorId: "key_1",
  eventData: { door: "http", input: { email: "ada@example.com" }, code: undefined },
  ip: "203.0.113.7",
  userAgent: "Mozilla/5.0",
  success: false,
  errorMessage: "ada@example.com is a member already",
  requestId: "req_1",
  ...more,
});
const rows = () =>
  test.platform.database.query<{ id: string; event_type: string; event_data: unknown }>(
    "select id, event_type, event_data from ambit.audit_log order by id",
  );
const written = (eventType: string) =>
  test.platform.database.query<{ entry: string; openings: Record<string, string> }>(
    `select e.entry, o.openings from ambit.ledger_entries e left join ambit.ledger_openings o using (seq)
     where e.kind = $1 order by e.seq`,
    [`audit.${eventType}`],
  );

describe("the audit log", () => {
  it("has each entry in the ledger too, facts in the open and everything about people sealed", async () => {
    await audit.record(entryOf());
    const [row] = await rows();
    const [kept] = await written("members.invite");
    const entry = JSON.parse(kept!.entry);
    expect(entry).toMatchObject({
      ...{
        kind: "audit.members.invite",
        org: test.organizationId,
        app: "app_abcdefghijkl",
        subject: row!.id,
      },
      actor: { type: "person", id: "key_1" },
      data: {
        ...{ category: "admin", action: "create", resource_type: "member", success: false, code: null },
        request_id: "req_1",
      },
    });
    for (const hidden of ["ada@example.com", "203.0.113.7", "Mozilla"])
      expect(kept!.entry).not.toContain(hidden);
    const values = Object.entries(kept!.openings).map(([name, text]) => {
      const opening = JSON.parse(text);
      expect(opens(entry.sealed[name], name, opening)).toBe(true);
      return [name, opening.value];
    });
    expect(Object.fromEntries(values)).toEqual({
      event_data: { door: "http", input: { email: "ada@example.com" } },
      ip: "203.0.113.7",
      user_agent: "Mozilla/5.0",
      resource_id: "ada@example.com",
      error_message: "ada@example.com is a member already",
    });
  });

  it("has both or neither", async () => {
    const before = (await rows()).length;
    const unspeakable = entryOf({ eventType: "x".repeat(300) });
    await expect(audit.record(unspeakable)).rejects.toMatchObject({ code: "LEDGER_ENTRY_MALFORMED" });
    expect((await rows()).length).toBe(before);
  });

  it("takes whatever the pipeline lets in, however deep", async () => {
    let deep: unknown = 1;
    for (let level = 0; level < 100; level += 1) deep = [deep];
    const eventData = { door: "mcp", input: { deep }, code: "SOME_CODE" };
    await audit.record(entryOf({ eventType: "deep", eventData, actorType: "app_user" }));
    const [kept] = await written("deep");
    expect(JSON.parse(JSON.parse(kept!.openings.event_data!).value)).toEqual(eventData);
    const { data, actor } = JSON.parse(kept!.entry);
    expect([data.code, actor.type]).toEqual(["SOME_CODE", "user"]);
  });

  it("names actors as the ledger does", () => {
    const typeOf = (actorType: string) => ledgerEntryOf(entryOf({ actorType }), "id").actor.type;
    expect(["platform_user", "api_key", "app_user", "anonymous", "cron"].map(typeOf)).toEqual([
      ...["person", "agent", "user", "anonymous", "system"],
    ]);
  });
});
