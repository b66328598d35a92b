import { beforeEach, expect, it } from "vitest";
import { z } from "zod";
import { limits } from "./limits.ts";
import { type App, appOperation, type Call, platformOperation } from "./operation.ts";
import { type AuditEntry, createPipeline } from "./pipeline.ts";
import { ANONYMOUS, type KeyPrincipal, type UserPrincipal } from "./principal.ts";

const key: KeyPrincipal = {
  kind: "key",
  keyId: "k",
  keyKind: "agent",
  accountId: "a",
  organizationId: "o",
  role: "viewer",
  scopes: ["*"],
  expiresAtMs: null,
};
const user: UserPrincipal = { kind: "user", appId: "app_x", userId: "u", claims: {}, expiresAtMs: 9e15 };
const call = (principal: Call["principal"]): Call => ({
  principal,
  door: "http",
  requestId: "r",
  ip: "127.0.0.1",
  userAgent: "test",
  nowMs: 0,
  signal: new AbortController().signal,
});

const operation = (right: "public" | "develop", fails = false) =>
  platformOperation({
    name: "test.change",
    title: "Change",
    summary: "Changes something.",
    input: z.object({ name: z.string() }),
    output: z.object({}),
    right,
    risk: "write",
    idempotent: true,
    audit: { category: "admin", action: "update", resourceType: "thing", resourceId: (input) => input.name },
    async run() {
      if (fails) throw new Error("x".repeat(100_000));
      return {};
    },
  });

let entries: AuditEntry[];
const pipeline = createPipeline({
  findApp: async () => null,
  record: async (entry) => void entries.push(entry),
});
const attempt = async (...args: Parameters<typeof pipeline>) => {
  await pipeline(...args).catch(() => {});
  return entries.length;
};
beforeEach(() => {
  entries = [];
});

it("records what a key was refused, but nothing that a stranger was refused before it ran", async () => {
  expect(await attempt(operation("develop"), call(key), { name: "x" })).toBe(1);
  for (const stranger of [ANONYMOUS, user]) {
    expect(await attempt(operation("develop"), call(stranger), { name: "x" })).toBe(1);
    expect(await attempt(operation("public"), call(stranger), { name: 7 })).toBe(1);
  }
  expect(await attempt(operation("public"), call(ANONYMOUS), { name: "x" })).toBe(2);
  expect(await attempt(operation("public", true), call(ANONYMOUS), { name: "x" })).toBe(3);
});

it("bounds everything it records, whatever was sent", async () => {
  await attempt(operation("public", true), call(key), { name: "x".repeat(1_000_000) });
  await attempt(operation("public"), call(key), { name: { not: "a text" } });
  await attempt(operation("public"), call(key), { name: "x", constructor: "not a field" });
  expect(entries[0]!.resourceId).toHaveLength(limits.auditedTextChars);
  expect(entries[0]!.errorMessage).toHaveLength(limits.auditedTextChars);
  expect(JSON.stringify(entries[0]).length).toBeLessThan(10_000);
  expect(entries[1]!.resourceId).toBeNull();
  expect(entries[2]!.eventData).toMatchObject({ input: { name: "x" } });
  expect(Object.keys((entries[2]!.eventData as { input: object }).input)).toEqual(["name"]);
});

it("records what a key tried in another organisation in its own", async () => {
  const app = { id: "app_x", organizationId: "another", paused: false } as App;
  const found = createPipeline({
    findApp: async () => app,
    record: async (entry) => void entries.push(entry),
  });
  const { scope: _, ...declared } = operation("develop");
  const ofApp = appOperation({ ...declared, input: z.object({ app_id: z.string() }) } as never);
  await found(ofApp, call(key), { app_id: "app_x" }).catch(() => {});
  expect(entries).toMatchObject([{ appId: null, organizationId: "o", success: false }]);
  await found(ofApp, call({ ...key, organizationId: "another", role: "owner" }), { app_id: "app_x" });
  expect(entries[1]).toMatchObject({ appId: "app_x", organizationId: "another", success: true });
});
