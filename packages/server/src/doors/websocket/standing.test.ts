import { describe, expect, it } from "vitest";
import type { App } from "../../kernel/operation.ts";
import { ANONYMOUS, type KeyPrincipal, type UserPrincipal } from "../../kernel/principal.ts";
import { endingFor } from "./standing.ts";

const app: App = {
  id: "app_a",
  organizationId: "org",
  name: "a",
  subdomain: "a",
  accessMode: "public",
  paused: false,
  pausedReason: null,
  status: "ready",
  allowedOrigins: [],
};
const user: UserPrincipal = { kind: "user", appId: "app_a", userId: "u", claims: {}, expiresAtMs: 1_000 };
const key: KeyPrincipal = {
  kind: "key",
  keyId: "k",
  keyKind: "agent",
  accountId: "x",
  organizationId: "org",
  role: "viewer",
  scopes: ["*"],
  expiresAtMs: 1_000,
};

describe("endingFor", () => {
  it.each([
    ["anyone on a public app", app, ANONYMOUS, null],
    ["nobody on an unknown app", null, key, [1008, "App not found"]],
    ["nobody on a paused app", { ...app, paused: true }, key, [1013, "App paused"]],
    [
      "anonymous on an app for users",
      { ...app, accessMode: "authenticated" },
      ANONYMOUS,
      [1008, "Auth required"],
    ],
    ["a user", { ...app, accessMode: "authenticated" }, user, null],
    ["a user of another app", app, { ...user, appId: "app_b" }, [1008, "Auth failed"]],
    ["an expired token", app, { ...user, expiresAtMs: 999 }, [1008, "Token expired"]],
    ["a key of the organisation", app, key, null],
    ["a key of another organisation", app, { ...key, organizationId: "other" }, [1008, "Auth failed"]],
    ["a key of another app", app, { ...key, scopes: ["app:app_b"] }, [1008, "Auth failed"]],
    ["an expired key", app, { ...key, expiresAtMs: 999 }, [1008, "Auth failed"]],
  ] as const)("%s", (_case, of, principal, ending) => {
    const decided = endingFor(of, principal, 999.5);
    expect(decided && [decided.code, decided.reason]).toEqual(ending);
  });

  it("tells why an app is paused", () => {
    expect(endingFor({ ...app, paused: true, pausedReason: "moving" }, key, 0)?.message).toBe(
      "App is paused: moving",
    );
  });
});
