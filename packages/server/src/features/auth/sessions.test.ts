import { createHmac, generateKeyPairSync } from "node:crypto";
import { decodeJwt, decodeProtectedHeader, exportSPKI, importJWK, type JWK, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { App } from "../../kernel/operation.ts";
import { createAuth } from "./index.ts";
import {
  type AuthFixture,
  authFixture,
  developer,
  PASSWORD,
  reply,
  type TokenPair,
} from "./testing/auth-fixture.ts";

let test: AuthFixture;
let app: App;
let user: TokenPair;
beforeAll(async () => {
  test = await authFixture();
  app = await test.createApp();
  user = await test.member(app, "ann@example.com");
});
afterAll(() => test.stop());

const login = (where = app) =>
  test.run<TokenPair>("auth.login", where, { email: "ann@example.com", password: PASSWORD });
const refresh = (refresh_token: string, nowMs?: number) =>
  test.run<TokenPair>("auth.refresh", app, { refresh_token }, nowMs === undefined ? {} : { nowMs });
const jwksOf = async (where: App) => (reply(await test.run("auth.jwks", where)).body as { keys: JWK[] }).keys;
const invalid = { code: "AUTH_INVALID_END_USER_JWT", status: 401 };

describe("access tokens", () => {
  it("carry the claims clients and policies read, signed with the key the app publishes", async () => {
    const answer = reply(await test.run("auth.jwks", app));
    expect(answer.headers["cache-control"]).toContain("max-age=300");
    const [jwk] = await jwksOf(app);
    expect(jwk).toMatchObject({
      kty: "EC",
      crv: "P-256",
      alg: "ES256",
      use: "sig",
      kid: expect.stringMatching(/^.{16}$/),
    });
    expect(jwk).not.toHaveProperty("d");
    expect(decodeProtectedHeader(user.access_token)).toEqual({ alg: "ES256", kid: jwk!.kid, typ: "JWT" });
    const claims = decodeJwt(user.access_token);
    expect(claims).toEqual({
      sub: user.user.id,
      email: "ann@example.com",
      email_verified: true,
      app_id: app.id,
      role: "user",
      sid: expect.any(String),
      iat: expect.any(Number),
      exp: claims.iat! + 3600,
      iss: `butterbase:app:${app.id}`,
    });
    const principal = await test.auth.verifyAccessToken(app.id, user.access_token);
    expect(principal).toMatchObject({ kind: "user", appId: app.id, userId: user.user.id, claims });
    const [row] = await test.platform.database.query(
      "select * from ambit.auth_signing_keys where app_id = $1",
      [app.id],
    );
    expect(JSON.stringify(row)).not.toContain('"d"');
  });

  it("agree between nodes that make the first key at the same moment", async () => {
    const fresh = await test.createApp();
    const nodes = [0, 1, 2].map(() => createAuth(test.platform, { apps: test.apps, mail: test.mail }));
    const sets = await Promise.all(
      nodes.map(({ feature }) => {
        const jwks = feature.operations.find(({ name }) => name === "auth.jwks")!;
        return jwks.run({ app: fresh } as never, { app_id: fresh.id } as never);
      }),
    );
    const kids = sets.map((set) => (reply(set).body as { keys: JWK[] }).keys.map(({ kid }) => kid));
    expect(new Set(kids.flat()).size).toBe(1);
  });

  it("refuse every forgery", async () => {
    const other = await test.createApp();
    const stranger = await test.member(other, "ann@example.com");
    const [jwk] = await jwksOf(app);
    const [strangersJwk] = await jwksOf(other);
    const claims = decodeJwt(user.access_token);
    const header = decodeProtectedHeader(user.access_token) as { kid: string };
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const [head, body, signature] = user.access_token.split(".") as [string, string, string];
    const attacker = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const signed = (protectedHeader: object, payload: object = claims) =>
      new SignJWT({ ...payload })
        .setProtectedHeader({ alg: "ES256", ...protectedHeader })
        .sign(attacker.privateKey);
    const hmac = (key: string) => {
      const input = `${part({ alg: "HS256", kid: header.kid, typ: "JWT" })}.${part(claims)}`;
      return `${input}.${createHmac("sha256", key).update(input).digest("base64url")}`;
    };
    const spki = await exportSPKI((await importJWK(jwk!, "ES256", { extractable: true })) as never);
    const forgeries: Record<string, string> = {
      "alg none": `${part({ alg: "none" })}.${body}.`,
      "alg none with a kid": `${part({ alg: "none", kid: header.kid })}.${body}.${signature}`,
      "HS256 with the public key as PEM": hmac(spki),
      "HS256 with the public key as JWK": hmac(JSON.stringify(jwk)),
      "HS256 with x": hmac(jwk!.x!),
      "a key of the attacker under the right kid": await signed({ kid: header.kid }),
      "a key brought along": await signed({ jwk: attacker.publicKey.export({ format: "jwk" }) }),
      "a key brought along by URL": await signed({ jku: "http://127.0.0.1/keys", kid: header.kid }),
      "a kid that is a path": await signed({ kid: "../../../../dev/null" }),
      "a kid that is SQL": await signed({ kid: "' or '1'='1" }),
      "no kid": await signed({}),
      "another app's kid": await signed({ kid: strangersJwk!.kid }),
      "another app's token": stranger.access_token,
      "a changed payload": `${head}.${part({ ...claims, sub: stranger.user.id })}.${signature}`,
      "a changed header": `${part({ ...header, alg: "ES256", extra: 1 })}.${body}.${signature}`,
      "a cut signature": `${head}.${body}.${signature.slice(0, -2)}`,
      "no signature": `${head}.${body}.`,
      "two parts": `${head}.${body}`,
      "a giant": `${head}.${"A".repeat(10_000)}.${signature}`,
      "not base64": "a.b.c",
      empty: "",
    };
    const outcomes: Record<string, string> = {};
    for (const [name, token] of Object.entries(forgeries)) {
      outcomes[name] = await test.auth.verifyAccessToken(app.id, token).then(
        () => "accepted",
        (error) => error.code,
      );
    }
    expect(outcomes).toEqual(Object.fromEntries(Object.keys(forgeries).map((name) => [name, invalid.code])));
    // Also once the token is in the cache of its own app.
    await test.auth.verifyAccessToken(other.id, stranger.access_token);
    await expect(test.auth.verifyAccessToken(app.id, stranger.access_token)).rejects.toMatchObject(invalid);
  });

  it("refuse a token of the right key with wrong claims", async () => {
    const [row] = await test.platform.database.query<{ sealed_private_jwk: string }>(
      "select * from ambit.auth_signing_keys where app_id = $1",
      [app.id],
    );
    const key = JSON.parse(test.platform.secrets.open("app-jwt-key", row!.sealed_private_jwk, app.id));
    const claims = decodeJwt(user.access_token);
    const { kid } = decodeProtectedHeader(user.access_token);
    const sign = async (patch: object) =>
      new SignJWT({ ...claims, ...patch })
        .setProtectedHeader({ alg: "ES256", kid: kid! })
        .sign((await importJWK(key, "ES256")) as never);
    await test.auth.verifyAccessToken(app.id, await sign({ jti: "control" }));
    for (const patch of [
      { iss: "butterbase:app:app_zzzzzzzzzzzz" },
      { iss: undefined },
      { app_id: "app_zzzzzzzzzzzz" },
      { sid: undefined },
      { sid: "00000000-0000-4000-8000-000000000000" },
      { sub: undefined },
      { sub: "somebody else" },
      { exp: undefined },
      { nbf: Math.floor(Date.now() / 1000) + 600 },
    ]) {
      await expect(
        test.auth.verifyAccessToken(app.id, await sign(patch)),
        JSON.stringify(patch),
      ).rejects.toMatchObject(invalid);
    }
    const expired = { code: "AUTH_END_USER_JWT_EXPIRED", status: 401 };
    const past = await sign({ exp: Math.floor(Date.now() / 1000) - 1 });
    await expect(test.auth.verifyAccessToken(app.id, past)).rejects.toMatchObject(expired);
    await expect(test.run("auth.me", app, {}, { token: past })).rejects.toMatchObject(expired);
    await test.auth.verifyAccessToken(app.id, user.access_token);
    test.time.now = 3_600_000;
    await expect(test.auth.verifyAccessToken(app.id, user.access_token)).rejects.toMatchObject(expired);
    test.time.now = 0;
  });

  it("are asked for where a user is needed", async () => {
    await expect(test.run("auth.me", app)).rejects.toMatchObject({ code: "AUTH_REQUIRED" });
    await expect(test.run("auth.me", app, {}, { principal: developer(test) })).rejects.toMatchObject({
      code: "AUTH_REQUIRED",
    });
    await expect(test.run("auth.me", app, {}, { token: "a.b.c" })).rejects.toMatchObject(invalid);
    await test.run("auth.login", app, { email: "ann@example.com", password: PASSWORD }, { token: "a.b.c" });
  });
});

describe("refresh tokens", () => {
  it("give new tokens of the same session, once", async () => {
    const first = await login();
    const second = await refresh(first.refresh_token);
    expect(second).toMatchObject({ token_type: "Bearer", expires_in: 3600, user: { id: user.user.id } });
    expect(second.refresh_token).not.toBe(first.refresh_token);
    expect(decodeJwt(second.access_token).sid).toBe(decodeJwt(first.access_token).sid);
    const rows = await test.platform.database.query("select * from ambit.auth_refresh_tokens");
    expect(JSON.stringify(rows)).not.toContain(second.refresh_token);
    await refresh(second.refresh_token);
  });

  it("end their whole session when one is used again, and that session alone", async () => {
    const ended: string[] = [];
    test.auth.onSessionRevoked((_app, id) => void ended.push(id));
    const [stolen, other] = [await login(), await login()];
    const next = await refresh(stolen.refresh_token);
    const newest = await refresh(next.refresh_token);
    await test.auth.verifyAccessToken(app.id, newest.access_token);
    await new Promise((resolve) => setTimeout(resolve, 5));
    await expect(refresh(stolen.refresh_token)).rejects.toMatchObject({
      code: "AUTH_REFRESH_TOKEN_REUSED",
      status: 401,
    });
    await expect(refresh(newest.refresh_token)).rejects.toMatchObject({
      code: "AUTH_INVALID_REFRESH_TOKEN",
      status: 401,
    });
    await expect(test.auth.verifyAccessToken(app.id, newest.access_token)).rejects.toMatchObject(invalid);
    expect(ended).toEqual([decodeJwt(stolen.access_token).sid]);
    await refresh(other.refresh_token);
  });

  it("give one successor to requests that overlap", async () => {
    const first = await login();
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => refresh(first.refresh_token)));
    expect(new Set(answers.map((answer) => answer.refresh_token)).size).toBe(1);
    await refresh(answers[0]!.refresh_token);
  });

  it("end with their time, and are nothing to another app or unknown", async () => {
    const other = await test.createApp();
    const first = await login();
    const elsewhere = test.run("auth.refresh", other, { refresh_token: first.refresh_token });
    await expect(elsewhere).rejects.toMatchObject({ code: "AUTH_INVALID_REFRESH_TOKEN" });
    await expect(refresh("x".repeat(43))).rejects.toMatchObject({ code: "AUTH_INVALID_REFRESH_TOKEN" });
    test.time.now = 7 * 86_400_000;
    await expect(refresh(first.refresh_token)).rejects.toMatchObject({ code: "AUTH_INVALID_REFRESH_TOKEN" });
    test.time.now = 0;
    await refresh(first.refresh_token);
  });

  it("are limited by session, so that one user's many refreshes do not stop another's", async () => {
    let [busy, calm] = [await login(), await login()];
    for (let i = 0; i < 20; i++) busy = await refresh(busy.refresh_token);
    await expect(refresh(busy.refresh_token)).rejects.toMatchObject({ code: "QUOTA_RATE_LIMIT" });
    calm = await refresh(calm.refresh_token);
    const quick = await test.createApp();
    await test.run("auth.update_jwt", quick, { accessTokenTtl: "10s" }, { principal: developer(test) });
    let tokens = await test.member(quick, "ann@example.com");
    for (let i = 0; i < 25; i++) {
      tokens = await test.run<TokenPair>("auth.refresh", quick, { refresh_token: tokens.refresh_token });
    }
  });
});

describe("sessions", () => {
  type Listed = { sessions: { id: string; current: boolean; user_agent: string }[] };
  it("are listed for their user and ended one by one, here or everywhere", async () => {
    const place = await test.createApp();
    const phone = await test.member(place, "ann@example.com");
    const [laptop, tablet] = [await login(place), await login(place)];
    const as = ({ access_token: token }: TokenPair) => ({ token });
    const list = () => test.run<Listed>("auth.list_sessions", place, {}, as(phone));
    expect((await list()).sessions.map(({ current }) => current).sort()).toEqual([false, false, true]);
    const session_id = String(decodeJwt(laptop.access_token).sid);
    await test.run("auth.revoke_session", place, { session_id }, as(phone));
    await expect(test.auth.verifyAccessToken(place.id, laptop.access_token)).rejects.toMatchObject(invalid);
    await expect(test.run("auth.revoke_session", place, { session_id }, as(phone))).rejects.toMatchObject({
      status: 404,
    });
    const stranger = await test.member(place, "bob@example.com");
    const theirs = { session_id: String(decodeJwt(stranger.access_token).sid) };
    await expect(test.run("auth.revoke_session", place, theirs, as(phone))).rejects.toMatchObject({
      status: 404,
    });

    await test.run("auth.logout", place, {}, as(phone));
    await expect(list()).rejects.toMatchObject(invalid);
    await test.auth.verifyAccessToken(place.id, tablet.access_token);
    await login(place);
    await test.run("auth.logout", place, { all: true }, as(tablet));
    const [left] = await test.platform.database.query<{ n: number }>(
      "select count(*)::int as n from ambit.auth_sessions where user_id = $1",
      [phone.user.id],
    );
    expect(left!.n).toBe(0);
    await test.auth.verifyAccessToken(place.id, stranger.access_token);
  });

  it("ended on one node are over on another within a second", async () => {
    const elsewhere = createAuth(test.platform, { apps: test.apps, mail: test.mail }).service;
    const tokens = await login();
    await elsewhere.verifyAccessToken(app.id, tokens.access_token);
    await test.run("auth.logout", app, {}, { token: tokens.access_token });
    await new Promise((resolve) => setTimeout(resolve, 900));
    await expect(elsewhere.verifyAccessToken(app.id, tokens.access_token)).rejects.toMatchObject(invalid);
  });

  it("cost microseconds to recognise again", async () => {
    const tokens = await login();
    await test.auth.verifyAccessToken(app.id, tokens.access_token);
    const started = performance.now();
    for (let i = 0; i < 1_000; i++) await test.auth.verifyAccessToken(app.id, tokens.access_token);
    expect((performance.now() - started) / 1_000).toBeLessThan(0.2);
  });
});
