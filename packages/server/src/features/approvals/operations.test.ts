import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildCatalogue } from "../../doors/mcp/catalogue.ts";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import { callerOf } from "../../testing/caller.ts";
import { AGENT, approvalsStand, type Member, type Stand } from "./testing/stand.ts";

let stand: Stand;
let owner: Member;
let developer: Member;
beforeAll(async () => {
  stand = await approvalsStand();
  [owner, developer] = [await stand.member("owner"), await stand.member("developer")];
});
afterAll(() => stand.stop());

const as = (member: Member, over: Partial<KeyPrincipal> = {}) =>
  callerOf(stand.feature.operations, { ...member.key, ...over }, stand.now);
const refusal = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error) => error.code,
  );
type Answer = any;

describe("the inbox", () => {
  it("lists newest first, filtered, page by page, without the arguments", async () => {
    const organizationId = await stand.organization();
    const member = await stand.member("viewer", { organizationId });
    const { call } = as(member);
    const ids: string[] = [];
    for (let n = 0; n < 7; n++) {
      const requester = { ...AGENT, id: n % 2 === 0 ? "even" : "odd" };
      ids.unshift(await stand.ask({ organizationId, requester, item: `thing ${n}` }));
    }
    const walked: string[] = [];
    let before: string | undefined;
    do {
      const page: Answer = await call("approvals.list", { limit: "3", ...(before && { before }) });
      expect(JSON.stringify(page)).not.toContain('request"');
      walked.push(...page.approvals.map(({ id }: Answer) => id));
      before = page.next_before ?? undefined;
    } while (before !== undefined);
    expect([...walked].sort()).toEqual([...ids].sort());
    const count = async (filter: object) =>
      ((await call("approvals.list", { ...filter })) as Answer).approvals.length;
    expect(await count({ requester: "odd" })).toBe(3);
    expect(await count({ status: "pending", kind: "tool_call", capability: "set_price" })).toBe(7);
    expect(await count({ status: "approved" })).toBe(0);
    expect(await count({ capability: "another" })).toBe(0);
    expect(await count({ kind: "substrate_action" })).toBe(0);
    expect(await refusal(call("approvals.list", { limit: 1_000 }))).toBe("VALIDATION_INVALID_SCHEMA");
  });

  it("shows one with its arguments, a computed preview, and what the caller may do about it", async () => {
    const id = await stand.ask({ item: "bread", price: 2 });
    const seen: Answer = await as(owner).call("approvals.get", { approval_id: id });
    expect(seen).toMatchObject({
      id,
      request: { tool: "set_price", item: "bread", price: 2 },
      preview: { changes: [{ before: null, after: { item: "bread", price: 2 } }] },
      can_decide: true,
      cannot_decide_reason: null,
      can_reject: true,
      url: `http://127.0.0.1:4000/approve/${id}`,
    });
    expect(await stand.tool.price("bread")).toBeNull();
    const agent = await stand.keyOf(owner, "agent");
    expect(await as(agent).call("approvals.get", { approval_id: id })).toMatchObject({
      can_decide: false,
      cannot_decide_reason: expect.stringContaining("Only a person"),
    });
    expect(await as(developer).call("approvals.get", { approval_id: id })).toMatchObject({
      can_decide: false,
      cannot_decide_reason: expect.stringContaining("developer"),
    });
    const elsewhere = await stand.member("owner", { organizationId: await stand.organization() });
    expect(await refusal(as(elsewhere).call("approvals.get", { approval_id: id }))).toBe(
      "RESOURCE_NOT_FOUND",
    );
    const refused = await stand.ask({ item: "bread", price: -2 });
    expect(await as(owner).call("approvals.get", { approval_id: refused })).toMatchObject({
      preview: { problem: { code: "PRICE" } },
    });
  });

  it("shows substrate actions to keys of the substrate alone", async () => {
    const handled = { ...stand.tool, kind: "substrate_action" as const };
    stand.service.register(handled);
    const id = await stand.ask({ kind: "substrate_action" });
    const plain = { scopes: ["*"] };
    expect(await refusal(as(owner, plain).call("approvals.get", { approval_id: id }))).toBe(
      "RESOURCE_NOT_FOUND",
    );
    const { approvals }: Answer = await as(owner, plain).call("approvals.list", {});
    expect(approvals.map((each: Answer) => each.id)).not.toContain(id);
    const narrow = await stand.keyOf(owner, "person", ["*"]);
    await stand.platform.database.query("update ambit.api_keys set scope = 'app' where id = $1", [
      narrow.key.keyId,
    ]);
    const approve = as(narrow).call("approvals.approve", { approval_id: id });
    expect(await refusal(approve)).toBe("RESOURCE_NOT_FOUND");
    expect(await as(owner).call("approvals.approve", { approval_id: id })).toMatchObject({
      status: "approved",
    });
  });

  it("people with the right decide; programs and others are refused", async () => {
    const id = await stand.ask({ item: "milk", price: 1 });
    const agent = as(await stand.keyOf(owner, "agent"));
    expect(await refusal(agent.call("approvals.approve", { approval_id: id }))).toBe("AUTH_PERSON_REQUIRED");
    expect(await refusal(agent.call("approvals.reject", { approval_id: id, reason: "x" }))).toBe(
      "AUTH_PERSON_REQUIRED",
    );
    expect(await refusal(as(developer).call("approvals.approve", { approval_id: id }))).toBe(
      "AUTH_INSUFFICIENT_PERMISSIONS",
    );
    expect(await refusal(as(owner).call("approvals.reject", { approval_id: id }))).toBe(
      "VALIDATION_INVALID_SCHEMA",
    );
    const seen: Answer = await as(owner).call("approvals.get", { approval_id: id });
    await stand.tool.setPrice("milk", 9);
    const changed = as(owner).call("approvals.approve", { approval_id: id, preview_hash: seen.preview_hash });
    expect(await refusal(changed)).toBe("preview_changed");
    const answer: Answer = await as(owner).call("approvals.approve", { approval_id: id });
    expect(answer).toMatchObject({
      status: "approved",
      approvals_given: 1,
      decisions: [{ decision: "approve", account: owner.email, account_id: owner.key.accountId }],
      result: { changed: [{ after: { price: 1 } }] },
    });
    expect(await refusal(as(owner).call("approvals.approve", { approval_id: id }))).toBe("wrong_status");
  });
});

describe("settings", () => {
  it("are the owner's own, recorded, and change one by one", async () => {
    const mine = as(owner);
    const defaults = { four_eyes: null, expires_after_hours: null, notify_emails: null };
    expect(await mine.call("approvals.get_settings")).toEqual(defaults);
    expect(await mine.call("approvals.update_settings", { expires_after_hours: 2 })).toEqual({
      ...defaults,
      expires_after_hours: 2,
    });
    const change = { four_eyes: true, notify_emails: ["a@example.com"] };
    expect(await mine.call("approvals.update_settings", change)).toEqual({
      ...change,
      expires_after_hours: 2,
    });
    const id = await stand.ask();
    const seen: Answer = await mine.call("approvals.get", { approval_id: id });
    expect(Date.parse(seen.expires_at) - Date.parse(seen.created_at)).toBe(2 * 3_600_000);
    expect(await mine.call("approvals.update_settings", defaults)).toEqual(defaults);
    expect(mine.audited.map(({ eventType }) => eventType)).toEqual(
      Array.from({ length: 3 }, () => "approvals.update_settings"),
    );
    for (const [caller, code] of [
      [as(await stand.member("admin")), "AUTH_INSUFFICIENT_PERMISSIONS"],
      [as(await stand.keyOf(owner, "agent")), "AUTH_PERSON_REQUIRED"],
    ] as const) {
      expect(await refusal(caller.call("approvals.update_settings", { four_eyes: false }))).toBe(code);
    }
    for (const bad of [{ expires_after_hours: 0 }, { expires_after_hours: 721 }, { notify_emails: ["x"] }]) {
      expect(await refusal(mine.call("approvals.update_settings", bad))).toBe("VALIDATION_INVALID_SCHEMA");
    }
  });
});

describe("for agents", () => {
  it("is one tool with six actions; those that decide say that they change things", () => {
    const { merged } = buildCatalogue(stand.feature.operations, stand.feature.tools ?? []);
    const [tool, ...others] = merged.listed;
    expect(others).toEqual([]);
    expect(tool).toMatchObject({
      name: "manage_approvals",
      annotations: { readOnlyHint: false, destructiveHint: true },
    });
    expect([...merged.callable.get("manage_approvals")!.forms.keys()].sort()).toEqual([
      "approve",
      "get",
      "get_settings",
      "list",
      "reject",
      "update_settings",
    ]);
  });
});
