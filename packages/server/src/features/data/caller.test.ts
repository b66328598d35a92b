import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { App } from "../../kernel/operation.ts";
import { ANONYMOUS, type KeyPrincipal, type Principal, type UserPrincipal } from "../../kernel/principal.ts";
import { type CallerQuestion, decideCaller } from "./caller.ts";

const APP: App = {
  id: "app_one",
  organizationId: "org",
  name: "one",
  subdomain: "one",
  accessMode: "public",
  paused: false,
  pausedReason: null,
  status: "ready",
  allowedOrigins: [],
};
const KEY: KeyPrincipal = {
  kind: "key",
  keyId: "k",
  keyKind: "agent",
  accountId: "a",
  organizationId: "org",
  role: "developer",
  scopes: ["*"],
  expiresAtMs: null,
};
const USER: UserPrincipal = {
  kind: "user",
  appId: "app_one",
  userId: "u1",
  claims: { sub: "u1", plan: "pro" },
  expiresAtMs: 2_000,
};

const decide = (question: Partial<CallerQuestion>) =>
  decideCaller({
    principal: KEY,
    app: APP,
    asRole: undefined,
    asUser: undefined,
    right: "view",
    nowMs: 1_000,
    ...question,
  });
const outcome = (question: Partial<CallerQuestion>) => {
  const decision = decide(question);
  return "identity" in decision ? decision.identity : decision.refusal.code;
};

describe("decideCaller", () => {
  it.each<[Partial<CallerQuestion>, unknown]>([
    [{}, { role: "service", claims: null }],
    [{ asRole: "anon" }, { role: "anon", claims: null }],
    [
      { asRole: "user", asUser: "u9" },
      { role: "user", claims: { sub: "u9", app_id: "app_one", role: "user" } },
    ],
    [{ principal: USER }, { role: "user", claims: USER.claims }],
    [{ principal: ANONYMOUS }, { role: "anon", claims: null }],
    [{ principal: ANONYMOUS, app: { ...APP, accessMode: "authenticated" } }, "AUTH_REQUIRED"],
    [
      { principal: USER, app: { ...APP, accessMode: "authenticated" } },
      { role: "user", claims: USER.claims },
    ],
    [{ principal: USER, nowMs: 2_000 }, "AUTH_END_USER_JWT_EXPIRED"],
    [{ principal: { ...USER, appId: "app_two" } }, "AUTH_INVALID_END_USER_JWT"],
    [{ principal: USER, asRole: "anon" }, "AUTH_IMPERSONATION_FORBIDDEN"],
    [{ principal: USER, asUser: "u1" }, "AUTH_IMPERSONATION_FORBIDDEN"],
    [{ principal: ANONYMOUS, asRole: "user", asUser: "u1" }, "AUTH_IMPERSONATION_FORBIDDEN"],
    [{ asRole: "user" }, "VALIDATION_INVALID_SCHEMA"],
    [{ asRole: "User", asUser: "u1" }, "VALIDATION_INVALID_SCHEMA"],
    [{ asRole: "service" }, "VALIDATION_INVALID_SCHEMA"],
    [{ asRole: "anon", asUser: "u1" }, "VALIDATION_INVALID_SCHEMA"],
    [{ asUser: "u1" }, "VALIDATION_INVALID_SCHEMA"],
    [{ asRole: "user", asUser: "u".repeat(201) }, "VALIDATION_INVALID_SCHEMA"],
    [{ principal: { ...KEY, scopes: ["*", "read"] }, right: "develop" }, "AUTH_INSUFFICIENT_PERMISSIONS"],
    [{ principal: { ...KEY, scopes: ["*", "read"] } }, { role: "service", claims: null }],
    [{ principal: { ...KEY, scopes: ["app:app_two"] } }, "AUTH_INSUFFICIENT_PERMISSIONS"],
    [{ principal: { ...KEY, organizationId: "other" } }, "AUTH_INSUFFICIENT_PERMISSIONS"],
    [{ principal: { ...KEY, role: "viewer" }, right: "develop" }, "AUTH_INSUFFICIENT_PERMISSIONS"],
    [{ app: { ...APP, paused: true } }, "APP_PAUSED"],
  ])("%j", (question, expected) => {
    expect(outcome(question)).toEqual(expected);
  });

  it("runs as service only for a key that names nobody", () => {
    const principals: fc.Arbitrary<Principal> = fc.constantFrom(KEY, USER, ANONYMOUS);
    const text = fc.oneof(fc.constantFrom("anon", "user", "service", "", "USER", " user"), fc.string());
    fc.assert(
      fc.property(
        principals,
        fc.option(text, { nil: undefined }),
        fc.option(text, { nil: undefined }),
        (principal, asRole, asUser) => {
          const result = decide({ principal, asRole, asUser });
          if ("identity" in result && result.identity.role === "service") {
            expect([principal.kind, asRole, asUser]).toEqual(["key", undefined, undefined]);
          }
        },
      ),
    );
  });
});
