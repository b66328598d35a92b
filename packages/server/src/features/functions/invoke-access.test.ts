import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { KeyPrincipal, Principal } from "../../kernel/principal.ts";
import { decideInvoke, HTTP_AUTH, type InvokeQuestion } from "./invoke-access.ts";

const app = { id: "app_a", organizationId: "org", paused: false, pausedReason: null };
const key = (more: Partial<KeyPrincipal> = {}): KeyPrincipal => ({
  kind: "key",
  keyId: "k",
  keyKind: "agent",
  accountId: "acc",
  organizationId: "org",
  role: "developer",
  scopes: ["*"],
  expiresAtMs: null,
  ...more,
});
const user = (appId = "app_a", expiresAtMs = 2_000): Principal => ({
  kind: "user",
  appId,
  userId: "u",
  claims: { sub: "u" },
  expiresAtMs,
});
const anonymous: Principal = { kind: "anonymous" };
const ask = (more: Partial<InvokeQuestion>) =>
  decideInvoke({
    auth: "required",
    principal: anonymous,
    app,
    asUser: undefined,
    allowImpersonation: true,
    nowMs: 1_000,
    ...more,
  });
const codeOf = (more: Partial<InvokeQuestion>) => {
  const decision = ask(more);
  return "refusal" in decision
    ? `${decision.refusal.status} ${decision.refusal.code}`
    : decision.principal.kind;
};

describe("decideInvoke", () => {
  it("lets in whom the trigger is for", () => {
    expect(codeOf({})).toBe("401 AUTH_REQUIRED");
    expect(codeOf({ auth: "optional" })).toBe("anonymous");
    expect(codeOf({ auth: "none" })).toBe("anonymous");
    expect(codeOf({ principal: user() })).toBe("user");
    expect(codeOf({ principal: key() })).toBe("key");
    expect(codeOf({ principal: key({ scopes: ["app:app_a"] }) })).toBe("key");
  });

  it("refuses what is not for this app, even where nothing is asked for", () => {
    for (const auth of HTTP_AUTH) {
      expect(codeOf({ auth, principal: user("app_b") })).toBe("401 AUTH_INVALID_END_USER_JWT");
      expect(codeOf({ auth, principal: user("app_a", 1_000) })).toBe("401 AUTH_END_USER_JWT_EXPIRED");
      expect(codeOf({ auth, principal: key({ organizationId: "other" }) })).toContain("403");
      expect(codeOf({ auth, principal: key({ scopes: ["app:app_b"] }) })).toContain("403");
      expect(codeOf({ auth, principal: key({ scopes: ["*", "read"] }) })).toContain("403");
      expect(codeOf({ auth, principal: key({ role: "viewer" }) })).toContain("403");
      expect(codeOf({ auth, principal: key({ expiresAtMs: 1_000 }) })).toContain("401");
    }
  });

  it("lets a key be a user, with claims made here, unless the function forbids it", () => {
    const decision = ask({ principal: key(), asUser: "u7" });
    expect(decision).toMatchObject({
      principal: { kind: "user", userId: "u7", claims: { sub: "u7", app_id: "app_a", role: "user" } },
      key: { keyId: "k" },
      developer: true,
    });
    expect(codeOf({ principal: key(), asUser: "u7", allowImpersonation: false })).toBe(
      "403 AUTH_IMPERSONATION_DISABLED",
    );
    expect(codeOf({ principal: key(), asUser: "" })).toBe("400 VALIDATION_INVALID_SCHEMA");
    expect(codeOf({ principal: key(), asUser: "x".repeat(500) })).toBe("400 VALIDATION_INVALID_SCHEMA");
    for (const principal of [anonymous, user()])
      expect(codeOf({ auth: "none", principal, asUser: "u7" })).toBe("403 AUTH_IMPERSONATION_FORBIDDEN");
  });

  it("gives nobody more than they have shown", () => {
    const principals = fc.oneof(
      fc.constant(anonymous),
      fc.record({
        kind: fc.constant("user" as const),
        appId: fc.constantFrom("app_a", "app_b"),
        userId: fc.string(),
        claims: fc.constant({}),
        expiresAtMs: fc.integer({ min: 0, max: 3_000 }),
      }),
      fc.record({
        kind: fc.constant("key" as const),
        keyId: fc.string(),
        keyKind: fc.constantFrom("person" as const, "agent" as const),
        accountId: fc.string(),
        organizationId: fc.constantFrom("org", "other"),
        role: fc.constantFrom(
          "viewer" as const,
          "developer" as const,
          "policy_manager" as const,
          "owner" as const,
        ),
        scopes: fc.subarray(["*", "read", "app:app_a", "app:app_b"]),
        expiresAtMs: fc.option(fc.integer({ min: 0, max: 3_000 })),
      }),
    );
    fc.assert(
      fc.property(
        principals,
        fc.constantFrom(...HTTP_AUTH),
        fc.option(fc.string(), { nil: undefined }),
        fc.boolean(),
        fc.boolean(),
        (principal, auth, asUser, allowImpersonation, paused) => {
          const decision = ask({ principal, auth, asUser, allowImpersonation, app: { ...app, paused } });
          if ("refusal" in decision) return;
          expect(paused).toBe(false);
          // A key is let in as itself or as the user it named; nobody else changes at all.
          if (principal.kind !== "key") {
            expect(decision).toEqual({ principal, key: null, developer: false });
            expect(asUser).toBeUndefined();
          } else {
            expect(principal.organizationId).toBe("org");
            expect(principal.scopes).not.toContain("read");
            expect(decision.key).toBe(principal);
            expect(decision.principal.kind).toBe(asUser === undefined ? "key" : "user");
          }
          if (decision.principal.kind === "user") expect(decision.principal.appId).toBe("app_a");
          if (auth === "required") expect(decision.principal.kind).not.toBe("anonymous");
        },
      ),
    );
  });
});
