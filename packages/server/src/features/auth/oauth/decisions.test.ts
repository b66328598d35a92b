import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readCookie } from "./cookie.ts";
import { decideAccount } from "./linking.ts";
import { PRESETS, providerOf } from "./presets.ts";
import { primaryEmail, profileOf } from "./profile.ts";
import { callbackUrl, redirectAllowed } from "./redirect.ts";
import type { ProviderRow } from "./store.ts";

const verified = { id: "v", email_verified: true };
const unverified = { id: "u", email_verified: false };

describe("which account a person signs in to", () => {
  it("never joins an address that is not proven on both sides", () => {
    const user = fc.constantFrom(null, verified, unverified);
    fc.assert(
      fc.property(user, user, fc.boolean(), fc.boolean(), (byIdentity, byEmail, emailVerified, strict) => {
        const decision = decideAccount({ emailVerified }, { byIdentity, byEmail }, strict);
        if (decision.kind === "link")
          return emailVerified && decision.user === byEmail && byEmail === verified;
        if (decision.kind === "sign-in")
          return decision.user === byIdentity && (!strict || byIdentity === verified);
        if (decision.kind === "create")
          return byIdentity === null && byEmail === null && (!strict || emailVerified);
        return true;
      }),
    );
  });

  it("goes by the identity before the address, and makes an account where there is none", () => {
    expect(
      decideAccount({ emailVerified: true }, { byIdentity: unverified, byEmail: verified }, false),
    ).toEqual({ kind: "sign-in", user: unverified });
    expect(decideAccount({ emailVerified: false }, { byIdentity: null, byEmail: null }, false)).toEqual({
      kind: "create",
    });
    expect(decideAccount({ emailVerified: true }, { byIdentity: null, byEmail: verified }, true)).toEqual({
      kind: "link",
      user: verified,
    });
  });
});

describe("where tokens may go", () => {
  const app = (allowedOrigins: string[] = []) => ({ allowedOrigins, subdomain: "shop" });
  it.each([
    ["https://a.example/in", ["https://a.example"], "apps.example", true],
    ["https://a.example:444/in", ["https://a.example"], "apps.example", false],
    ["http://a.example/in", ["https://a.example"], "apps.example", false],
    ["https://a.example.evil.example/", ["https://a.example"], "apps.example", false],
    ["https://a.example@evil.example/", ["https://a.example"], "apps.example", false],
    ["https://user@a.example/", ["https://a.example"], "apps.example", false],
    ["https://evil.example/", ["*"], "apps.example", false],
    ["https://shop.apps.example/in", [], "apps.example", true],
    ["https://other.apps.example/in", [], "apps.example", false],
    ["https://apps.example/in", [], "apps.example", false],
    ["http://localhost:3000/in", [], "apps.example", true],
    ["http://127.0.0.1:3000/in", [], "apps.example", true],
    ["http://localhost:3000/in", ["https://a.example"], "apps.example", false],
    ["http://localhost:3000/in", ["https://a.example"], "localhost", true],
    ["http://shop.localhost:4000/in", [], "localhost", true],
    ["http://other.localhost:4000/in", [], "localhost", false],
    ["http://localhost.evil.example/", [], "localhost", false],
    ["javascript:alert(1)", [], "localhost", false],
    ["//evil.example", [], "localhost", false],
    ["myapp://signed-in", [], "localhost", true],
    ["myapp://elsewhere", [], "localhost", false],
  ])("%s with %j under %s: %s", (redirectTo, origins, baseDomain, expected) => {
    expect(redirectAllowed(redirectTo, app(origins), ["myapp://signed-in"], baseDomain)).toBe(expected);
  });

  it("keeps the browser's name for this machine, and a configured callback before all", () => {
    const place = { appId: "app_1", provider: "google" };
    const path = "/auth/app_1/oauth/google/callback";
    const of = (uris: string[], host?: string, base = "http://127.0.0.1:4000") =>
      callbackUrl(place, uris, base, host);
    expect(of([])).toBe(`http://127.0.0.1:4000${path}`);
    expect(of([], "localhost:4000")).toBe(`http://localhost:4000${path}`);
    expect(of([], "localhost:9999")).toBe(`http://127.0.0.1:4000${path}`);
    expect(of([], "evil.example")).toBe(`http://127.0.0.1:4000${path}`);
    expect(of([], "localhost:4000", "https://api.example")).toBe(`https://api.example${path}`);
    expect(of(["https://a.example/x", `https://api.example${path}`], "localhost:4000")).toBe(
      `https://api.example${path}`,
    );
  });
});

describe("what providers say", () => {
  it("believes only those who verify addresses", () => {
    const proven = (provider: string, claims: object) =>
      profileOf(provider, { id: "1", email: "a@b.example", ...claims })?.emailVerified;
    expect(proven("google", { email_verified: true })).toBe(true);
    expect(proven("apple", { email_verified: "true" })).toBe(true);
    expect(proven("google", { email_verified: "yes" })).toBe(false);
    expect(proven("facebook", { email_verified: true, verified: true })).toBe(false);
    expect(proven("microsoft", { email_verified: true })).toBe(false);
    expect(proven("microsoft", { xms_edov: true })).toBe(true);
    expect(proven("discord", { verified: true })).toBe(true);
    expect(proven("discord", { email_verified: true })).toBe(false);
    expect(proven("my-own", { email_verified: true })).toBe(true);
    expect(profileOf("google", { sub: "1", email_verified: true })).toMatchObject({
      email: null,
      emailVerified: false,
    });
    expect(
      profileOf("x", { data: { id: "1", email: "a@b.example", confirmed_email: "c@d.example" } }),
    ).toMatchObject({ email: "c@d.example", emailVerified: true });
  });

  it("takes no harm from any answer", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(PRESETS), "own"),
        fc.dictionary(fc.string(), fc.jsonValue()),
        (provider, claims) => {
          const profile = profileOf(provider, { sub: "1", ...claims });
          if (profile === null) return true;
          return (
            (profile.email !== null || !profile.emailVerified) &&
            (profile.avatarUrl?.startsWith("https://") ?? true)
          );
        },
      ),
    );
    expect(profileOf("google", { sub: "1", email: "two@a.example, three@b.example" })?.email).toBeNull();
    expect(profileOf("google", { sub: "1", picture: "javascript:alert(1)" })?.avatarUrl).toBeNull();
    expect(primaryEmail({ message: "rate limited" })).toBeNull();
    expect(primaryEmail([{ email: "a@b.example", primary: true }])).toEqual({
      email: "a@b.example",
      email_verified: false,
    });
  });

  it("fills Microsoft's tenant and lets the app's own URLs win", () => {
    const row = (patch: Partial<ProviderRow>) =>
      ({
        provider: "microsoft",
        client_id: "c",
        scopes: [],
        authorization_url: null,
        token_url: null,
        userinfo_url: null,
        provider_metadata: {},
        ...patch,
      }) as ProviderRow;
    expect(providerOf(row({}))!.tokenUrl).toContain("/common/");
    expect(providerOf(row({ provider_metadata: { tenant: "a/b" } }))!.authorizationUrl).toContain("/a%2Fb/");
    expect(providerOf(row({ token_url: "https://own.example/token" }))!.tokenUrl).toBe(
      "https://own.example/token",
    );
    expect(providerOf(row({ provider: "own" }))).toBeNull();
    for (const provider of Object.keys(PRESETS))
      expect(providerOf(row({ provider })), provider).not.toBeNull();
  });
});

it("reads only cookies of its own form", () => {
  const value = "a".repeat(43);
  expect(readCookie(`x=1; ambit_oauth=${value}; y=2`, "ambit_oauth")).toBe(value);
  expect(readCookie(`not_ambit_oauth=${value}`, "ambit_oauth")).toBeNull();
  expect(readCookie("ambit_oauth=short", "ambit_oauth")).toBeNull();
  expect(readCookie(undefined, "ambit_oauth")).toBeNull();
});
