import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import { limits } from "./limits.ts";
import { type PolicyStand, policyStand } from "./testing/stand.ts";

let stand: PolicyStand;
let serverId: string;
beforeAll(async () => {
  stand = await policyStand();
  serverId = await stand.server();
});
afterAll(() => stand.stop());

type Written = { policy_id: string; version: number; warnings: { pointer: string; message: string }[] };
const document = (tools: object = { read: {} }, more: object = {}) => ({
  ...{ version: "1", default: "deny", tools },
  ...more,
});
const newName = () => `policy ${randomBytes(4).toString("hex")}`;
const call = <T = Record<string, unknown>>(verb: string, input: object, over?: Partial<KeyPrincipal>) =>
  stand.caller.call<T>(`gateway.${verb}`, input as Record<string, unknown>, over);
const create = (given: unknown = document(), over: object = {}) =>
  call<Written>("create_policy", { server_id: serverId, name: newName(), document: given, ...over });
const update = (policy_id: string, given: unknown, over: object = {}) =>
  call<Written>("update_policy", { policy_id, document: given, ...over });
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error) => error.code ?? String(error),
  );

describe("writing a policy", () => {
  it("makes version 1, and the next with every edit", async () => {
    const made = await create();
    expect(made).toEqual({ policy_id: expect.stringMatching(/^[0-9a-f-]{36}$/), version: 1, warnings: [] });
    expect(await update(made.policy_id, document({ read: {}, list: {} }))).toEqual({ ...made, version: 2 });
    const shown = await call("get_policy", { policy_id: made.policy_id });
    expect(shown).toMatchObject({
      ...{ policy_id: made.policy_id, server_id: serverId, version: 2, warnings: [], grants: [] },
      document: document({ read: {}, list: {} }),
    });
    expect((await stand.policies.current(made.policy_id))!.version).toBe(2);
    expect(await stand.policies.version(made.policy_id, 1)).toMatchObject({ version: 1, serverId });
    expect(await stand.policies.version(made.policy_id, 3)).toBeNull();
    expect(await stand.policies.current("00000000-0000-4000-8000-00000000dead")).toBeNull();
  });

  it("makes no version of a document that holds already, however it is written", async () => {
    const { policy_id } = await create(JSON.stringify(document(), null, 2));
    expect((await update(policy_id, document())).version).toBe(1);
    expect((await update(policy_id, JSON.stringify(document()))).version).toBe(1);
    expect((await update(policy_id, document({ list: {} }))).version).toBe(2);
    expect((await update(policy_id, document())).version).toBe(3);
    const kept = await call("get_policy_version", { policy_id, version: 1, as: "text" });
    expect(kept.document).toBe(JSON.stringify(document(), null, 2));
    expect((await stand.entries(policy_id)).map(({ data }) => data.version)).toEqual([1, 2, 3]);
  });

  it("is refused with all problems at once, each with its pointer", async () => {
    const bad = {
      ...{ version: "2", default: "maybe", surprise: true },
      tools: { pay: { deny_if: [{ conditions: [{ path: "args.a", op: "almost", value: 1 }] }] } },
    };
    const error = await create(bad).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: "POLICY_INVALID", status: 400 });
    const pointers = (error.details as Written["warnings"]).map(({ pointer }) => pointer);
    expect(pointers).toEqual(
      expect.arrayContaining(["/version", "/default", "/surprise", "/tools/pay/deny_if/0/conditions/0/op"]),
    );
    const { policy_id } = await create();
    expect(await code(update(policy_id, bad))).toBe("POLICY_INVALID");
    expect((await stand.policies.current(policy_id))!.version).toBe(1);
  });

  it("finds keys that stand twice, in a text", async () => {
    const twice = '{"version":"1","default":"deny","default":"allow","tools":{}}';
    const error = await create(twice).catch((thrown) => thrown);
    expect(error.code).toBe("POLICY_INVALID");
    expect(error.details).toEqual([{ pointer: "/default", message: expect.any(String) }]);
    for (const odd of ["", "{", "\ufeff{}", 5, [], null, "[]", "x".repeat(20)]) {
      expect(await code(create(odd))).toBe("POLICY_INVALID");
    }
    const without = call("create_policy", { server_id: serverId, name: newName() });
    expect(await code(without)).toBe("VALIDATION_INVALID_SCHEMA");
  });

  it("takes 256 KB and no byte more", async () => {
    const empty = JSON.stringify(document());
    const padded = (bytes: number) => `${empty}${" ".repeat(bytes - Buffer.byteLength(empty))}`;
    expect(await code(create(padded(limits.documentBytes)))).toBe("done");
    const error = await create(padded(limits.documentBytes + 1)).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: "POLICY_INVALID", details: [{ pointer: "" }] });
    const metrics = await stand.platform.metrics.registry.metrics();
    expect(metrics).toContain('ambit_limit_hit_total{limit="gateway_policy_bytes"} 1');
  });

  it("warns of what the server does not have, and says when it can't be asked", async () => {
    const own = await stand.server();
    stand.mcp.fails = 500;
    const made = await call<Written>("create_policy", {
      ...{ server_id: own, name: "p", document: document({ read: {}, wirte: {} }) },
    });
    expect(made).toMatchObject({ version: 1, warnings: [{ pointer: "" }] });
    stand.mcp.fails = null;
    const again = await update(made.policy_id, document({ read: {}, wrote: {} }));
    expect(again).toMatchObject({ version: 2, warnings: [{ pointer: "/tools/wrote" }] });
    const shown = await call("get_policy", { policy_id: made.policy_id });
    expect(shown).toMatchObject({ warnings: again.warnings });
  });

  it("needs a name of its own on its server, and a server of the organisation's", async () => {
    const name = newName();
    const first = await create(document(), { name });
    expect(await code(create(document(), { name }))).toBe("RESOURCE_ALREADY_EXISTS");
    expect(await code(create(document(), { name, server_id: await stand.server() }))).toBe("done");
    expect(await code(create(document(), { name, server_id: "ambit" }))).toBe("done");
    const foreign = await stand.server(await stand.organization());
    expect(await code(create(document(), { server_id: foreign }))).toBe("RESOURCE_NOT_FOUND");
    await call("delete_policy", { policy_id: first.policy_id });
    expect(await code(create(document(), { name }))).toBe("done");
  });

  it("is bounded per server, also when many come at once", async () => {
    const own = await stand.server();
    await stand.platform.database.query(
      `with made as (
         insert into ambit.gateway_policies (id, organization_id, server_id, name, version, created_at, updated_at)
         select gen_random_uuid(), $1, $2, 'p' || n, 1, now(), now() from generate_series(1, $3::int) n returning id)
       select count(*) from made`,
      [stand.organizationId, own, limits.policiesPerServer - 1],
    );
    const codes = await Promise.all(
      Array.from({ length: 4 }, () => code(create(document(), { server_id: own }))),
    );
    expect(codes.toSorted()).toEqual([
      "QUOTA_GATEWAY_POLICIES",
      "QUOTA_GATEWAY_POLICIES",
      "QUOTA_GATEWAY_POLICIES",
      "done",
    ]);
  });
});

describe("editing at the same time", () => {
  it("lets one of those win who expected the same version", async () => {
    const { policy_id } = await create();
    const results = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        code(update(policy_id, document({ [`t${n}`]: {} }), { expected_version: 1 })),
      ),
    );
    expect(results.filter((each) => each === "done")).toHaveLength(1);
    expect(new Set(results)).toEqual(new Set(["done", "GATEWAY_POLICY_CHANGED"]));
    const error = await update(policy_id, document(), { expected_version: 1 }).catch((thrown) => thrown);
    expect(error).toMatchObject({ status: 409, details: { version: 2, expected_version: 1 } });
  });

  it("without an expectation every edit makes a version of its own, without gaps", async () => {
    const { policy_id } = await create();
    const other = stand.node();
    const by = { organizationId: stand.organizationId, accountId: policy_id, keyId: policy_id };
    const versions = await Promise.all(
      Array.from({ length: 10 }, async (_, n) => {
        const edit = { document: document({ [`t${n}`]: {} }), expectedVersion: null };
        const node = n % 2 === 0 ? stand.policies : other.policies;
        return (await node.update(by, policy_id, edit, Date.now())).version;
      }),
    );
    expect(versions.toSorted((a, b) => a - b)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });
});

describe("what holds", () => {
  it("shows an edit at once here, and within a second on another node", async () => {
    const { policy_id } = await create();
    const other = stand.node();
    expect((await other.policies.current(policy_id))!.version).toBe(1);
    await stand.policies.current(policy_id);
    await update(policy_id, document({ b: {} }));
    const edited = performance.now();
    expect(stand.policies.peek(policy_id)).toBeUndefined();
    expect((await stand.policies.current(policy_id))!.compiled.lists("b")).toBe(true);
    expect(stand.policies.peek(policy_id)).toMatchObject({ version: 2 });
    await expect
      .poll(async () => (await other.policies.current(policy_id))!.version, { interval: 20 })
      .toBe(2);
    expect(performance.now() - edited).toBeLessThan(1_000);
  });

  it("tells who listens, on this node", async () => {
    const { policy_id } = await create();
    const heard: string[] = [];
    stand.policies.onChanged((id) => void heard.push(id));
    await update(policy_id, document({ b: {} }));
    await call("delete_policy", { policy_id });
    expect(heard).toEqual([policy_id, policy_id]);
  });

  it("is refused when what is stored is not what was written; writing it again mends it", async () => {
    const { policy_id } = await create();
    const broken = async (column: "document" | "document_sha256", value: string) => {
      await stand.asSuperuser("alter table ambit.gateway_policy_versions disable trigger all");
      await stand.asSuperuser(
        `update ambit.gateway_policy_versions set ${column} = $2 where policy_id = $1`,
        [policy_id, value],
      );
      await stand.asSuperuser("alter table ambit.gateway_policy_versions enable trigger all");
    };
    await broken("document", JSON.stringify(document({ everything: {} })));
    expect(await code(stand.policies.current(policy_id))).toBe("GATEWAY_POLICY_BROKEN");
    expect((await update(policy_id, document({ everything: {} }))).version).toBe(2);
    expect((await stand.policies.current(policy_id))!.version).toBe(2);
    const { policy_id: second } = await create();
    await stand.asSuperuser("alter table ambit.gateway_policy_versions disable trigger all");
    await stand.asSuperuser(
      `update ambit.gateway_policy_versions set document = '{}', document_sha256 = encode(sha256('{}'), 'hex')
       where policy_id = $1`,
      [second],
    );
    await stand.asSuperuser("alter table ambit.gateway_policy_versions enable trigger all");
    expect(await code(stand.policies.current(second))).toBe("GATEWAY_POLICY_BROKEN");
  });

  it("is never changed where it is stored", async () => {
    const { policy_id } = await create();
    await expect(
      stand.platform.database.query(
        "update ambit.gateway_policy_versions set document = '{}' where policy_id = $1",
        [policy_id],
      ),
    ).rejects.toThrow("never changed");
  });
});

describe("deleting a policy", () => {
  it("is refused while a grant has it, and leaves its versions readable", async () => {
    const node = stand.node();
    const { policy_id } = await create();
    let users = [{ id: "gra_1", label: "ci" }];
    node.policies.usersFrom(async (_db, id) => (id === policy_id ? users : []));
    const removing = () => node.policies.remove(stand.organizationId, policy_id, Date.now());
    await expect(removing()).rejects.toMatchObject({
      ...{ code: "GATEWAY_POLICY_IN_USE", status: 409 },
      details: { grants: [{ grant_id: "gra_1", label: "ci" }] },
    });
    expect(await node.policies.show(stand.organizationId, policy_id)).toMatchObject({ users });
    users = [];
    await removing();
    expect(await node.policies.current(policy_id)).toBeNull();
    expect(await code(call("get_policy", { policy_id }))).toBe("RESOURCE_NOT_FOUND");
    expect(await code(update(policy_id, document({ b: {} })))).toBe("RESOURCE_NOT_FOUND");
    expect(await code(call("delete_policy", { policy_id }))).toBe("RESOURCE_NOT_FOUND");
    expect(await call("get_policy_version", { policy_id, version: 1 })).toMatchObject({
      document: document(),
    });
    expect(await stand.policies.version(policy_id, 1)).toMatchObject({ version: 1 });
  });

  it("waits for who is about to use it", async () => {
    const { policy_id } = await create();
    const order: string[] = [];
    const of = { organizationId: stand.organizationId, serverId };
    let removal: Promise<unknown> | undefined;
    await stand.platform.database.transaction(async (tx) => {
      await stand.policies.hold(tx, policy_id, of);
      removal = stand.policies
        .remove(stand.organizationId, policy_id, Date.now())
        .then(() => order.push("deleted"));
      await new Promise((resolve) => setTimeout(resolve, 100));
      order.push("used");
    });
    await removal;
    expect(order).toEqual(["used", "deleted"]);
    const holding = (id: string, over: object = {}) =>
      stand.platform.database.transaction((tx) => stand.policies.hold(tx, id, { ...of, ...over }));
    expect(await code(holding(policy_id))).toBe("RESOURCE_NOT_FOUND");
    const live = await create();
    expect(await code(holding(live.policy_id, { serverId: await stand.server() }))).toBe(
      "GATEWAY_POLICY_OF_ANOTHER_SERVER",
    );
    expect(await code(holding(live.policy_id, { organizationId: await stand.organization() }))).toBe(
      "RESOURCE_NOT_FOUND",
    );
  });

  it("goes with its server", async () => {
    const own = await stand.server();
    const { policy_id } = await create(document(), { server_id: own });
    await stand.platform.database.query("delete from ambit.gateway_servers where id = $1", [own]);
    expect(await stand.policies.current(policy_id)).toBeNull();
    expect(await stand.policies.version(policy_id, 1)).toBeNull();
  });
});

describe("looking at policies", () => {
  it("lists them newest first, a page at a time, of one server or of all", async () => {
    const own = await stand.server();
    const made: string[] = [];
    for (let n = 0; n < 5; n++) made.unshift((await create(document(), { server_id: own })).policy_id);
    const pages: string[][] = [];
    let before: string | null = null;
    do {
      const page: { policies: { policy_id: string }[]; next_before: string | null } = await call(
        "list_policies",
        {
          ...{ server_id: own, limit: "2" },
          ...(before === null ? {} : { before }),
        },
      );
      pages.push(page.policies.map(({ policy_id }) => policy_id));
      before = page.next_before;
    } while (before !== null);
    expect(pages).toEqual([made.slice(0, 2), made.slice(2, 4), made.slice(4)]);
    const all = await call<{ policies: { policy_id: string }[] }>("list_policies", { limit: 200 });
    expect(all.policies.slice(0, 5).map(({ policy_id }) => policy_id)).toEqual(made);
    expect(all.policies.length).toBeGreaterThan(5);
  });

  it("lists versions newest first, with their hashes and writers", async () => {
    const { policy_id } = await create();
    for (let n = 0; n < 3; n++) await update(policy_id, document({ [`t${n}`]: {} }));
    const first = await call("list_policy_versions", { policy_id, limit: 2 });
    expect(first).toMatchObject({ versions: [{ version: 4 }, { version: 3 }], next_before: 3 });
    const rest = await call<{ versions: { bytes: number }[] }>("list_policy_versions", {
      policy_id,
      before: 3,
    });
    expect(rest).toMatchObject({
      versions: [
        { version: 2, document_sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
        { version: 1, created_by: "00000000-0000-4000-8000-000000000002" },
      ],
      next_before: null,
    });
    expect(rest.versions[1]!.bytes).toBe(JSON.stringify(document()).length);
    expect(await code(call("get_policy_version", { policy_id, version: 9 }))).toBe("RESOURCE_NOT_FOUND");
    expect(await code(call("get_policy_version", { policy_id, version: 2 ** 40 }))).toBe(
      "VALIDATION_INVALID_SCHEMA",
    );
  });

  it("validates without saving", async () => {
    const own = await stand.server();
    const warned = await call("validate_policy", { document: document({ no: {} }), server_id: own });
    expect(warned).toMatchObject({ valid: true, problems: [], warnings: [{ pointer: "/tools/no" }] });
    expect(await call("validate_policy", { document: document({ no: {} }) })).toMatchObject({ warnings: [] });
    expect(await call("validate_policy", { document: "{" })).toMatchObject({ valid: false });
    const list = await call<{ policies: unknown[] }>("list_policies", { server_id: own });
    expect(list.policies).toEqual([]);
  });
});

describe("who may", () => {
  const verbs = ["create_policy", "update_policy", "delete_policy"];
  const reads = [
    "get_policy",
    "list_policies",
    "list_policy_versions",
    "get_policy_version",
    "validate_policy",
  ];
  const inputOf = (policy_id: string) => ({
    policy_id,
    server_id: serverId,
    version: 1,
    document: document(),
    name: newName(),
  });

  it("write: people with the right to policies, and nobody else", async () => {
    for (const verb of verbs) {
      const { policy_id } = await create();
      const as = (over: Partial<KeyPrincipal>) => code(call(verb, inputOf(policy_id), over));
      expect([verb, await as({ keyKind: "agent" })]).toEqual([verb, "AUTH_PERSON_REQUIRED"]);
      for (const role of ["viewer", "developer"] as const)
        expect(await as({ role })).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
      expect(await as({ scopes: ["app:app_1"] })).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
      expect(await as({ role: "policy_manager" })).toBe("done");
    }
  });

  it("read: every member, also through an agent; no key of one app", async () => {
    const { policy_id } = await create();
    for (const verb of reads) {
      const as = (over: Partial<KeyPrincipal>) => code(call(verb, inputOf(policy_id), over));
      expect([verb, await as({ role: "viewer", keyKind: "agent" })]).toEqual([verb, "done"]);
      expect(await as({ scopes: ["app:app_1"] })).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
    }
  });

  it("nobody of another organisation sees or touches anything", async () => {
    const { policy_id } = await create();
    const organizationId = await stand.organization();
    for (const verb of [...verbs, ...reads]) {
      const outcome = await code(call(verb, inputOf(policy_id), { organizationId }));
      expect([verb, outcome]).toEqual([verb, "RESOURCE_NOT_FOUND"]);
    }
    expect(await call("list_policies", {}, { organizationId })).toEqual({ policies: [], next_before: null });
    const paged = await call<{ policies: unknown[] }>(
      "list_policies",
      { before: policy_id },
      { organizationId },
    );
    expect(paged.policies).toEqual([]);
    expect((await stand.policies.current(policy_id))!.version).toBe(1);
  });
});

describe("the record", () => {
  it("has who wrote which version, its hash for ever, and the document sealed", async () => {
    const secret = randomBytes(8).toString("hex");
    const { policy_id } = await create(document({ [`tool-${secret}`]: {} }));
    const shown = await call<{ document_sha256: string }>("get_policy", { policy_id });
    const [entry] = await stand.entries(policy_id);
    expect(entry).toMatchObject({
      kind: "gateway.policy.changed",
      actor: {
        type: "person",
        id: "00000000-0000-4000-8000-000000000001",
        account: "00000000-0000-4000-8000-000000000002",
      },
      data: { policy_id, server_id: serverId, version: 1, document_sha256: shown.document_sha256 },
    });
    expect(Object.keys(entry!.sealed).toSorted()).toEqual(["document", "name"]);
    expect(JSON.stringify(entry)).not.toContain(secret);
    const audited = stand.caller.audited.findLast(({ resourceType }) => resourceType === "gateway_policy");
    expect(audited).toMatchObject({ category: "admin", action: "create", success: true });
  });

  it("has nothing of what was refused", async () => {
    const { policy_id } = await create();
    await code(update(policy_id, { version: "1" }));
    await code(update(policy_id, document({ b: {} }), { expected_version: 7 }));
    expect(await stand.entries(policy_id)).toHaveLength(1);
  });
});
