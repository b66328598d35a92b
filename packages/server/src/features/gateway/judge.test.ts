import type { PolicyDocument } from "@ambit/policy";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newUuid } from "../../kernel/ids.ts";
import { limits } from "./limits.ts";
import { type GatewayStand, gatewayStand } from "./testing/stand.ts";
import { decisionOf, forwarded, mayHaveRun, neverRan, ran, runs } from "./testing/verdicts.ts";

let stand: GatewayStand;
beforeAll(async () => {
  stand = await gatewayStand();
});
afterAll(() => stand.stop());

const COUNTED: PolicyDocument = {
  version: "1",
  default: "deny",
  tools: { act: { limits: [{ counter: "acts", window: "day", max: 100, scope: "grant" }] }, free: {} },
};
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error) => error.code,
  );

describe("who is admitted", () => {
  it("is a live grant, at its own server's address", async () => {
    const grant = await stand.grant(COUNTED);
    const { gateway } = stand;
    const admitted = await gateway.admit(`bearer ${grant.token}`, grant.serverId.toUpperCase(), "10.0.0.1");
    expect(admitted).toMatchObject({
      grant: { id: grant.id },
      server: { id: grant.serverId },
      policy: { policyId: grant.policyId, version: 1 },
    });
    const builtin = await stand.grant(COUNTED, { serverId: await stand.server({ transport: "builtin" }) });
    expect((await gateway.admit(`Bearer ${builtin.token}`, "ambit", "10.0.0.1")).server.id).toBe(
      builtin.serverId,
    );
    expect((await gateway.admit(`Bearer ${builtin.token}`, builtin.serverId, "10.0.0.1")).server.id).toBe(
      builtin.serverId,
    );
    const verbs = await stand.grant(COUNTED, {
      serverId: await stand.server({ transport: "builtin", face: "verbs" }),
    });
    expect((await gateway.admit(`Bearer ${verbs.token}`, "ambit-verbs", "10.0.0.1")).server.id).toBe(
      verbs.serverId,
    );
    // Names of tools differ between the two: a policy for one is never asked about the other.
    expect(await codeOf(gateway.admit(`Bearer ${verbs.token}`, "ambit", "10.0.0.1"))).toBe(
      "GATEWAY_GRANT_INVALID",
    );
    expect(await codeOf(gateway.admit(`Bearer ${builtin.token}`, "ambit-verbs", "10.0.0.1"))).toBe(
      "GATEWAY_GRANT_INVALID",
    );
  });

  it("is nobody else, and everybody else hears the same", async () => {
    const grant = await stand.grant(COUNTED);
    const other = await stand.grant(COUNTED);
    const expired = await stand.grant(COUNTED, { expiresAtMs: stand.now() + 1 });
    stand.advance(1);
    const revoked = await stand.grant(COUNTED);
    await stand.grants.revoke(stand.organizationId, revoked.id, stand.now());
    const { database } = stand.platform;
    const foreign = await stand.grant(COUNTED);
    const another = newUuid();
    await database.query("insert into ambit.organizations (id, name) values ($1, 'Another')", [another]);
    await database.query("update ambit.gateway_servers set organization_id = $1 where id = $2", [
      another,
      foreign.serverId,
    ]);
    const gone = await stand.grant(COUNTED);
    await stand.admit(gone);
    await database.query("update ambit.gateway_grants set policy_id = null where id = $1", [gone.id]);
    await database.query("delete from ambit.gateway_servers where id = $1", [gone.serverId]);
    const tries: [authorization: string | undefined, server: string][] = [
      [undefined, grant.serverId],
      ["", grant.serverId],
      [grant.token, grant.serverId],
      [`Basic ${grant.token}`, grant.serverId],
      ["Bearer amb_gr_nobody", grant.serverId],
      [`Bearer ${grant.token.slice(0, -1)}_`, grant.serverId],
      ["Bearer bb_sk_0000", grant.serverId],
      [`Bearer ${"x".repeat(10_000)}`, grant.serverId],
      [`Bearer ${grant.token}`, other.serverId],
      [`Bearer ${grant.token}`, "ambit"],
      [`Bearer ${grant.token}`, ""],
      [`Bearer ${expired.token}`, expired.serverId],
      [`Bearer ${revoked.token}`, revoked.serverId],
      [`Bearer ${foreign.token}`, foreign.serverId],
      [`Bearer ${gone.token}`, gone.serverId],
    ];
    const heard = await Promise.all(
      tries.map(([authorization, server]) =>
        stand.gateway.admit(authorization, server, "10.0.0.2").then(
          () => "admitted",
          (error) => JSON.stringify([error.code, error.status, error.message, error.details, error.headers]),
        ),
      ),
    );
    expect(new Set(heard)).toEqual(new Set([heard[0]]));
    expect(heard[0]).toContain("GATEWAY_GRANT_INVALID");
    expect(heard[0]).toContain("401");
  });

  it("may not try tokens without end; live grants behind the same address go on", async () => {
    const grant = await stand.grant(COUNTED);
    const attempt = () => codeOf(stand.gateway.admit("Bearer amb_gr_guess", grant.serverId, "10.0.0.3"));
    for (let n = 0; n < limits.wrongTokensPerMinute; n++)
      expect(await attempt()).toBe("GATEWAY_GRANT_INVALID");
    expect(await attempt()).toBe("QUOTA_RATE_LIMIT");
    await stand.gateway.admit(`Bearer ${grant.token}`, grant.serverId, "10.0.0.3");
  });

  it("opens so many sessions an hour, over all nodes", async () => {
    const grant = await stand.grant(COUNTED);
    const admission = await stand.admit(grant);
    const node = stand.node();
    const codes = await Promise.all(
      Array.from({ length: limits.sessionsPerHour + 5 }, (_, n) =>
        codeOf((n % 2 === 0 ? stand : node).gateway.openSession(admission)),
      ),
    );
    expect(codes.filter((code) => code === "done")).toHaveLength(limits.sessionsPerHour);
    const refusal = await stand.gateway.openSession(admission).catch((error) => error);
    expect(refusal).toMatchObject({
      code: "QUOTA_RATE_LIMIT",
      headers: { "Retry-After": expect.stringMatching(/^\d+$/) },
    });
    stand.advance(3_600_000);
    expect(await codeOf(stand.gateway.openSession(admission))).toBe("done");
  });

  it("is not any more once its grant is revoked, rotated, over or its server gone", async () => {
    const grant = await stand.grant(COUNTED);
    const admission = await stand.admit(grant);
    const holds = () => stand.gateway.stillHolds(admission);
    const { grants, organizationId } = stand;
    expect(await holds()).toBe(true);
    await stand.detach(grant);
    expect(await holds()).toBe(true);
    await grants.update(organizationId, grant.id, { expiresAtMs: stand.now() + 1 }, stand.now());
    expect(await holds()).toBe(true);
    stand.advance(1);
    expect(await holds()).toBe(false);
    await grants.update(organizationId, grant.id, { expiresAtMs: null }, stand.now());
    expect(await holds()).toBe(true);
    await grants.rotate(organizationId, grant.id, stand.now());
    expect(await holds()).toBe(false);
    const revoked = await stand.admit(await stand.grant(COUNTED));
    await grants.revoke(organizationId, revoked.grant.id, stand.now());
    expect(await stand.gateway.stillHolds(revoked)).toBe(false);
    const second = await stand.admit(await stand.grant(COUNTED));
    await stand.platform.database.query("update ambit.gateway_grants set policy_id = null where id = $1", [
      second.grant.id,
    ]);
    await stand.platform.database.query("delete from ambit.gateway_servers where id = $1", [
      second.server.id,
    ]);
    expect(await stand.gateway.stillHolds(second)).toBe(false);
  });
});

describe("a call that is let through", () => {
  it("gives its quota back, once, only when it never ran", async () => {
    const grant = await stand.grant(COUNTED);
    const used = () => stand.used(`grant:${grant.id}/acts/day`);
    for (const end of [ran("done"), mayHaveRun, { ...mayHaveRun, ran: "yes", status: 502 } as const]) {
      const before = await used();
      await runs(await stand.call(grant, "act"), end);
      expect(await used()).toBe(before + 1);
    }
    const before = await used();
    const { call } = forwarded(await stand.call(grant, "act"));
    expect(call.keepsResult).toBe(false);
    await Promise.all([call.settle(neverRan), call.settle(neverRan)]);
    await call.settle(neverRan);
    expect(await used()).toBe(before);
  });

  it("is recorded as failed before its answer leaves, and how it ended", async () => {
    const grant = await stand.grant(COUNTED);
    const ends = [
      { ...ran("x"), problem: "isError" },
      { ...ran("x"), problem: "-32602", result: null },
      { ...mayHaveRun, status: 502, problem: "broken" },
    ];
    stand.ended.length = 0;
    for (const end of ends) await runs(await stand.call(grant, "free"), end);
    const entries = await stand.entries(grant.id);
    expect(entries.map(({ kind }) => kind)).toEqual([
      "gateway.allow",
      "gateway.allow",
      "gateway.allow",
      "gateway.error",
    ]);
    expect(entries[3]!.data).toMatchObject({
      tool: "free",
      message: expect.stringMatching(/broken \(HTTP 502\).*may have run/),
    });
    expect(stand.ended.map(({ status, problem }) => [status, problem])).toEqual([
      [200, "isError"],
      [200, "-32602"],
      [502, "broken"],
    ]);
    expect(
      stand.ended.every(({ decisionId, latencyMs }) => decisionId.startsWith("led_") && latencyMs >= 0),
    ).toBe(true);
  });

  it("keeps values of arguments out of the log, or sealed where the server captures them", async () => {
    const args = { zeta: "secret-value", alpha: { deep: "secret-value" } };
    const open: PolicyDocument = { version: "1", default: "allow" };
    const grant = await stand.grant(open);
    await forwarded(await stand.call(grant, "any", args)).recorded;
    const [entry] = await stand.entries(grant.id);
    expect(entry).toMatchObject({ data: { argument_keys: ["alpha", "zeta"] }, sealed: {} });
    const capturing = await stand.grant(open, { serverId: await stand.server({ captures: true }) });
    await forwarded(await stand.call(capturing, "any", args)).recorded;
    const [captured] = await stand.entries(capturing.id);
    expect(Object.keys(captured!.sealed)).toEqual(["args"]);
    expect(JSON.stringify([entry, captured])).not.toContain("secret-value");
  });

  it("may have names of any kind and number", async () => {
    const grant = await stand.grant({ version: "1", default: "allow" });
    const args = Object.fromEntries(
      Array.from({ length: 500 }, (_, n) => [`${"k".repeat(n * 7)}\0\ud800${n}`, n]),
    );
    await forwarded(await stand.call(grant, `\ud800\0${"t".repeat(100_000)}`, args)).recorded;
    const [entry] = await stand.entries(grant.id);
    const keys = entry!.data.argument_keys as string[];
    expect(keys).toHaveLength(limits.argumentKeys);
    expect(Math.max(...keys.map(({ length }) => length))).toBeLessThanOrEqual(limits.argumentKeyChars);
  });
});

describe("fail closed", () => {
  it("limited calls are denied while counters can't be asked, others go on", async () => {
    const grant = await stand.grant(COUNTED);
    const node = stand.node({ counters: { host: "127.0.0.1", port: 1 } });
    const verdict = decisionOf(await stand.call(grant, "act", {}, { node }));
    expect(verdict).toMatchObject({ outcome: "deny", rule: "/tools/act/limits/acts" });
    expect(verdict.text).toContain("can't be counted right now");
    await forwarded(await stand.call(grant, "free", {}, { node })).recorded;
    expect(await stand.entries(grant.id)).toMatchObject([
      { kind: "gateway.deny", data: { tool: "act" } },
      { kind: "gateway.allow", data: { tool: "free" } },
    ]);
    await node.quotas.stop();
  });

  it("what can't be recorded is not answered, and what was forwarded is not either", async () => {
    const grant = await stand.grant(COUNTED);
    const unrecorded = stand.node({ record: () => Promise.reject(new Error("no ledger")) });
    await expect(stand.call(grant, "unlisted", {}, { node: unrecorded })).rejects.toThrow("no ledger");
    const unhandled: unknown[] = [];
    const hear = (error: unknown) => void unhandled.push(error);
    process.on("unhandledRejection", hear);
    const { recorded, call } = forwarded(await stand.call(grant, "free", {}, { node: unrecorded }));
    await new Promise((resolve) => setTimeout(resolve, 20));
    await call.settle(ran("done"));
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off("unhandledRejection", hear);
    expect(unhandled).toEqual([]);
    await expect(recorded).rejects.toThrow("no ledger");
  });
});

describe("the way of an ordinary call", () => {
  it("asks Postgres nothing, and once when it is limited", async () => {
    const grant = await stand.grant({
      ...COUNTED,
      tools: {
        ...COUNTED.tools,
        free: { deny_if: [{ conditions: [{ path: "args.bad", op: "eq", value: true }] }] },
      },
    });
    let statements = 0;
    const node = stand.node({ onStatement: () => statements++, record: async () => "led_1" });
    const admission = await stand.admit(grant, node);
    statements = 0;
    const service = node.gateway;
    const asked = {
      requestId: "r",
      method: "tools/call",
      sessionId: null,
      requestState: null,
      opensUrls: false,
    };
    await service.judge(admission, { ...asked, tool: "free", args: { bad: false } });
    await service.judge(admission, { ...asked, tool: "free", args: { bad: true } });
    await service.judge(admission, { ...asked, tool: "nothing", args: null });
    expect(statements).toBe(0);
    const { call } = forwarded(await service.judge(admission, { ...asked, tool: "act", args: {} }));
    expect(statements).toBe(1);
    await call.settle(ran("done"));
    expect(statements).toBe(1);
  });
});

describe("a list of tools", () => {
  const tools = [
    { name: "zeta", description: "z", extra: [1] },
    { name: "secret" },
    { name: "act", _meta: { a: 1 } },
    { noName: true },
    null,
    "act",
    { name: "unlisted" },
    { name: "altered" },
  ];
  it("has what the grant may call, in its order, with everything else as it was", async () => {
    const grant = await stand.grant({
      version: "1",
      default: "deny",
      hide: ["secret"],
      tools: { zeta: {}, act: { deny_if: [{ conditions: [] }] }, altered: {}, secret: {} },
    });
    stand.servers.setTool("altered", "changed");
    const result = { nextCursor: "c", tools, _meta: { x: 1 }, ttlMs: 5 };
    const filtered = await stand.gateway.filterTools(await stand.admit(grant), result);
    expect(JSON.stringify(filtered)).toBe(
      JSON.stringify({ nextCursor: "c", tools: [tools[0], tools[2]], _meta: { x: 1 }, ttlMs: 5 }),
    );
    await stand.detach(grant);
    expect((await stand.gateway.filterTools(await stand.admit(grant), result)).tools).toEqual([]);
  });
});
