import { decodeJwt, decodeProtectedHeader, exportPKCS8, generateKeyPair } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createGuardedFetch } from "../../../kernel/guarded-fetch.ts";
import type { HttpReply } from "../../../kernel/http-reply.ts";
import type { App, Call } from "../../../kernel/operation.ts";
import {
  type AuthFixture,
  authFixture,
  developer,
  PASSWORD,
  reply,
  type TokenPair,
} from "../testing/auth-fixture.ts";
import { type FakeProvider, fakeProvider, type Person } from "../testing/fake-provider.ts";

let provider: FakeProvider;
let test: AuthFixture;
beforeAll(async () => {
  provider = await fakeProvider();
  test = await authFixture(createGuardedFetch({ allowPrivate: [provider.host] }));
});
afterAll(async () => {
  await test.stop();
  await provider.stop();
});

const BACK = "http://localhost:3000/signed-in?theme=dark";
const key = () => ({ principal: developer(test) });

/** An app whose provider of that name is the fake one. */
async function appWith(name: string, settings: object = {}): Promise<App> {
  const app = await test.createApp();
  const openid = name === "google" || name === "apple";
  const input = {
    provider: name,
    client_id: "client 1",
    client_secret: provider.clientSecret,
    redirect_uris: [],
    authorization_url: `${provider.url}/authorize?fixed=1`,
    token_url: `${provider.url}/token`,
    userinfo_url: `${provider.url}/userinfo`,
    ...(openid ? { provider_metadata: { issuer: provider.url, jwks_uri: `${provider.url}/keys` } } : {}),
    ...settings,
  };
  await test.run("auth.configure_oauth", app, input, key());
  return app;
}

type Patch = Partial<Call>;
const begin = async (app: App, name: string, patch: Patch = {}, redirect_to: string | undefined = BACK) =>
  reply(await test.run("auth.oauth_begin", app, { provider: name, redirect_to }, patch));
const cookieOf = (started: HttpReply) => String(started.headers["set-cookie"]).split(";")[0]!;

/** The whole round trip in one browser; returns the query the app receives. */
async function signIn(app: App, name: string, person: Person): Promise<Record<string, string>> {
  const started = await begin(app, name);
  const location = new URL(String(started.headers.location));
  const code = provider.approve(location.href, person);
  const input = { provider: name, code, state: location.searchParams.get("state") };
  const headers = { cookie: `other=1; ${cookieOf(started)}` };
  const answer = await test
    .run("auth.oauth_callback", app, input, { headers })
    .then(reply, (error) => ({ status: error.status, headers: error.headers }) as HttpReply);
  expect(answer.status).toBe(302);
  const back = new URL(String(answer.headers.location));
  expect(back.href).toMatch(/^http:\/\/localhost:3000\/signed-in\?theme=dark&/);
  return Object.fromEntries(back.searchParams);
}

const google = (sub: string, email: string | undefined, email_verified = true): Person => ({
  userinfo: { sub, email, email_verified, name: "Ann", picture: "https://pictures.example/ann.png" },
});

describe("signing in at a provider", () => {
  it("asks with PKCE, state and nonce, and brings the browser back with tokens", async () => {
    const app = await appWith("google");
    const started = await begin(app, "google");
    expect(started.status).toBe(302);
    const asked = Object.fromEntries(new URL(String(started.headers.location)).searchParams);
    expect(asked).toEqual({
      fixed: "1",
      response_type: "code",
      client_id: "client 1",
      scope: "openid email profile",
      redirect_uri: `http://127.0.0.1:4000/auth/${app.id}/oauth/google/callback`,
      state: expect.any(String),
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: "S256",
      nonce: expect.any(String),
    });
    expect(String(started.headers["set-cookie"])).toMatch(
      /^ambit_oauth=[\w-]{43}; Path=\/; HttpOnly; Max-Age=600; SameSite=Lax$/,
    );

    const back = await signIn(app, "google", google("g-1", "Ann@Example.com"));
    expect(back).toEqual({
      theme: "dark",
      access_token: expect.any(String),
      refresh_token: expect.any(String),
      expires_in: "3600",
      token_type: "Bearer",
    });
    const me = await test.run("auth.me", app, {}, { token: back.access_token! });
    expect(me).toMatchObject({
      email: "ann@example.com",
      email_verified: true,
      provider: "google",
      display_name: "Ann",
    });
    const again = await signIn(app, "google", google("g-1", "renamed@example.com"));
    expect(decodeJwt(again.access_token!).sub).toBe(decodeJwt(back.access_token!).sub);
    const stored = await test.platform.database.query(
      "select * from ambit.auth_providers where app_id = $1",
      [app.id],
    );
    expect(JSON.stringify(stored)).not.toContain(provider.clientSecret);
    expect(JSON.stringify(test.recorded)).not.toContain(provider.clientSecret);
  });

  it("accepts a state once, in the browser that began, at its provider and app, for ten minutes", async () => {
    const app = await appWith("google");
    await test.run(
      "auth.configure_oauth",
      app,
      { provider: "github", client_id: "c", client_secret: "s" },
      key(),
    );
    const other = await appWith("google");
    const started = await begin(app, "google");
    const location = String(started.headers.location);
    const state = new URL(location).searchParams.get("state")!;
    const cookie = cookieOf(started);
    const finish = (
      where = app,
      patch: object = {},
      headers: Record<string, string> = { cookie },
      name = "google",
    ) => {
      const code = provider.approve(location, google("g-2", "bob@example.com"));
      return test.run("auth.oauth_callback", where, { provider: name, code, state, ...patch }, { headers });
    };
    const refused = { code: "OAUTH_STATE_INVALID", status: 400 };
    await expect(finish(app, {}, {})).rejects.toMatchObject(refused);
    await expect(finish(app, {}, { cookie: `ambit_oauth=${"x".repeat(43)}` })).rejects.toMatchObject(refused);
    await expect(finish(app, { state: undefined })).rejects.toMatchObject(refused);
    await expect(finish(app, { state: `${state.slice(0, -4)}AAAA` })).rejects.toMatchObject(refused);
    await expect(finish(other)).rejects.toMatchObject(refused);
    await expect(finish(app, {}, { cookie }, "github")).rejects.toMatchObject(refused);
    test.time.now = 10 * 60_000;
    await expect(finish()).rejects.toMatchObject(refused);
    test.time.now = 0;
    const outcomes = await Promise.all(
      [finish(), finish()].map((each) =>
        each.then(
          () => "in",
          (error) => error.code,
        ),
      ),
    );
    expect(outcomes.sort()).toEqual(["OAUTH_STATE_INVALID", "in"]);
  });

  it("keeps a code from being swapped between two sign-ins", async () => {
    const app = await appWith("google");
    const [mine, theirs] = [await begin(app, "google"), await begin(app, "google")];
    const code = provider.approve(String(theirs.headers.location), google("g-3", "cy@example.com"));
    const state = new URL(String(mine.headers.location)).searchParams.get("state");
    const swapped = test.run(
      "auth.oauth_callback",
      app,
      { provider: "google", code, state },
      { headers: { cookie: cookieOf(mine) } },
    );
    await expect(swapped).rejects.toMatchObject({ code: "OAUTH_EXCHANGE_FAILED", status: 302 });
  });

  it("sends tokens only where the app allows", async () => {
    const app = await appWith("google");
    await expect(begin(app, "google", {}, "https://evil.example/")).rejects.toMatchObject({
      code: "OAUTH_REDIRECT_NOT_ALLOWED",
      status: 400,
    });
    await test.apps.update(app.id, { allowed_origins: ["https://shop.example"] });
    await begin(app, "google", {}, "https://shop.example/in");
    const fallback = reply(await test.run("auth.oauth_begin", app, { provider: "google" }));
    expect(fallback.status).toBe(302);
  });

  it("tells the app why a sign-in failed", async () => {
    const app = await appWith("google");
    const started = await begin(app, "google");
    const state = new URL(String(started.headers.location)).searchParams.get("state");
    const denied = test.run(
      "auth.oauth_callback",
      app,
      { provider: "google", error: "access_denied", state },
      { headers: { cookie: cookieOf(started) } },
    );
    await expect(denied).rejects.toMatchObject({
      code: "OAUTH_DENIED",
      status: 302,
      headers: { location: expect.stringContaining("error=OAUTH_DENIED&error_description=") },
    });
  });
});

describe("who the provider says it is", () => {
  it("must be signed, for this app, and answer our nonce", async () => {
    const app = await appWith("google");
    const person = google("g-4", "dan@example.com");
    for (const idToken of [
      { nonce: "replayed" },
      { nonce: undefined },
      { aud: "another client" },
      { iss: "https://evil.example" },
      { aud: ["client 1", "x"] },
    ]) {
      expect(await signIn(app, "google", { ...person, idToken }), JSON.stringify(idToken)).toMatchObject({
        error: "OAUTH_EXCHANGE_FAILED",
      });
    }
    expect(await signIn(app, "google", person)).toHaveProperty("access_token");
  });

  it("comes from the form a provider posts, with the name and a secret made from the private key", async () => {
    const pair = await generateKeyPair("ES256", { extractable: true });
    const app = await appWith("apple", {
      client_secret: await exportPKCS8(pair.privateKey),
      provider_metadata: {
        issuer: provider.url,
        jwks_uri: `${provider.url}/keys`,
        team_id: "TEAM",
        key_id: "KEY",
      },
    });
    const started = await begin(app, "apple");
    const location = new URL(String(started.headers.location));
    expect(location.searchParams.get("response_mode")).toBe("form_post");
    expect(location.searchParams.has("code_challenge")).toBe(false);
    expect(String(started.headers["set-cookie"])).toContain("SameSite=None; Secure");
    const input = {
      provider: "apple",
      code: provider.approve(location.href, {
        userinfo: { sub: "a-1", email: "eve@privaterelay.example", email_verified: "true" },
      }),
      state: location.searchParams.get("state"),
      user: JSON.stringify({ name: { firstName: "Eve", lastName: "Example" } }),
    };
    const back = reply(
      await test.run("auth.oauth_callback", app, input, { headers: { cookie: cookieOf(started) } }),
    );
    const token = new URL(String(back.headers.location)).searchParams.get("access_token")!;
    expect(await test.run("auth.me", app, {}, { token })).toMatchObject({
      display_name: "Eve Example",
      email_verified: true,
    });
    const secret = provider.redeemed.at(-1)!.form.client_secret!;
    expect(decodeProtectedHeader(secret)).toMatchObject({ alg: "ES256", kid: "KEY" });
    expect(decodeJwt(secret)).toMatchObject({ iss: "TEAM", sub: "client 1", aud: provider.url });
  });

  it("is read in each provider's own way, by secret in the form or in the header", async () => {
    const github = await appWith("github");
    const emails = [
      { email: "spam@example.com", primary: false, verified: true },
      { email: "Fay@example.com", primary: true, verified: true },
    ];
    const back = await signIn(github, "github", {
      userinfo: { id: 7, login: "fay", email: "public@example.com" },
      emails,
    });
    expect(await test.run("auth.me", github, {}, { token: back.access_token! })).toMatchObject({
      email: "fay@example.com",
      email_verified: true,
    });
    expect(provider.redeemed.at(-1)!.form).toMatchObject({
      client_secret: provider.clientSecret,
      code_verifier: expect.any(String),
    });

    const x = await appWith("x");
    const onX = await signIn(x, "x", { userinfo: { data: { id: "9", name: "Gil", username: "gil" } } });
    expect(await test.run("auth.me", x, {}, { token: onX.access_token! })).toMatchObject({
      email: null,
      display_name: "Gil",
      provider: "x",
    });
    expect(decodeJwt(onX.access_token!)).toMatchObject({ email: null, email_verified: false });
    expect(provider.redeemed.at(-1)).toMatchObject({ authorization: expect.stringMatching(/^Basic /) });
    expect(provider.redeemed.at(-1)!.form).not.toHaveProperty("client_secret");

    const custom = await appWith("my-login");
    expect(await signIn(custom, "my-login", { userinfo: { sub: "c-1" } })).toHaveProperty("access_token");
    expect(await signIn(custom, "my-login", { userinfo: { name: "nobody" } })).toMatchObject({
      error: "OAUTH_EXCHANGE_FAILED",
    });
  });
});

describe("accounts with the same address", () => {
  it("are joined only when both sides proved it", async () => {
    const app = await appWith("google");
    const verified = await test.member(app, "hal@example.com");
    expect(await signIn(app, "google", google("h-1", "hal@example.com", false))).toMatchObject({
      error: "OAUTH_ACCOUNT_EXISTS",
    });
    const joined = await signIn(app, "google", google("h-2", "hal@example.com"));
    expect(decodeJwt(joined.access_token!).sub).toBe(verified.user.id);
    await test.run("auth.login", app, { email: "hal@example.com", password: PASSWORD });

    // Somebody registered first with an address that is not theirs: the owner must not land in their account.
    await test.member(app, "ida@example.com", false);
    expect(await signIn(app, "google", google("i-1", "ida@example.com"))).toMatchObject({
      error: "OAUTH_ACCOUNT_EXISTS",
    });
  });

  it("leave a squatter outside once the owner proves the address", async () => {
    const app = await appWith("google");
    const squatter = await signIn(app, "google", google("squatter", "jo@example.com", false));
    await test.run("auth.magic_link", app, { email: "jo@example.com" });
    const { code } = await test.mailTo(app, "jo@example.com");
    const owner = await test.run<TokenPair>("auth.magic_link_verify", app, { email: "jo@example.com", code });
    await expect(test.auth.verifyAccessToken(app.id, squatter.access_token!)).rejects.toMatchObject({
      status: 401,
    });
    expect(await signIn(app, "google", google("squatter", "jo@example.com", false))).toMatchObject({
      error: "OAUTH_ACCOUNT_EXISTS",
    });
    const joined = await signIn(app, "google", google("jo", "jo@example.com"));
    expect(decodeJwt(joined.access_token!).sub).toBe(owner.user.id);
  });

  it("need a proven address where the app requires one", async () => {
    const app = await appWith("google");
    await test.run("auth.update_settings", app, { require_email_verification: true }, key());
    expect(await signIn(app, "google", google("k-1", "kim@example.com", false))).toMatchObject({
      error: "AUTH_EMAIL_NOT_VERIFIED",
    });
    expect(await signIn(app, "google", google("k-1", undefined))).toMatchObject({
      error: "AUTH_EMAIL_NOT_VERIFIED",
    });
    expect(await signIn(app, "google", google("k-1", "kim@example.com"))).toHaveProperty("access_token");
  });
});

describe("configuration", () => {
  it("is stored without ever showing the secret, changed, switched off and deleted", async () => {
    const app = await test.createApp();
    const given = {
      provider: "GitHub",
      client_id: "id",
      client_secret: "very secret",
      redirect_uris: ["https://shop.example/in"],
    };
    const made = await test.run<{ config: Record<string, unknown> }>(
      "auth.configure_oauth",
      app,
      given,
      key(),
    );
    expect(made.config).toMatchObject({
      app_id: app.id,
      provider: "github",
      client_id: "id",
      enabled: true,
      userinfo_url: null,
    });
    expect(JSON.stringify(made)).not.toMatch(/secret/);
    expect(await test.run("auth.get_oauth", app, {}, key())).toEqual({ configs: [made.config] });
    expect(await test.run("auth.get_oauth", app, { provider: "github" }, key())).toEqual(made.config);
    const off = await test.run("auth.update_oauth", app, { provider: "github", enabled: false }, key());
    expect(off).toMatchObject({
      config: { enabled: false, client_id: "id", redirect_uris: ["https://shop.example/in"] },
    });
    await expect(begin(app, "github")).rejects.toMatchObject({ code: "OAUTH_PROVIDER_NOT_CONFIGURED" });
    expect(await test.run("auth.delete_oauth", app, { provider: "github" }, key())).toMatchObject({
      provider: "github",
    });
    await expect(test.run("auth.get_oauth", app, { provider: "github" }, key())).rejects.toMatchObject({
      status: 404,
    });
    await expect(test.run("auth.delete_oauth", app, { provider: "github" }, key())).rejects.toMatchObject({
      status: 404,
    });
  });

  it("refuses what can't work or must not be", async () => {
    const app = await test.createApp();
    const configure = (patch: object) =>
      test.run(
        "auth.configure_oauth",
        app,
        { provider: "google", client_id: "id", client_secret: "s", ...patch },
        key(),
      );
    for (const patch of [
      { provider: "unknown-idp" },
      { provider: "no spaces" },
      { client_secret: undefined },
      { redirect_uris: ["javascript:alert(1)"] },
      { authorization_url: "file:///etc/passwd" },
      { provider_metadata: { filler: "x".repeat(5_000) } },
    ]) {
      await expect(configure(patch), JSON.stringify(patch).slice(0, 80)).rejects.toMatchObject({
        code: "VALIDATION_INVALID_SCHEMA",
      });
    }
    await expect(test.run("auth.get_oauth", app, {})).rejects.toMatchObject({ code: "AUTH_REQUIRED" });
  });

  it("never reaches into the server's own network", async () => {
    const app = await appWith("my-login", { token_url: "http://127.0.0.1:1/token" });
    expect(await signIn(app, "my-login", { userinfo: { sub: "x" } })).toMatchObject({
      error: "EXTERNAL_ADDRESS_REFUSED",
    });
  });
});

it("refuses an ID token whose signature is not the provider's", async () => {
  const app = await appWith("google");
  await provider.useUnknownKey();
  expect(await signIn(app, "google", google("z", "zoe@example.com"))).toMatchObject({
    error: "OAUTH_EXCHANGE_FAILED",
  });
});
