import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ANONYMOUS, type Principal, ROLES } from "../../kernel/principal.ts";
import { decideActorAccess, hasLapsed } from "./access.ts";
import { ACCESS_MODES, stricter } from "./names.ts";

const NOW_MS = 1_000_000;
const app = { id: "app_a", organizationId: "org_a" };
const time = fc.integer({ min: NOW_MS - 3, max: NOW_MS + 3 });
const user = fc.record({
  kind: fc.constant("user" as const),
  appId: fc.constantFrom("app_a", "app_b"),
  userId: fc.constant("u"),
  claims: fc.constant({}),
  expiresAtMs: time,
});
const key = fc.record({
  kind: fc.constant("key" as const),
  keyId: fc.constant("k"),
  keyKind: fc.constantFrom("person" as const, "agent" as const),
  accountId: fc.constant("a"),
  organizationId: fc.constantFrom("org_a", "org_b"),
  role: fc.constantFrom(...ROLES),
  scopes: fc.subarray(["*", "app:app_a", "app:app_b", "read", "substrate"]),
  expiresAtMs: fc.option(time),
});
const principal: fc.Arbitrary<Principal> = fc.oneof(fc.constant(ANONYMOUS), user, key);
const mode = fc.constantFrom(...ACCESS_MODES);

describe("who may reach a class", () => {
  it("follows the rules, whoever asks", () => {
    fc.assert(
      fc.property(mode, principal, (accessMode, who) => {
        const allowed = decideActorAccess({ accessMode, principal: who, app, nowMs: NOW_MS }) === null;
        const live = who.kind !== "anonymous" && (who.expiresAtMs === null || who.expiresAtMs > NOW_MS);
        const ownUser = who.kind === "user" && who.appId === app.id && live;
        const ownKey =
          who.kind === "key" &&
          live &&
          who.organizationId === app.organizationId &&
          ["developer", "admin", "owner"].includes(who.role) &&
          !who.scopes.includes("read") &&
          (who.scopes.includes("*") || who.scopes.includes("app:app_a"));
        const wanted = { public: true, authenticated: ownUser || ownKey, service_key: ownKey }[accessMode];
        expect(allowed).toBe(wanted);
      }),
      { numRuns: 2_000 },
    );
  });
  it("tells the nameless to say who they are, and others that they may not", () => {
    const of = (accessMode: "authenticated" | "service_key", who: Principal) =>
      decideActorAccess({ accessMode, principal: who, app, nowMs: NOW_MS })?.status;
    const signedIn: Principal = {
      kind: "user",
      appId: "app_a",
      userId: "u",
      claims: {},
      expiresAtMs: NOW_MS + 1,
    };
    expect(of("authenticated", ANONYMOUS)).toBe(401);
    expect(of("service_key", ANONYMOUS)).toBe(401);
    expect(of("service_key", signedIn)).toBe(403);
    expect(of("authenticated", { ...signedIn, appId: "app_b" })).toBe(401);
    expect(of("authenticated", { ...signedIn, expiresAtMs: NOW_MS })).toBe(401);
  });
  it("lets nobody in under the stricter of two modes whom both would not", () => {
    fc.assert(
      fc.property(mode, mode, principal, (a, b, who) => {
        const may = (accessMode: typeof a) =>
          decideActorAccess({ accessMode, principal: who, app, nowMs: NOW_MS }) === null;
        expect(may(stricter(a, b))).toBe(may(a) && may(b));
      }),
    );
  });
});

it("knows when somebody's time is over", () => {
  fc.assert(
    fc.property(principal, (who) => {
      const over = who.kind !== "anonymous" && who.expiresAtMs !== null && who.expiresAtMs <= NOW_MS;
      expect(hasLapsed(who, NOW_MS)).toBe(over);
    }),
  );
});
