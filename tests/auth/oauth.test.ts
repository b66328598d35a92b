import { createHmac } from "node:crypto";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { must } from "../support/app.ts";
import { discard, type Server, startServer } from "../support/server.ts";
import { type AuthApp, codeOf, PASSWORD } from "./auth-app.ts";
import {
  Browser,
  errorOf,
  HOME,
  locationOf,
  oauthApp,
  oidcOf,
  roundTrip,
  settingsFor,
  someone,
  tokensOf,
  userCount,
} from "./oauth-app.ts";
import { type Provider, startProvider } from "./provider.ts";

let provider: Provider;
let server: Server;
let app: AuthApp;
beforeAll(async () => {
  provider = await startProvider();
  server = await startServer({ AMBIT_ALLOW_PRIVATE_FETCH: `127.0.0.1:${provider.port}` });
  app = await oauthApp(server, provider);
});
afterAll(async () => {
  await discard(server);
  await provider.close();
});

const browse = () => new Browser(server.apiUrl);
const signIn = (turn: Provider["turn"], name = "plain", where = app) =>
  roundTrip(browse(), provider, turn, where, name);

describe.each(["plain", "oidc"])("signing in at a provider (%s)", (name) => {
  it("goes there with PKCE and a state, comes back once, and opens a session", async () => {
    const turn = someone();
    const browser = browse();
    const there = await browser.begin(app, name);
    const asked = locationOf(there);
    expect(Object.fromEntries(asked.searchParams)).toMatchObject({
      response_type: "code",
      client_id: provider.clientId,
      redirect_uri: `${server.apiUrl}/auth/${app.id}/oauth/${name}/callback`,
      code_challenge_method: "S256",
    });
    expect(there.headers.get("set-cookie")).toMatch(/; HttpOnly; .*SameSite=Lax/);
    expect(there.headers.get("cache-control")).toBe("no-store");
    const end = await signIn(turn, name);
    expect(`${end.origin}${end.pathname}`).toBe(HOME);
    const { access_token, refresh_token } = tokensOf(end);
    expect(must(await app.get("me", access_token))).toMatchObject({
      email: turn.email,
      email_verified: true,
      display_name: turn.name,
      provider: name,
    });
    must(await app.post("refresh", { refresh_token }));
    const redeemed = provider.redeemed.at(-1)!;
    expect(redeemed.code_verifier!.length).toBeGreaterThanOrEqual(43);
    expect(JSON.stringify([...asked.searchParams])).not.toContain(redeemed.code_verifier);
  });

  it("finds the same person again by the provider's id, whatever the address says now", async () => {
    const turn = someone();
    const first = decodeJwt(tokensOf(await signIn(turn, name)).access_token);
    const again = decodeJwt(tokensOf(await signIn({ ...turn, email: someone().email }, name)).access_token);
    expect(again.sub).toBe(first.sub);
    const other = decodeJwt(tokensOf(await signIn(someone(), name)).access_token);
    expect(other.sub).not.toBe(first.sub);
  });

  it("says so at the app when the provider refuses", async () => {
    const browser = browse();
    const asked = locationOf(await browser.begin(app, name)).searchParams;
    const back = `${asked.get("redirect_uri")}?error=access_denied&state=${encodeURIComponent(asked.get("state")!)}`;
    const end = locationOf(await browser.open(back));
    expect([end.origin, errorOf(end), end.searchParams.get("access_token")]).toEqual([
      "https://app.example",
      "OAUTH_DENIED",
      null,
    ]);
  });
});

describe("the round trip belongs to one browser, app and moment", () => {
  async function back(browser: Browser, where = app, name = "plain"): Promise<URL> {
    provider.turn = someone();
    return provider.agree((await browser.begin(where, name)).headers.get("location")!);
  }
  async function expectRefused(browser: Browser, url: URL): Promise<void> {
    const before = await userCount(app);
    const answer = await browser.open(url);
    expect([answer.status, codeOf(answer), answer.headers.get("location")]).toEqual([
      400,
      "OAUTH_STATE_INVALID",
      null,
    ]);
    expect(await userCount(app)).toBe(before);
  }

  it("a state works once", async () => {
    const browser = browse();
    const url = await back(browser);
    const answers = await Promise.all([browser.open(url), browser.open(url)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([302, 400]);
    await expectRefused(browser, url);
  });

  it("another browser can't finish it, nor one without a cookie", async () => {
    const victim = browse();
    const other = browse();
    await other.begin(app);
    await expectRefused(other, await back(victim));
    await expectRefused(browse(), await back(victim));
  });

  it("another app, provider or a changed state is refused", async () => {
    const browser = browse();
    const elsewhere = await oauthApp(server, provider);
    const url = await back(browser);
    for (const path of [
      `/auth/${elsewhere.id}/oauth/plain/callback`,
      `/auth/${app.id}/oauth/oidc/callback`,
    ]) {
      await expectRefused(browser, new URL(`${server.apiUrl}${path}${url.search}`));
    }
    const state = url.searchParams.get("state")!;
    const middle = Math.floor(state.length / 2);
    for (const changed of [
      "",
      "x",
      state.slice(0, -2),
      `${state.slice(0, middle)}${state[middle] === "A" ? "B" : "A"}${state.slice(middle + 1)}`,
    ]) {
      const tampered = new URL(url);
      tampered.searchParams.set("state", changed);
      await expectRefused(browser, tampered);
    }
    expect((await browser.open(url)).status).toBe(302);
  });

  it("a code from another round trip is refused by the provider, for its PKCE challenge", async () => {
    const attacker = browse();
    const stolen = (await back(attacker)).searchParams.get("code")!;
    const victim = browse();
    const url = await back(victim);
    url.searchParams.set("code", stolen);
    const before = await userCount(app);
    expect(errorOf(locationOf(await victim.open(url)))).toBe("OAUTH_EXCHANGE_FAILED");
    expect(provider.refused.at(-1)).toBe("invalid_grant: PKCE");
    expect(await userCount(app)).toBe(before);
    // The provider means it: without a verifier nobody gets a token.
    const open = await back(browse());
    const body = new URLSearchParams({
      grant_type: "authorization_code",
      code: open.searchParams.get("code")!,
      redirect_uri: `${open.origin}${open.pathname}`,
      client_id: provider.clientId,
      client_secret: provider.clientSecret,
    });
    expect((await fetch(`${provider.url}/token`, { method: "POST", body })).status).toBe(400);
  });

  it.each([
    "https://evil.example/",
    "https://app.example.evil.example/",
    "https://app.example:444/",
    "http://app.example/",
    "https://app.example@evil.example/",
    "https://evil.example\\@app.example/",
    "//evil.example/",
    "/relative",
    "javascript:alert(1)//https://app.example",
    "data:text/html,x",
    "http://localhost.evil.example/",
    "http://localhost@evil.example/",
    "",
    "x",
  ])("tokens never go to %s", async (redirectTo) => {
    const answer = await browse().begin(app, "plain", redirectTo);
    expect([answer.status, codeOf(answer), answer.headers.get("location")]).toEqual([
      400,
      "OAUTH_REDIRECT_NOT_ALLOWED",
      null,
    ]);
  });
});

describe("ID tokens", () => {
  const MAKERS: [string, (claims: Record<string, any>) => Promise<string> | string][] = [
    ["another nonce", (claims) => provider.sign({ ...claims, nonce: "other" })],
    ["no nonce", ({ nonce: _nonce, ...claims }) => provider.sign(claims)],
    ["another audience", (claims) => provider.sign({ ...claims, aud: "client-2" })],
    [
      "several audiences and another party",
      (claims) => provider.sign({ ...claims, aud: [claims.aud, "client-2"], azp: "client-2" }),
    ],
    ["another issuer", (claims) => provider.sign({ ...claims, iss: "https://accounts.google.com" })],
    ["an old date", (claims) => provider.sign({ ...claims, exp: claims.iat - 600, iat: claims.iat - 1_200 })],
    ["no subject", ({ sub: _sub, ...claims }) => provider.sign(claims)],
    ["somebody else's signature", (claims) => provider.sign(claims, true)],
    ["no signature", (claims) => `${encode({ alg: "none" })}.${encode(claims)}.`],
    [
      "the client secret for a key",
      (claims) => {
        const text = `${encode({ alg: "HS256", kid: "one" })}.${encode(claims)}`;
        return `${text}.${createHmac("sha256", provider.clientSecret).update(text).digest("base64url")}`;
      },
    ],
    ["no form", () => "token"],
  ];
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

  it.each(MAKERS)("with %s sign nobody in", async (_what, idToken) => {
    const before = await userCount(app);
    const end = await signIn({ ...someone(), idToken }, "oidc");
    expect([errorOf(end), end.searchParams.get("access_token")]).toEqual(["OAUTH_EXCHANGE_FAILED", null]);
    expect(await userCount(app)).toBe(before);
  });

  it("outweigh a userinfo answer about somebody else", async () => {
    const turn = someone();
    const victim = someone();
    const { email: _email, ...nameless } = turn;
    const end = await signIn(
      { ...nameless, userinfo: () => ({ sub: "somebody-else", email: victim.email, email_verified: true }) },
      "oidc",
    );
    expect(must(await app.get("me", tokensOf(end).access_token)).email).toBeNull();
  });
});

describe("an address joins two accounts only when it is proven on both sides", () => {
  it("verified here and there: the same account, and the password goes on working", async () => {
    const turn = someone();
    const local = await app.member(turn.email);
    const { sub } = decodeJwt(tokensOf(await signIn(turn)).access_token);
    expect(sub).toBe(local.user.id);
    expect((await app.login(turn.email)).user.id).toBe(local.user.id);
  });

  it.each([
    ["not here", false, true],
    ["not there", true, false],
    ["nowhere", false, false],
  ])("verified %s: refused, and nothing is linked", async (_what, here, there) => {
    const turn = { ...someone(), email_verified: there };
    if (here) await app.member(turn.email);
    else await app.signUp(turn.email);
    const local = await app.login(turn.email);
    for (let round = 0; round < 2; round++) {
      const end = await signIn(turn);
      expect([errorOf(end), end.searchParams.get("access_token")]).toEqual(["OAUTH_ACCOUNT_EXISTS", null]);
    }
    expect((await app.login(turn.email)).user.id).toBe(local.user.id);
  });

  it("an attacker who registered the address first does not get in with its owner", async () => {
    const turn = someone();
    await app.signUp(turn.email, "Attacker-password-1");
    const attacker = await app.login(turn.email, "Attacker-password-1");
    expect(errorOf(await signIn(turn))).toBe("OAUTH_ACCOUNT_EXISTS");
    must(await app.post("magic-link", { email: turn.email }));
    must(await app.post("magic-link/verify", { email: turn.email, code: await app.code(turn.email) }));
    const end = await signIn(turn);
    expect(errorOf(end)).toBeNull();
    expect(await app.works(attacker.access_token)).toBe(false);
    expect((await app.post("login", { email: turn.email, password: "Attacker-password-1" })).status).toBe(
      401,
    );
  });

  it("where addresses must be verified, an unproven one opens nothing", async () => {
    const strict = await oauthApp(server, provider);
    must(await strict.owner("PATCH", `/v1/${strict.id}/config/auth`, { require_email_verification: true }));
    expect(errorOf(await signIn({ ...someone(), email_verified: false }, "plain", strict))).toBe(
      "AUTH_EMAIL_NOT_VERIFIED",
    );
    expect(await userCount(strict)).toBe(0);
    expect(errorOf(await signIn(someone(), "plain", strict))).toBeNull();
  });
});

describe("providers", () => {
  const config = (path = "") => `/v1/${app.id}/auth/oauth-config${path}`;

  it("never show their secret", async () => {
    const shown = [
      await app.owner("POST", config(), { provider: "shown", ...settingsFor(provider) }),
      await app.owner("GET", config()),
      await app.owner("GET", config("/shown")),
      await app.owner("PATCH", config("/shown"), { scopes: ["a"] }),
    ];
    for (const answer of shown) {
      expect(JSON.stringify(must(answer))).not.toMatch(/secret/i);
    }
    // Changing something else keeps it.
    must(await app.owner("PATCH", config("/plain"), { scopes: ["email"] }));
    expect(errorOf(await signIn(someone()))).toBeNull();
  });

  it("can be switched off and deleted", async () => {
    must(await app.owner("POST", config(), { provider: "gone", ...settingsFor(provider) }));
    must(await app.owner("PATCH", config("/gone"), { enabled: false }));
    expect(codeOf(await browse().begin(app, "gone"))).toBe("OAUTH_PROVIDER_NOT_CONFIGURED");
    must(await app.owner("DELETE", config("/gone")));
    expect((await app.owner("GET", config("/gone"))).status).toBe(404);
    expect(codeOf(await browse().begin(app, "__proto__"))).toMatch(
      /VALIDATION_INVALID_SCHEMA|NOT_CONFIGURED/,
    );
  });

  it("can't make the server call its own network", async () => {
    const before = provider.redeemed.length;
    for (const host of ["localhost", "[::1]", "127.0.0.2", "0.0.0.0", "169.254.169.254"]) {
      const token_url = `http://${host}:${provider.port}/token`;
      must(await app.owner("POST", config(), { provider: "inside", ...settingsFor(provider), token_url }));
      expect([host, errorOf(await signIn(someone(), "inside"))]).toEqual([host, "EXTERNAL_ADDRESS_REFUSED"]);
    }
    expect(provider.redeemed).toHaveLength(before);
  });

  it("that post their answer are heard", async () => {
    const metadata = { ...oidcOf(provider), team_id: "t", key_id: "k" };
    must(
      await app.owner("POST", config(), {
        provider: "apple",
        ...settingsFor(provider),
        provider_metadata: metadata,
      }),
    );
    provider.turn = someone();
    const browser = browse();
    const there = await browser.begin(app, "apple");
    expect(locationOf(there).searchParams.get("response_mode")).toBe("form_post");
    expect(there.headers.get("set-cookie")).toMatch(/SameSite=None; Secure/);
    const url = provider.agree(there.headers.get("location")!);
    const user = JSON.stringify({ name: { firstName: "Ada", lastName: "L" } });
    const form = new URLSearchParams([...url.searchParams, ["user", user]]);
    const answer = await browser.open(`${url.origin}${url.pathname}`, { method: "POST", body: form });
    expect(errorOf(locationOf(answer))).toBeNull();
  });

  it("know nothing of passwords: who came from one logs in by mail or there", async () => {
    const turn = someone();
    await signIn(turn);
    for (const password of [PASSWORD, " ", "null", "undefined"]) {
      expect((await app.post("login", { email: turn.email, password })).status).toBe(401);
    }
  });
});
