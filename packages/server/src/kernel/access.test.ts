import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type AccessQuestion,
  appsOf,
  decideAccess,
  organizationKeyOf,
  type Right,
  scopesReachApp,
} from "./access.ts";
import { ANONYMOUS, type KeyPrincipal, ROLES } from "./principal.ts";

const RIGHTS = ["view", "develop", "policy", "administer", "own"] as const;
const key = (over: Partial<KeyPrincipal> = {}): KeyPrincipal => ({
  kind: "key",
  keyId: "k",
  keyKind: "person",
  accountId: "a",
  organizationId: "o1",
  role: "owner",
  scopes: ["*"],
  expiresAtMs: null,
  ...over,
});
const app = { id: "app_a", organizationId: "o1" };
const ask = (over: Partial<AccessQuestion>): string => {
  const question: AccessQuestion = {
    principal: key(),
    right: "view",
    personOnly: false,
    app,
    organizationId: null,
    nowMs: 1_000,
    ...over,
  };
  return decideAccess(question)?.code ?? "ok";
};
const anyQuestion = fc.record({
  principal: fc.record({
    kind: fc.constant("key" as const),
    keyId: fc.constant("k"),
    keyKind: fc.constantFrom("person" as const, "agent" as const),
    accountId: fc.constant("a"),
    organizationId: fc.constantFrom("o1", "o2"),
    role: fc.constantFrom(...ROLES),
    scopes: fc.subarray(["*", "app:app_a", "app:app_b", "read", "ai:gateway", "substrate"]),
    expiresAtMs: fc.constantFrom(null, 500, 1_500),
  }),
  right: fc.constantFrom<Right>(...RIGHTS),
  personOnly: fc.boolean(),
  app: fc.constantFrom(app, { id: "app_b", organizationId: "o2" }, null),
  organizationId: fc.constantFrom("o1", "o2", null),
  nowMs: fc.constant(1_000),
});

describe("decideAccess", () => {
  it("lets nobody into what is not public, and no end user into the management interface", () => {
    expect(ask({ principal: ANONYMOUS })).toBe("AUTH_REQUIRED");
    expect(ask({ principal: ANONYMOUS, right: "public" })).toBe("ok");
    const user = { kind: "user" as const, appId: "app_a", userId: "u", claims: {}, expiresAtMs: 9e9 };
    expect(ask({ principal: user })).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
  });

  it("keeps roles apart", () => {
    const may = (role: KeyPrincipal["role"]) =>
      RIGHTS.filter((right) => ask({ principal: key({ role }), right }) === "ok");
    expect(may("viewer")).toEqual(["view"]);
    expect(may("developer")).toEqual(["view", "develop"]);
    expect(may("policy_manager")).toEqual(["view", "policy"]);
    expect(may("admin")).toEqual(["view", "develop", "policy", "administer"]);
    expect(may("owner")).toEqual([...RIGHTS]);
  });

  it("says what is wrong with a key", () => {
    const forbidden = "AUTH_INSUFFICIENT_PERMISSIONS";
    expect(ask({ principal: key({ expiresAtMs: 1_000 }) })).toBe("AUTH_INVALID_API_KEY");
    expect(ask({ principal: key({ keyKind: "agent" }), personOnly: true })).toBe("AUTH_PERSON_REQUIRED");
    expect(ask({ principal: key({ scopes: ["app:app_b"] }) })).toBe(forbidden);
    expect(ask({ principal: key({ scopes: ["app:app_a"] }), app: null })).toBe(forbidden);
    expect(ask({ principal: key({ scopes: ["*", "read"] }), right: "develop" })).toBe(forbidden);
    expect(ask({ principal: key({ scopes: ["substrate"] }) })).toBe(forbidden);
  });

  it("never lets a key out of its organisation, past its life, its scopes or its kind", () => {
    fc.assert(
      fc.property(anyQuestion, (question) => {
        if (decideAccess(question) !== null) return true;
        const { principal } = question;
        const target = question.app?.organizationId ?? question.organizationId;
        return (
          (target === null || target === principal.organizationId) &&
          (principal.expiresAtMs === null || principal.expiresAtMs > question.nowMs) &&
          (!question.personOnly || principal.keyKind === "person") &&
          (!principal.scopes.includes("read") || question.right === "view") &&
          (question.app === null
            ? principal.scopes.includes("*")
            : scopesReachApp(principal.scopes, question.app.id))
        );
      }),
    );
  });
});

describe("keys bound to apps", () => {
  it("are told from keys of the whole organisation", () => {
    expect(appsOf(["*", "app:app_a"])).toBeNull();
    expect(appsOf(["substrate"])).toBeNull();
    expect(appsOf(["read", "app:app_a", "substrate", "app:app_b"])).toEqual(["app_a", "app_b"]);
    const whole = key({ scopes: ["substrate"] });
    expect(organizationKeyOf({ principal: whole })).toBe(whole);
    expect(() => organizationKeyOf({ principal: key({ scopes: ["app:app_a", "substrate"] }) })).toThrow(
      /bound to one app/,
    );
    expect(() => organizationKeyOf({ principal: ANONYMOUS })).toThrow();
  });
});
