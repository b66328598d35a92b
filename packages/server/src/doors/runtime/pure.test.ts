import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { App } from "../../kernel/operation.ts";
import type { KeyPrincipal, Principal } from "../../kernel/principal.ts";
import { type As, type Authority, decideData, ofClass, proposerOf } from "./authority.ts";
import { callHeaders } from "./call-headers.ts";
import { readPath } from "./path.ts";

const app = { id: "app_a", organizationId: "org" };
const anonymous: Principal = { kind: "anonymous" };
const user: Principal = {
  kind: "user",
  appId: "app_a",
  userId: "u1",
  claims: { sub: "u1", plan: "pro" },
  expiresAtMs: 9e15,
};
const key = (more: Partial<KeyPrincipal> = {}): KeyPrincipal => ({
  ...{ kind: "key", keyId: "k", keyKind: "agent", accountId: "a", organizationId: "org", role: "developer" },
  ...{ scopes: ["*"], expiresAtMs: null },
  ...more,
});
const authority = (principal: Principal, mayUseService = false): Authority => ({
  ...{ appId: "app_a", kind: "functions", unit: "f", loopDepth: 0 },
  principal,
  mayUseService,
});
const of = (principal: Principal, as: As, mayUseService = false) => {
  const decision = decideData(authority(principal, mayUseService), as, app, 0);
  return "refusal" in decision
    ? decision.refusal.status
    : `${decision.identity.role}${decision.identity.claims ? `:${decision.identity.claims.sub}` : ""}/${decision.allow}`;
};

describe("decideData", () => {
  it("runs as the caller, and as more only where the owner asked for it or a key calls", () => {
    expect(of(anonymous, undefined)).toBe("anon/write");
    expect(of(user, undefined)).toBe("user:u1/write");
    expect(of(key(), undefined)).toBe("service/write");
    for (const principal of [anonymous, user]) {
      expect(of(principal, "service")).toBe(403);
      expect(of(principal, { user: "u2" })).toBe(403);
      expect(of(principal, "service", true)).toBe("service/write");
      expect(of(principal, { user: "u2" }, true)).toBe("user:u2/write");
      expect(of(principal, "anon")).toBe("anon/write");
    }
    expect(of(key(), "service")).toBe("service/write");
    expect(of(key(), { user: "u2" })).toBe("user:u2/write");
    expect(of(user, { user: "u1" })).toBe("user:u1/write");
    expect(of(user, { user: "" }, true)).toBe(400);
    expect(of(anonymous, undefined, true)).toBe("anon/write");
  });

  it("lets a key that may only look only look", () => {
    expect(of(key({ role: "viewer" }), undefined)).toBe("service/read");
    expect(of(key({ scopes: ["*", "read"] }), { user: "u2" })).toBe("user:u2/read");
    expect(of(key({ organizationId: "other" }), undefined)).toBe(403);
    expect(of(key({ scopes: ["app:app_b"] }), "service")).toBe(403);
  });

  it("never gives service, or another user, to a caller without a key or the owner's word", () => {
    const as = fc.constantFrom<As>(undefined, "anon", "service", { user: "u1" }, { user: "u2" });
    fc.assert(
      fc.property(fc.constantFrom(anonymous, user), as, (principal, asked) => {
        const decision = decideData(authority(principal), asked, app, 0);
        if ("refusal" in decision) return;
        expect(decision.identity.role).not.toBe("service");
        expect(decision.identity.role).not.toBe("owner");
        if (decision.identity.role === "user")
          expect(decision.identity.claims).toBe((user as { claims: object }).claims);
      }),
    );
    expect(of(ofClass("app_a", "room").principal, "service")).toBe(403);
  });
});

describe("proposerOf", () => {
  it("is the code, whoever called it, and never a person", () => {
    const of = { ...app, name: "shop" } as App;
    fc.assert(
      fc.property(fc.constantFrom(anonymous, user, key(), key({ keyKind: "person" })), (principal) => {
        expect(proposerOf(authority(principal), of)).toEqual({
          ...{ kind: "agent", id: "app_a", accountId: null, label: "function f of shop" },
          ...{ sourceAppId: "app_a", sourceRuleId: null },
        });
      }),
    );
    expect(proposerOf(ofClass("app_a", "room"), of).label).toBe("class room of shop");
  });
});

describe("callbacks' paths and headers", () => {
  it("are read in one way", () => {
    expect(readPath("/db/query", "POST")).toEqual({ kind: "query" });
    expect(readPath("/db/query", "GET")).toBeNull();
    expect(readPath("/substrate/memory/search", "POST")).toEqual({
      kind: "substrate",
      verb: "memory/search",
    });
    expect(readPath("/substrate/propose", "POST")).toEqual({ kind: "substrate", verb: "propose" });
    for (const url of ["/substrate/propose?x", "/substrate/", "/substrate/toString", "/substrate/entities"])
      expect(readPath(url, "POST")).toBeNull();
    expect(readPath("/substrate/propose", "GET")).toBeNull();
    expect(readPath("/fn/a/b?c", "GET")).toEqual({ kind: "function", name: "a", rest: "/b?c" });
    expect(readPath("/do/chat-room/a%2Fb/x?y", "GET")).toEqual({
      ...{ kind: "actor", className: "chat-room", instance: "a/b", path: "/chat-room/a%2Fb/x?y" },
    });
    for (const url of ["/", "/do/x", "/fn/", "/fn/%zz", "/db/query/../x"])
      expect(readPath(url, "POST")).toBeNull();
  });

  it("carry no identity that user code wrote", () => {
    const raw = ["X-Butterbase-Caller-User", "u", "x-ambit-invocation", "i", "Host", "ambit", "X-Mine", "1"];
    expect(callHeaders(raw, "h")).toEqual(["host", "h", "X-Mine", "1"]);
  });
});
