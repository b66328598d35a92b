import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sha256Hex } from "../../kernel/ids.ts";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import { reservation } from "../gateway-quotas/testing/stand.ts";
import { limits } from "./limits.ts";
import { type GrantStand, grantStand } from "./testing/stand.ts";

let stand: GrantStand;
let serverId: string;
let policyId: string;
beforeAll(async () => {
  stand = await grantStand();
  serverId = await stand.server();
  policyId = await stand.policy(serverId);
});
afterAll(() => stand.stop());

interface Issued {
  grant_id: string;
  token: string;
  proxy_url: string;
}
const newLabel = () => `label ${randomBytes(4).toString("hex")}`;
const call = <T = Record<string, unknown>>(verb: string, input: object, over?: Partial<KeyPrincipal>) =>
  stand.caller.call<T>(`gateway.${verb}`, input as Record<string, unknown>, over);
const create = (over: object = {}, by?: Partial<KeyPrincipal>) =>
  call<Issued>("create_grant", { server_id: serverId, label: newLabel(), policy_id: policyId, ...over }, by);
const resolve = (token: string) => stand.grants.resolve(token, stand.now());
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error) => error.code ?? String(error),
  );
const inMs = (ms: number) => new Date(stand.now() + ms).toISOString();

describe("a token", () => {
  it("is shown once, stored as its hash, and opens its grant", async () => {
    const label = newLabel();
    const { grant_id, token, proxy_url } = await create({ label });
    expect(grant_id).toMatch(/^gra_[0-9a-z]{26}$/);
    expect(token).toMatch(/^amb_gr_[A-Za-z0-9_-]{43}$/);
    expect(proxy_url).toBe(`http://127.0.0.1:4000/mcp/${serverId}/`);
    expect(await resolve(token)).toEqual({
      ...{ id: grant_id, organizationId: stand.organizationId, serverId, policyId, label },
      ...{ accountId: stand.owner.accountId, expiresAtMs: null, rotation: 0 },
    });
    const [row] = await stand.platform.database.query("select * from ambit.gateway_grants where id = $1", [
      grant_id,
    ]);
    expect(row!.token_hash).toBe(sha256Hex(token));
    const secret = token.slice("amb_gr_".length);
    const seen = [
      row,
      await call("get_grant", { grant_id }),
      await call("list_grants", {}),
      stand.caller.audited,
      await stand.platform.database.query("select entry from ambit.ledger_entries"),
    ];
    expect(JSON.stringify(seen)).not.toContain(secret);
  });

  it("that is none, or nobody's, opens nothing, and costs one look at most", async () => {
    const { token } = await create();
    const nobody = `amb_gr_${"A".repeat(43)}`;
    for (const odd of [
      "",
      "amb_gr_",
      token.slice(0, -1),
      `${token}A`,
      `${token}\n`,
      ` ${token}`,
      token.toUpperCase(),
    ]) {
      expect(await resolve(odd)).toBeNull();
    }
    let queries = 0;
    const { database } = stand.platform;
    const real = database.query.bind(database);
    database.query = ((text: string, values?: readonly unknown[]) => {
      if (text.includes("token_hash = $1")) queries += 1;
      return real(text, values);
    }) as typeof database.query;
    for (let n = 0; n < 20; n++) expect(await resolve(nobody)).toBeNull();
    for (let n = 0; n < 20; n++) expect(await resolve(token)).not.toBeNull();
    database.query = real;
    expect(queries).toBe(2);
  });

  it("is dead at once when it was rotated, and the next one opens the same grant", async () => {
    const { grant_id, token } = await create();
    const before = await resolve(token);
    const next = await call<Issued>("rotate_grant", { grant_id });
    expect(next).toEqual({
      ...{ grant_id, proxy_url: `http://127.0.0.1:4000/mcp/${serverId}/` },
      token: expect.stringMatching(/^amb_gr_/),
    });
    expect(next.token).not.toBe(token);
    expect(await resolve(token)).toBeNull();
    expect(await resolve(next.token)).toEqual({ ...before, rotation: 1 });
    expect(await stand.grants.byId(grant_id)).toMatchObject({ rotation: 1 });
  });

  it("is dead at once when its grant was revoked; its label is still known", async () => {
    const label = newLabel();
    const { grant_id, token } = await create({ label });
    await resolve(token);
    await stand.grants.byId(grant_id);
    expect(await call("revoke_grant", { grant_id })).toEqual({ revoked: true, grant_id });
    expect(await resolve(token)).toBeNull();
    expect(await stand.grants.byId(grant_id)).toBeNull();
    expect(await stand.grants.labelOf(grant_id)).toBe(label);
    expect(await stand.grants.labelOf("gra_none")).toBeNull();
    expect(await call("get_grant", { grant_id })).toMatchObject({ status: "revoked" });
    for (const verb of ["rotate_grant", "update_grant", "revoke_grant"])
      expect(await code(call(verb, { grant_id }))).toBe("RESOURCE_NOT_FOUND");
  });

  it("is dead within a second on another node", async () => {
    const { grant_id, token } = await create();
    const rotated = await create();
    const other = stand.node().grants;
    expect(await other.resolve(token, stand.now())).not.toBeNull();
    expect(await other.byId(rotated.grant_id)).toMatchObject({ rotation: 0 });
    await call("revoke_grant", { grant_id });
    await call("rotate_grant", { grant_id: rotated.grant_id });
    const done = performance.now();
    await expect.poll(() => other.resolve(token, stand.now()), { interval: 20 }).toBeNull();
    await expect.poll(() => other.byId(rotated.grant_id), { interval: 20 }).toMatchObject({ rotation: 1 });
    expect(performance.now() - done).toBeLessThan(1_000);
  });

  it("ends when it expires, to the millisecond, also from memory", async () => {
    const expires_at = inMs(60_000);
    const { grant_id, token } = await create({ expires_at });
    const end = Date.parse(expires_at);
    expect(await stand.grants.resolve(token, end - 1)).toMatchObject({ expiresAtMs: end });
    expect(await stand.grants.resolve(token, end)).toBeNull();
    expect(await stand.grants.byId(grant_id)).not.toBeNull();
    stand.advance(60_001);
    expect(await stand.grants.byId(grant_id)).toBeNull();
    expect(await resolve(token)).toBeNull();
    expect(await call("get_grant", { grant_id })).toMatchObject({ status: "expired" });
    await call("update_grant", { grant_id, expires_at: null });
    expect(await resolve(token)).toMatchObject({ expiresAtMs: null });
    for (const past of [inMs(-1), inMs(0)]) {
      expect(await code(create({ expires_at: past }))).toBe("GATEWAY_GRANT_EXPIRY_PAST");
      expect(await code(call("update_grant", { grant_id, expires_at: past }))).toBe(
        "GATEWAY_GRANT_EXPIRY_PAST",
      );
    }
    expect(await code(create({ expires_at: "tomorrow" }))).toBe("VALIDATION_INVALID_SCHEMA");
  });

  it("opens nothing when its maker is no member any more, and opens again when they are back", async () => {
    const admin = await stand.member("admin");
    const { grant_id, token } = await create({}, admin);
    const other = stand.node().grants;
    expect(await resolve(token)).toMatchObject({ accountId: admin.accountId });
    const { database } = stand.platform;
    await database.query("delete from ambit.members where account_id = $1", [admin.accountId]);
    expect(await other.resolve(token, stand.now())).toBeNull();
    expect(await other.byId(grant_id)).toBeNull();
    await expect.poll(() => resolve(token), { interval: 20, timeout: 1_000 }).toBeNull();
    expect(await call("get_grant", { grant_id })).toMatchObject({ status: "orphaned" });
    expect(await code(create({}, admin))).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
    await database.query(
      "insert into ambit.members (organization_id, account_id, role) values ($1, $2, 'viewer')",
      [stand.organizationId, admin.accountId],
    );
    await expect.poll(() => resolve(token), { interval: 20, timeout: 1_000 }).not.toBeNull();
  });

  it("goes with its server", async () => {
    const own = await stand.server();
    const { grant_id, token } = await create({ server_id: own, policy_id: await stand.policy(own) });
    expect(await resolve(token)).not.toBeNull();
    await stand.servers.management.delete({ ...stand.owner, keyKind: "person" } as KeyPrincipal, own);
    expect(await resolve(token)).toBeNull();
    expect(await stand.grants.byId(grant_id)).toBeNull();
    expect(await code(call("get_grant", { grant_id }))).toBe("RESOURCE_NOT_FOUND");
  });
});

describe("a label", () => {
  it("is one live grant's of a server, also when many ask for it at once", async () => {
    const label = newLabel();
    const outcomes = await Promise.all(Array.from({ length: 6 }, () => code(create({ label }))));
    expect(outcomes.toSorted()).toEqual([...Array(5).fill("RESOURCE_ALREADY_EXISTS"), "done"]);
    const other = await create();
    expect(await code(call("update_grant", { grant_id: other.grant_id, label }))).toBe(
      "RESOURCE_ALREADY_EXISTS",
    );
    expect(await code(create({ label, server_id: await stand.server(), policy_id: null }))).toBe("done");
  });

  it("is free again when its grant was revoked or has expired, which then stays ended", async () => {
    const label = newLabel();
    const first = await create({ label });
    await call("revoke_grant", { grant_id: first.grant_id });
    const second = await create({ label, expires_at: inMs(5_000) });
    expect(await code(create({ label }))).toBe("RESOURCE_ALREADY_EXISTS");
    stand.advance(5_000);
    const third = await create();
    expect(await call("update_grant", { grant_id: third.grant_id, label: ` ${label} ` })).toMatchObject({
      label,
    });
    expect(await code(call("update_grant", { grant_id: second.grant_id, expires_at: null }))).toBe(
      "RESOURCE_NOT_FOUND",
    );
    expect(await resolve(second.token)).toBeNull();
    expect(await resolve(third.token)).toMatchObject({ label });
  });
});

describe("a grant's policy", () => {
  it("is one of the same server and organisation, or none", async () => {
    const elsewhere = await stand.policy(await stand.server());
    const foreign = await stand.policy(await stand.server(await stand.organization()));
    const { grant_id, token } = await create({ policy_id: null });
    expect(await resolve(token)).toMatchObject({ policyId: null });
    const attempts = [
      [elsewhere, "GATEWAY_POLICY_OF_ANOTHER_SERVER"],
      [foreign, "RESOURCE_NOT_FOUND"],
      ["00000000-0000-4000-8000-00000000dead", "RESOURCE_NOT_FOUND"],
    ] as const;
    for (const [policy_id, expected] of attempts) {
      expect(await code(create({ policy_id }))).toBe(expected);
      expect(await code(call("attach_policy", { grant_id, policy_id }))).toBe(expected);
      expect(await code(call("update_grant", { grant_id, policy_id }))).toBe(expected);
    }
    await expect(
      stand.platform.database.query("update ambit.gateway_grants set policy_id = $2 where id = $1", [
        grant_id,
        elsewhere,
      ]),
    ).rejects.toMatchObject({ code: "23503" });
  });

  it("is attached and taken off from the next call on, and whoever listens is told", async () => {
    const { grant_id, token } = await create({ policy_id: null });
    const heard: unknown[] = [];
    stand.grants.onChanged((id, what) => void (id === grant_id && heard.push(what)));
    await resolve(token);
    expect(await call("attach_policy", { grant_id, policy_id: policyId })).toMatchObject({
      policy_id: policyId,
    });
    expect(await resolve(token)).toMatchObject({ policyId });
    expect(await call("update_grant", { grant_id, policy_id: null })).toMatchObject({ policy_id: null });
    expect(await resolve(token)).toMatchObject({ policyId: null });
    await call("update_grant", { grant_id, label: newLabel() });
    expect(await resolve(token)).toMatchObject({ policyId: null });
    await call("rotate_grant", { grant_id });
    await call("revoke_grant", { grant_id });
    expect(heard).toEqual(["changed", "changed", "changed", "rotated", "revoked"]);
  });

  it("can't be deleted while a grant has it", async () => {
    const own = await stand.policy(serverId);
    const label = newLabel();
    const { grant_id } = await create({ policy_id: own, label });
    const removing = () => stand.policies.remove(stand.organizationId, own, stand.now());
    await expect(removing()).rejects.toMatchObject({
      ...{ code: "GATEWAY_POLICY_IN_USE", details: { grants: [{ grant_id, label }] } },
    });
    await call("revoke_grant", { grant_id });
    await removing();
    expect(await code(create({ policy_id: own }))).toBe("RESOURCE_NOT_FOUND");
  });

  it("attached and deleted at the same time, is never both", async () => {
    for (let round = 0; round < 12; round++) {
      const own = await stand.policy(serverId);
      const { grant_id, token } = await create({ policy_id: null });
      const [attached, removed] = await Promise.all([
        code(call("attach_policy", { grant_id, policy_id: own })),
        code(stand.policies.remove(stand.organizationId, own, stand.now())),
      ]);
      const outcome = `${attached} ${removed}`;
      expect(["done GATEWAY_POLICY_IN_USE", "RESOURCE_NOT_FOUND done"]).toContain(outcome);
      const policy = await stand.policies.current(own);
      expect((await resolve(token))!.policyId === null).toBe(policy === null);
    }
  });
});

describe("last use", () => {
  it("is written at most once a minute, whatever number of nodes see it", async () => {
    const { grant_id, token } = await create();
    const other = stand.node().grants;
    const lastUse = async () => {
      const { last_used_at } = await call<{ last_used_at: string | null }>("get_grant", { grant_id });
      return last_used_at === null ? null : Date.parse(last_used_at);
    };
    const use = async (node = stand.grants) => {
      await node.resolve(token, stand.now());
      await node.flush();
    };
    expect(await lastUse()).toBeNull();
    const first = stand.now();
    await use();
    const written = (await lastUse())!;
    expect(written).toBeGreaterThanOrEqual(first);
    stand.advance(30_000);
    await use();
    await use(other);
    expect(await lastUse()).toBe(written);
    stand.advance(30_001);
    await use(other);
    const again = (await lastUse())!;
    expect(again).toBeGreaterThanOrEqual(written + limits.lastUsedEveryMs);
  });

  it("waits for nobody: what is being changed is left out", async () => {
    const { grant_id, token } = await create();
    await stand.platform.database.transaction(async (tx) => {
      await tx.query("select 1 from ambit.gateway_grants where id = $1 for update", [grant_id]);
      await resolve(token);
      await stand.grants.flush();
    });
    expect(await call("get_grant", { grant_id })).toMatchObject({ last_used_at: null });
  });

  it("is written when the node stops", async () => {
    const { grant_id, token } = await create();
    const node = stand.node().grants;
    node.start();
    await node.resolve(token, stand.now());
    await node.stop();
    expect(await call("get_grant", { grant_id })).toMatchObject({ last_used_at: expect.any(String) });
  });
});

describe("looking at grants", () => {
  it("lists them newest first, a page at a time, without what was revoked", async () => {
    const own = await stand.server();
    const made: string[] = [];
    for (let n = 0; n < 5; n++) {
      made.unshift((await create({ server_id: own, policy_id: null })).grant_id);
      await new Promise((resolveIn) => setTimeout(resolveIn, 2));
    }
    await call("revoke_grant", { grant_id: made[1]! });
    const left = made.filter((_, at) => at !== 1);
    const first = await call<{ grants: { grant_id: string }[]; next_before: string }>("list_grants", {
      ...{ server_id: own, limit: "3" },
    });
    expect(first.grants.map(({ grant_id }) => grant_id)).toEqual(left.slice(0, 3));
    const rest = await call<{ grants: object[] }>("list_grants", {
      server_id: own,
      before: first.next_before,
    });
    expect(rest).toMatchObject({
      grants: [{ grant_id: left[3], status: "live", policy_name: null }],
      next_before: null,
    });
  });

  it("shows how much of a grant's own limits is used", async () => {
    const { grant_id } = await create();
    const minute = Math.floor(stand.now() / 60_000);
    await stand.quotas.reserve([
      reservation(`grant:${grant_id}/spend/minute`, { cost: 3, window: minute }),
      reservation(`grant:${grant_id}/spend/minute`, { cost: 9, window: minute - 5 }),
      reservation(`server:${serverId}/all/minute`, { cost: 1, window: minute }),
    ]);
    expect(await call("get_grant", { grant_id })).toMatchObject({
      used: [{ counter: "spend/minute", used: 3, window_start: new Date(minute * 60_000).toISOString() }],
    });
  });

  it("works for the built-in server by its short name", async () => {
    const builtin = await stand.servers.builtin(stand.organizationId);
    const made = await create({ server_id: "ambit", policy_id: null });
    expect(made.proxy_url).toBe(`http://127.0.0.1:4000/mcp/${builtin.id}/`);
    expect(await resolve(made.token)).toMatchObject({ serverId: builtin.id });
    const listed = await call<{ grants: object[] }>("list_grants", { server_id: "ambit" });
    expect(listed.grants).toMatchObject([{ grant_id: made.grant_id, server_id: builtin.id }]);
  });
});

describe("who may", () => {
  const administering = ["create_grant", "rotate_grant", "revoke_grant"];
  const attaching = ["attach_policy", "update_grant"];
  const reads = ["get_grant", "list_grants"];
  const inputOf = (grant_id: string) => ({
    grant_id,
    server_id: serverId,
    label: newLabel(),
    policy_id: policyId,
  });
  const as = (verb: string, input: object, over: Partial<KeyPrincipal>) => code(call(verb, input, over));

  it("make, rotate and revoke: people who administer", async () => {
    for (const verb of administering) {
      const { grant_id } = await create();
      const input = inputOf(grant_id);
      expect([verb, await as(verb, input, { keyKind: "agent" })]).toEqual([verb, "AUTH_PERSON_REQUIRED"]);
      for (const role of ["viewer", "developer", "policy_manager"] as const)
        expect(await as(verb, input, { role })).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
      expect(await as(verb, input, { scopes: ["app:app_1"] })).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
      expect([verb, await as(verb, input, { role: "admin" })]).toEqual([verb, "done"]);
    }
  });

  it("attach policies: people with the right to policies; label and expiry only administrators", async () => {
    const { grant_id } = await create({ policy_id: null });
    const manager = { role: "policy_manager" } as const;
    for (const verb of attaching) {
      const input = { grant_id, policy_id: policyId };
      expect([verb, await as(verb, input, { keyKind: "agent" })]).toEqual([verb, "AUTH_PERSON_REQUIRED"]);
      for (const role of ["viewer", "developer"] as const)
        expect(await as(verb, input, { role })).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
      expect([verb, await as(verb, input, manager)]).toEqual([verb, "done"]);
    }
    for (const more of [{ label: newLabel() }, { expires_at: inMs(9_000) }, { expires_at: null }]) {
      expect(await as("update_grant", { grant_id, policy_id: null, ...more }, manager)).toBe(
        "AUTH_INSUFFICIENT_PERMISSIONS",
      );
      expect(await as("update_grant", { grant_id, ...more }, { role: "admin" })).toBe("done");
    }
    expect(await call("get_grant", { grant_id })).toMatchObject({ policy_id: policyId });
  });

  it("read: every member, also through an agent; no key of one app", async () => {
    const { grant_id } = await create();
    for (const verb of reads) {
      expect(await as(verb, { grant_id }, { role: "viewer", keyKind: "agent" })).toBe("done");
      expect(await as(verb, { grant_id }, { scopes: ["app:app_1"] })).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
    }
  });

  it("nobody of another organisation sees or touches anything", async () => {
    const { grant_id, token } = await create();
    const other = await stand.member("owner", await stand.organization());
    for (const verb of [...administering, ...attaching, ...reads]) {
      expect([verb, await as(verb, inputOf(grant_id), other)]).toEqual([verb, "RESOURCE_NOT_FOUND"]);
    }
    expect(await call("list_grants", {}, other)).toEqual({ grants: [], next_before: null });
    const own = await stand.server(other.organizationId);
    expect(await as("create_grant", { server_id: own, label: "x", policy_id: policyId }, other)).toBe(
      "RESOURCE_NOT_FOUND",
    );
    expect(await resolve(token)).toMatchObject({ policyId });
  });

  it("is on record, by the grant", async () => {
    const { grant_id } = await create();
    const before = stand.caller.audited.length;
    await call("attach_policy", { grant_id, policy_id: null });
    await call("rotate_grant", { grant_id });
    await call("revoke_grant", { grant_id });
    await code(call("revoke_grant", { grant_id }));
    const lines = stand.caller.audited.slice(before).map(({ eventType, action, resourceId, success }) => ({
      ...{ eventType, action, resourceId, success },
    }));
    expect(lines).toEqual([
      { eventType: "gateway.attach_policy", action: "update", resourceId: grant_id, success: true },
      { eventType: "gateway.rotate_grant", action: "update", resourceId: grant_id, success: true },
      { eventType: "gateway.revoke_grant", action: "delete", resourceId: grant_id, success: true },
      { eventType: "gateway.revoke_grant", action: "delete", resourceId: grant_id, success: false },
    ]);
  });
});

describe("the number of grants", () => {
  it("is bounded per server, also when many come at once", async () => {
    const own = await stand.server();
    await stand.platform.database.query(
      `insert into ambit.gateway_grants (id, organization_id, server_id, label, account_id, token_hash, created_at)
       select 'gra_' || lpad(n::text, 26, '0'), $1, $2, 'g' || n, $3, 'h' || n, now() from generate_series(1, $4::int) n`,
      [stand.organizationId, own, stand.owner.accountId, limits.grantsPerServer - 1],
    );
    const making = () => code(create({ server_id: own, policy_id: null }));
    const outcomes = await Promise.all([making(), making(), making()]);
    expect(outcomes.toSorted()).toEqual(["QUOTA_GATEWAY_GRANTS", "QUOTA_GATEWAY_GRANTS", "done"]);
    const metrics = await stand.platform.metrics.registry.metrics();
    expect(metrics).toContain('ambit_limit_hit_total{limit="gateway_grants"} 2');
  });
});
