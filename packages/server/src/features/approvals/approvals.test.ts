import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ApprovalRequest } from "./service.ts";
import { approvalsStand, type Member, type Stand } from "./testing/stand.ts";

let stand: Stand;
let owner: Member;
let manager: Member;
let admin: Member;
beforeAll(async () => {
  stand = await approvalsStand();
  [owner, manager, admin] = [
    await stand.member("owner"),
    await stand.member("policy_manager"),
    await stand.member("admin"),
  ];
});
afterAll(() => stand.stop());

const approve = (by: Member, id: string, previewHash?: string | null) =>
  stand.service.decide(by.key, { id }, { decision: "approve", reason: null, previewHash }, stand.now());
const reject = (by: Member, id: string, reason = "no") =>
  stand.service.decide(by.key, { id }, { decision: "reject", reason }, stand.now());
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error) => error.code ?? String(error),
  );
const kinds = async (id: string) => (await stand.entries(id)).map(({ kind }) => kind);

describe("approving", () => {
  it("executes once, in the ledger with who decided, and tells what it gave", async () => {
    const id = await stand.ask({ item: "coffee", price: 4 });
    expect(id).toMatch(/^apr_[0-9a-z]{26}$/);
    const approval = await approve(manager, id);
    expect(approval).toMatchObject({ status: "approved", failure: null, request: { item: "coffee" } });
    expect(approval.result).toMatchObject({ changed: [{ before: null, after: { price: 4 } }] });
    expect(await stand.tool.price("coffee")).toBe(4);
    expect(await stand.tool.runs(id)).toEqual([{ approval_id: id, what: "ran" }]);
    const written = await stand.entries(id);
    expect(written.map(({ kind }) => kind)).toEqual([
      "approval.requested",
      "approval.approved",
      "approval.executed",
    ]);
    expect(written[1]!.actor).toMatchObject({
      type: "person",
      id: manager.key.keyId,
      account: manager.key.accountId,
    });
    expect(JSON.stringify(written)).not.toContain("coffee");
    expect(await stand.service.ofSubject(stand.organizationId, "tool_call", approval.subject)).toEqual(
      approval,
    );
  });

  it("keeps arguments and results sealed in the database", async () => {
    const id = await stand.ask({ item: "hush-hush", price: 1, title: "a price" });
    await approve(owner, id);
    const [row] = await stand.platform.database.query("select * from ambit.approvals where id = $1", [id]);
    expect(row).toMatchObject({ id, status: "approved", capability: "set_price" });
    expect(JSON.stringify(row)).not.toContain("hush-hush");
  });

  it("needs as many different people as were asked for", async () => {
    const id = await stand.ask({ item: "gold", price: 9, approvers: 2 });
    expect(await approve(owner, id)).toMatchObject({ status: "pending", decidedAt: null });
    expect(await code(approve(owner, id))).toBe("APPROVAL_TWICE");
    expect(await code(reject(owner, id))).toBe("APPROVAL_TWICE");
    const other = await stand.keyOf(owner, "person");
    expect(await code(approve(other, id))).toBe("APPROVAL_TWICE");
    expect(await stand.tool.price("gold")).toBeNull();
    expect(await approve(admin, id)).toMatchObject({ status: "approved" });
    expect(await stand.tool.runs(id)).toHaveLength(1);
    await expect(approve(manager, id)).rejects.toMatchObject({
      code: "wrong_status",
      status: 409,
      message: expect.stringContaining(`approved by ${admin.email}`),
    });
    expect(await kinds(id)).toEqual([
      "approval.requested",
      "approval.approved",
      "approval.approved",
      "approval.executed",
    ]);
  });

  it("one rejection ends it, with the reason", async () => {
    const id = await stand.ask({ approvers: 3 });
    await approve(owner, id);
    expect(await reject(manager, id, "too dear")).toMatchObject({ status: "rejected", result: null });
    expect(await stand.tool.runs(id)).toEqual([{ approval_id: id, what: "rejected too dear" }]);
    expect(await code(approve(admin, id))).toBe("wrong_status");
    const written = await stand.entries(id);
    expect(written.at(-1)).toMatchObject({ kind: "approval.rejected", data: { given: 1, needed: 3 } });
    expect(JSON.stringify(written)).not.toContain("too dear");
  });

  it("keeps why executing failed, undoes what it did, and ends there", async () => {
    for (const [request, failure] of [
      [{ item: "nothing", price: 1 }, "NO_SUCH_ITEM"],
      [{ item: "below", price: -1 }, "APPROVAL_EXECUTION_FAILED"],
    ] as const) {
      const id = await stand.ask(request);
      expect(await approve(owner, id)).toMatchObject({
        status: "approved",
        result: null,
        failure: { code: failure },
      });
      expect(await stand.tool.price(request.item)).toBeNull();
      expect(await stand.tool.runs(id)).toEqual([{ approval_id: id, what: `failed ${failure}` }]);
      expect(await code(approve(admin, id))).toBe("wrong_status");
      expect(await kinds(id)).toEqual(["approval.requested", "approval.approved", "approval.failed"]);
    }
  });

  it("leaves nothing behind when the server, not the request, is the trouble; it can be decided again", async () => {
    const id = await stand.ask({ item: "crash", price: 1 });
    stand.tool.onApproved = async (tx) =>
      void (await tx.query("select pg_terminate_backend(pg_backend_pid())"));
    expect(await code(approve(owner, id))).toBe("DATABASE_UNAVAILABLE");
    stand.tool.onApproved = async () => {
      throw new TypeError("a bug");
    };
    expect(await code(approve(owner, id))).toContain("a bug");
    stand.tool.onApproved = async () => {};
    expect(await stand.tool.runs(id)).toEqual([]);
    expect(await kinds(id)).toEqual(["approval.requested"]);
    expect(await stand.service.view(owner.key, id, stand.now())).toMatchObject({
      approval: { status: "pending", decisions: [] },
    });
    expect(await approve(owner, id)).toMatchObject({ status: "approved", failure: null });
    expect(await stand.tool.runs(id)).toHaveLength(1);
  });

  it("holds only for the preview that was seen, when that is asked for", async () => {
    await stand.tool.setPrice("silver", 5);
    const id = await stand.ask({ item: "silver", price: 8 });
    const seen = await stand.service.view(owner.key, id, stand.now());
    expect(seen.preview).toEqual({
      changes: [
        {
          id: "silver",
          kind: "price",
          before: { item: "silver", price: 5 },
          after: { item: "silver", price: 8 },
        },
      ],
    });
    expect(await stand.tool.price("silver")).toBe(5);
    await stand.tool.setPrice("silver", 6);
    expect(await code(approve(owner, id, seen.previewHash))).toBe("preview_changed");
    expect(await stand.tool.price("silver")).toBe(6);
    const again = await stand.service.view(owner.key, id, stand.now());
    expect(await approve(owner, id, again.previewHash)).toMatchObject({ status: "approved" });
    expect(await code(approve(admin, id, "another"))).toBe("wrong_status");
  });
});

describe("a preview that changed because somebody was quicker", () => {
  it("is no change: whoever is late is told who decided", async () => {
    await stand.tool.setPrice("copper", 5);
    const id = await stand.ask({ item: "copper", price: 8 });
    const { previewHash } = await stand.service.view(owner.key, id, stand.now());
    const { preview } = stand.tool;
    stand.tool.preview = async (approval) => {
      stand.tool.preview = preview;
      await approve(admin, id);
      return preview(approval);
    };
    await expect(approve(owner, id, previewHash)).rejects.toMatchObject({
      code: "wrong_status",
      message: expect.stringContaining(admin.email),
    });
    expect(await stand.tool.runs(id)).toHaveLength(1);
  });
});

describe("who may decide", () => {
  it("only a person, with the right, of the organisation, with a key that lives and may write", async () => {
    const id = await stand.ask();
    const refused = async (by: Member) => [await code(approve(by, id)), await code(reject(by, id))];
    const both = (each: string) => [each, each];
    expect(await refused(await stand.keyOf(owner, "agent"))).toEqual(both("AUTH_PERSON_REQUIRED"));
    expect(await refused(await stand.member("developer"))).toEqual(both("AUTH_INSUFFICIENT_PERMISSIONS"));
    expect(await refused(await stand.member("viewer"))).toEqual(both("AUTH_INSUFFICIENT_PERMISSIONS"));
    expect(await refused(await stand.keyOf(owner, "person", ["*", "read"]))).toEqual(
      both("AUTH_INSUFFICIENT_PERMISSIONS"),
    );
    expect(await refused(await stand.keyOf(owner, "person", ["app:app_1", "substrate"]))).toEqual(
      both("AUTH_INSUFFICIENT_PERMISSIONS"),
    );
    const elsewhere = await stand.member("owner", { organizationId: await stand.organization() });
    expect(await refused(elsewhere)).toEqual(both("RESOURCE_NOT_FOUND"));
    // What a cache still says of a key does not count.
    const gone = await stand.keyOf(owner, "person");
    await stand.platform.database.query("update ambit.api_keys set revoked_at = now() where id = $1", [
      gone.key.keyId,
    ]);
    expect(await refused(gone)).toEqual(both("AUTH_INVALID_API_KEY"));
    const demoted = await stand.member("admin");
    await stand.platform.database.query("update ambit.members set role = 'developer' where account_id = $1", [
      demoted.key.accountId,
    ]);
    expect(await refused(demoted)).toEqual(both("AUTH_INSUFFICIENT_PERMISSIONS"));
    expect(await stand.tool.runs(id)).toEqual([]);
  });

  it("nobody approves what was asked for on their own account, but may take it back", async () => {
    const requester = {
      type: "agent",
      id: "k",
      accountId: owner.key.accountId,
      label: "owner's agent",
    } as const;
    const id = await stand.ask({ requester });
    await expect(approve(owner, id)).rejects.toMatchObject({
      code: "AUTH_INSUFFICIENT_PERMISSIONS",
      message: expect.stringContaining("four eyes"),
    });
    expect(await stand.service.view(owner.key, id, stand.now())).toMatchObject({
      fourEyes: true,
      cannot: { approve: expect.stringContaining("four eyes"), reject: null },
    });
    expect(await reject(owner, id)).toMatchObject({ status: "rejected" });
    const second = await stand.ask({ requester });
    expect(await approve(admin, second)).toMatchObject({ status: "approved" });
  });

  it("alone, a member decides on its own requests, unless the owner asked for four eyes", async () => {
    const organizationId = await stand.organization();
    const alone = await stand.member("owner", { organizationId });
    const requester = { type: "human", id: "k", accountId: alone.key.accountId, label: "me" } as const;
    const ask = () => stand.ask({ organizationId, requester });
    expect(await approve(alone, await ask())).toMatchObject({ status: "approved" });
    await stand.service.configure(organizationId, { fourEyes: true });
    expect(await code(approve(alone, await ask()))).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
    await stand.service.configure(organizationId, { fourEyes: null });
    const second = await stand.member("policy_manager", { organizationId });
    expect(await code(approve(alone, await ask()))).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
    await stand.service.configure(organizationId, { fourEyes: false });
    expect(await approve(alone, await ask())).toMatchObject({ status: "approved" });
    expect(second.key.organizationId).toBe(organizationId);
  });
});

describe("asking", () => {
  it("is part of the transaction it is asked in", async () => {
    const { database } = stand.platform;
    let id = "";
    await expect(
      database.transaction(async (tx) => {
        const request: ApprovalRequest = {
          ...{ organizationId: stand.organizationId, kind: "tool_call", subject: "undone", title: "t" },
          ...{ reason: "r", request: {}, approvers: 1 },
          requester: { type: "app", id: "a", accountId: null, label: "" },
        };
        id = await stand.service.request(tx, request, stand.now());
        throw new Error("undone");
      }),
    ).rejects.toThrow("undone");
    expect(await stand.service.ofSubject(stand.organizationId, "tool_call", "undone")).toBeNull();
    expect(await kinds(id)).toEqual([]);
  });

  it("one approval waits per subject; after it is decided the subject may be asked about again", async () => {
    const ask = () => stand.ask({ subject: "same" });
    const results = await Promise.all(Array.from({ length: 8 }, () => code(ask())));
    expect(results.filter((each) => each === "done")).toHaveLength(1);
    expect(new Set(results)).toEqual(new Set(["done", "APPROVAL_ALREADY_WAITS"]));
    const first = (await stand.service.ofSubject(stand.organizationId, "tool_call", "same"))!;
    const by = { kind: "tool_call", subject: "same" } as const;
    await stand.service.decide(owner.key, by, { decision: "reject", reason: "no" }, stand.now());
    await ask();
    const latest = (await stand.service.ofSubject(stand.organizationId, "tool_call", "same"))!;
    expect(latest).toMatchObject({ status: "pending" });
    expect(latest.id).not.toBe(first.id);
    await stand.platform.database.transaction((tx) =>
      stand.service.cancel(tx, stand.organizationId, "tool_call", "same"),
    );
    expect(await code(approve(owner, latest.id))).toBe("wrong_status");
    expect(await kinds(latest.id)).toEqual(["approval.requested", "approval.cancelled"]);
    expect(
      await code(
        stand.service.decide(owner.key, { ...by, subject: "none" }, { decision: "approve", reason: null }, 0),
      ),
    ).toBe("RESOURCE_NOT_FOUND");
  });

  it("is refused when it can't be shown, and when too much waits; exactly, however many ask at once", async () => {
    expect(await code(stand.ask({ request: { long: "x".repeat(256 * 1024) } }))).toBe("APPROVAL_TOO_LARGE");
    expect(await code(stand.ask({ title: "x".repeat(301) }))).toBe("APPROVAL_TOO_LARGE");
    expect(await code(stand.ask({ reason: "a\0b" }))).toBe("VALIDATION_INVALID_SCHEMA");
    expect(await code(stand.ask({ approvers: 0 }))).toBe("VALIDATION_INVALID_SCHEMA");
    const organizationId = await stand.organization();
    const requester = { type: "grant", id: "busy", accountId: null, label: "ci" } as const;
    const asked = Array.from({ length: 40 }, () => code(stand.ask({ organizationId, requester })));
    const results = await Promise.all(asked);
    expect(results.filter((each) => each === "done")).toHaveLength(20);
    expect(results.filter((each) => each === "QUOTA_APPROVALS")).toHaveLength(20);
    const metrics = await stand.platform.metrics.registry.metrics();
    expect(metrics).toContain('ambit_limit_hit_total{limit="approvals_per_requester"} 20');
    const other = { ...requester, id: "calm" };
    expect(await code(stand.ask({ organizationId, requester: other }))).toBe("done");
  });
});

describe("erasing", () => {
  it("takes out what was asked, given and said; what waits is cancelled, and who decided stays", async () => {
    const [done, waiting] = [
      await stand.ask({ subject: "erase me", item: "private thing", price: 1 }),
      await stand.ask({ subject: "erase me too", item: "private thing" }),
    ];
    await approve(owner, done);
    const refused = await stand.ask({ subject: "erase me", item: "private thing" });
    await reject(admin, refused, "a private reason");
    await stand.platform.database.transaction((tx) =>
      stand.service.erase(tx, stand.organizationId, "tool_call", ["erase me", "erase me too"]),
    );
    for (const [id, status] of [
      [done, "approved"],
      [waiting, "cancelled"],
      [refused, "rejected"],
    ] as const) {
      const { approval } = await stand.service.view(owner.key, id, stand.now());
      expect(approval).toMatchObject({ status, request: { erased: true }, result: null, reason: "Erased." });
      expect(JSON.stringify(approval.decisions)).not.toContain("private");
    }
    const { approval } = await stand.service.view(owner.key, done, stand.now());
    expect(approval.decisions).toMatchObject([{ decision: "approve", accountId: owner.key.accountId }]);
  });
});
