import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AuthEvent } from "./service.ts";
import {
  type AuthFixture,
  authFixture,
  developer,
  PASSWORD,
  type TokenPair,
} from "./testing/auth-fixture.ts";

let test: AuthFixture;
const events: AuthEvent[] = [];
beforeAll(async () => {
  test = await authFixture();
  test.auth.onEvent((event) => void events.push(event));
});
afterAll(() => test.stop());

const signup = (app: never, email: string, patch = {}) =>
  test.run("auth.signup", app, { email, password: PASSWORD, ...patch });

describe("sign-up and log-in", () => {
  it("makes a user without tokens, logs in, and says who is signed in", async () => {
    const app = await test.createApp();
    const made = await test.run("auth.signup", app, {
      email: " Ann@Example.COM ",
      password: PASSWORD,
      display_name: "Ann",
    });
    expect(made).toEqual({
      user: { id: expect.any(String), email: "ann@example.com", email_verified: false, display_name: "Ann" },
      message: expect.any(String),
    });
    const tokens = await test.run("auth.login", app, { email: "ANN@example.com", password: PASSWORD });
    expect(tokens).toEqual({
      access_token: expect.any(String),
      refresh_token: expect.stringMatching(/^[\w-]{43}$/),
      expires_in: 3600,
      token_type: "Bearer",
      user: { ...made.user, avatar_url: null },
    });
    const me = await test.run("auth.me", app, {}, { token: tokens.access_token });
    expect(me).toMatchObject({ id: made.user.id, provider: "email", last_sign_in_at: expect.any(String) });
    expect(events.slice(-2).map(({ event, isNewUser }) => [event, isNewUser])).toEqual([
      ["signup", true],
      ["login", false],
    ]);
  });

  it("refuses a second sign-up, a wrong password and an unknown address", async () => {
    const app = await test.createApp();
    await signup(app as never, "bob@example.com");
    await expect(signup(app as never, "BOB@example.com")).rejects.toMatchObject({ status: 409 });
    const wrong = test.run("auth.login", app, { email: "bob@example.com", password: "Wrong-Horse-7" });
    await expect(wrong).rejects.toMatchObject({ code: "AUTH_INVALID_CREDENTIALS", status: 401 });
    const unknown = test.run("auth.login", app, { email: "nobody@example.com", password: PASSWORD });
    await expect(unknown).rejects.toMatchObject({ code: "AUTH_INVALID_CREDENTIALS" });
    const other = await test.createApp();
    await expect(
      test.run("auth.login", other, { email: "bob@example.com", password: PASSWORD }),
    ).rejects.toMatchObject({ status: 401 });
  });

  it("says what a weak password lacks and never records a password", async () => {
    const app = await test.createApp();
    const weak = signup(app as never, "cy@example.com", { password: "alllowercase" });
    await expect(weak).rejects.toMatchObject({
      code: "VALIDATION_WEAK_PASSWORD",
      status: 400,
      details: { missing: expect.arrayContaining(["a digit"]) },
    });
    await signup(app as never, "cy@example.com");
    await test.run("auth.login", app, { email: "cy@example.com", password: PASSWORD });
    const text = JSON.stringify(test.recorded);
    expect(text).toContain("[redacted]");
    expect(text).not.toContain(PASSWORD);
    expect(text).not.toContain("alllowercase");
  });

  it("limits guessing by address, and callers of this machine a hundredfold later", async () => {
    const app = await test.createApp();
    const guess = (ip: string) =>
      test
        .run("auth.login", app, { email: "x@example.com", password: "Wrong-Horse-7" }, { ip })
        .catch((error) => error.code);
    const codes = [];
    for (let i = 0; i < 11; i++) codes.push(await guess("203.0.113.9"));
    expect(codes.slice(0, 10)).toEqual(Array(10).fill("AUTH_INVALID_CREDENTIALS"));
    expect(codes[10]).toBe("QUOTA_RATE_LIMIT");
    expect(await guess("203.0.113.10")).toBe("AUTH_INVALID_CREDENTIALS");
    expect(await guess("127.0.0.1")).toBe("AUTH_INVALID_CREDENTIALS");
  });
});

describe("verifying addresses", () => {
  it("takes the mailed code once, whoever comes first", async () => {
    const app = await test.createApp();
    await signup(app as never, "dan@example.com");
    const { code } = await test.mailTo(app, "dan@example.com");
    const enter = () =>
      test.run("auth.verify_email", app, { email: "dan@example.com", code }).then(
        () => "ok",
        (error) => error.code,
      );
    const outcomes = await Promise.all([enter(), enter(), enter()]);
    expect(outcomes.sort()).toEqual(["AUTH_INVALID_CODE", "AUTH_INVALID_CODE", "ok"]);
    const tokens = await test.run<TokenPair & { user: { email_verified: boolean } }>("auth.login", app, {
      email: "dan@example.com",
      password: PASSWORD,
    });
    expect(tokens.user.email_verified).toBe(true);
  });

  it("voids a code after five wrong entries, after its time, and for other purposes, users and apps", async () => {
    const [app, other] = [await test.createApp(), await test.createApp()];
    await signup(app as never, "eve@example.com");
    await signup(other as never, "eve@example.com");
    const { code } = await test.mailTo(app, "eve@example.com");
    const verify = (where = app, entered = code) =>
      test.run("auth.verify_email", where, { email: "eve@example.com", code: entered }).then(
        () => "ok",
        (error) => error.code,
      );
    if ((await test.mailTo(other, "eve@example.com")).code !== code)
      expect(await verify(other)).toBe("AUTH_INVALID_CODE");
    const purposes = test.run("auth.magic_link_verify", app, { email: "eve@example.com", code });
    await expect(purposes).rejects.toMatchObject({ code: "AUTH_INVALID_CODE", status: 400 });
    test.time.now += 24 * 3_600_000;
    expect(await verify()).toBe("AUTH_INVALID_CODE");
    test.time.now = 0;
    const wrong = code === "000000" ? "111111" : "000000";
    for (let i = 0; i < 5; i++) expect(await verify(app, wrong)).toBe("AUTH_INVALID_CODE");
    expect(await verify()).toBe("AUTH_INVALID_CODE");
  });
});

describe("an app that requires verified addresses", () => {
  it("lets nobody in before, and tells nobody who has an account", async () => {
    const app = await test.createApp();
    const key = { principal: developer(test) };
    const set = await test.run("auth.update_settings", app, { require_email_verification: true }, key);
    expect(set).toMatchObject({ auth_config: { require_email_verification: true } });
    const first = await signup(app as never, "fay@example.com", { display_name: "F" });
    const login = () =>
      test.run<TokenPair>("auth.login", app, { email: "fay@example.com", password: PASSWORD });
    await expect(login()).rejects.toMatchObject({ code: "AUTH_EMAIL_NOT_VERIFIED", status: 403 });
    expect(await signup(app as never, "fay@example.com", { display_name: "F" })).toEqual(first);
    await test.run("auth.verify_email", app, {
      email: "fay@example.com",
      code: (await test.mailTo(app, "fay@example.com")).code,
    });
    await login();
    const again = await signup(app as never, "fay@example.com", { display_name: "F" });
    expect(again).toEqual({
      ...first,
      user: { ...first.user, id: expect.stringMatching(/^[0-9a-f-]{36}$/) },
    });
    expect(again.user.id).not.toBe(first.user.id);
    expect(await signup(app as never, "fay@example.com", { display_name: "F" })).toEqual(again);
    expect((await test.mailTo(app, "fay@example.com")).kind).toBe("already_registered");
  });

  it("gives a squatted address to whoever proves it: their password counts, the squatter's does not", async () => {
    const app = await test.createApp();
    const login = (password: string) =>
      test.run<TokenPair>("auth.login", app, { email: "gil@example.com", password });
    await signup(app as never, "gil@example.com", { password: "Squatter-Horse-7" });
    const squatter = await login("Squatter-Horse-7");
    await test.run(
      "auth.update_settings",
      app,
      { require_email_verification: true },
      { principal: developer(test) },
    );
    await signup(app as never, "gil@example.com");
    expect((await login(PASSWORD).catch((error) => error)).code).toBe("AUTH_INVALID_CREDENTIALS");
    await test.run("auth.verify_email", app, {
      email: "gil@example.com",
      code: (await test.mailTo(app, "gil@example.com")).code,
    });
    await login(PASSWORD);
    await expect(login("Squatter-Horse-7")).rejects.toMatchObject({ status: 401 });
    await expect(test.auth.verifyAccessToken(app.id, squatter.access_token)).rejects.toMatchObject({
      status: 401,
    });
  });
});

describe("sign-in codes", () => {
  it("make a verified user or sign one in, once per code", async () => {
    const app = await test.createApp();
    await test.run("auth.magic_link", app, { email: "hal@example.com" });
    const { code } = await test.mailTo(app, "hal@example.com");
    const enter = () =>
      test
        .run<TokenPair>("auth.magic_link_verify", app, { email: "hal@example.com", code })
        .catch(() => null);
    const outcomes = (await Promise.all([enter(), enter()])).filter((answer) => answer !== null);
    expect(outcomes).toHaveLength(1);
    expect(outcomes[0]!.user).toMatchObject({ email: "hal@example.com", email_verified: true });
    expect(events.at(-1)).toMatchObject({ event: "magic_link_login", isNewUser: true });
    await test.run("auth.magic_link", app, { email: "hal@example.com" });
    const again = await test.run<TokenPair>("auth.magic_link_verify", app, {
      email: "hal@example.com",
      code: (await test.mailTo(app, "hal@example.com")).code,
    });
    expect(again.user.id).toBe(outcomes[0]!.user.id);
  });

  it("take an unverified account away from whoever made it", async () => {
    const app = await test.createApp();
    const squatter = await test.member(app, "ida@example.com", false);
    await test.run("auth.forgot_password", app, { email: "ida@example.com" });
    const mail = await test.mailTo(app, "ida@example.com");
    expect(mail).toMatchObject({ kind: "magic_link", text: expect.stringContaining("never verified") });
    const owner = await test.run<TokenPair>("auth.magic_link_verify", app, {
      email: "ida@example.com",
      code: mail.code,
    });
    expect(owner.user.id).toBe(squatter.user.id);
    await expect(test.auth.verifyAccessToken(app.id, squatter.access_token)).rejects.toMatchObject({
      status: 401,
    });
    await expect(
      test.run("auth.login", app, { email: "ida@example.com", password: PASSWORD }),
    ).rejects.toMatchObject({ status: 401 });
  });
});

describe("new passwords", () => {
  const NEW = "Another-Horse-8";
  it("are set by code and address or by token, end every session, and work once", async () => {
    const app = await test.createApp();
    const before = await test.member(app, "jo@example.com");
    const ask = async () => {
      await test.run("auth.forgot_password", app, { email: "jo@example.com" });
      return test.mailTo(app, "jo@example.com");
    };
    const { code } = await ask();
    const byCode = { email: "jo@example.com", code, new_password: NEW };
    await test.run("auth.reset_password", app, byCode);
    await expect(test.run("auth.reset_password", app, byCode)).rejects.toMatchObject({
      code: "AUTH_INVALID_CODE",
    });
    await expect(test.auth.verifyAccessToken(app.id, before.access_token)).rejects.toMatchObject({
      status: 401,
    });
    await expect(
      test.run("auth.refresh", app, { refresh_token: before.refresh_token }),
    ).rejects.toMatchObject({ status: 401 });
    await test.run("auth.login", app, { email: "jo@example.com", password: NEW });
    const { token } = await ask();
    const other = await test.createApp();
    await expect(
      test.run("auth.reset_password", other, { token, new_password: PASSWORD }),
    ).rejects.toMatchObject({ status: 400 });
    await test.run("auth.reset_password", app, { token, new_password: PASSWORD });
    await expect(test.run("auth.reset_password", app, { token, new_password: NEW })).rejects.toMatchObject({
      status: 400,
    });
    await test.run("auth.login", app, { email: "jo@example.com", password: PASSWORD });
    await expect(test.run("auth.reset_password", app, { new_password: NEW })).rejects.toMatchObject({
      code: "VALIDATION_INVALID_SCHEMA",
    });
  });

  it("may be asked for by anyone with the same answer, three times per address and account", async () => {
    const app = await test.createApp();
    await test.member(app, "kim@example.com");
    const ask = (email: string, ip = "198.51.100.7") =>
      test.run("auth.forgot_password", app, { email }, { ip });
    expect(await ask("kim@example.com")).toEqual(await ask("nobody@example.com"));
    await ask("kim@example.com");
    await ask("kim@example.com");
    await expect(ask("kim@example.com")).rejects.toMatchObject({ code: "QUOTA_RATE_LIMIT", status: 429 });
    await ask("kim@example.com", "198.51.100.8");
  });

  it("are changed by a signed-in user who knows the present one; other sessions end", async () => {
    const app = await test.createApp();
    const phone = await test.member(app, "lea@example.com");
    const laptop = await test.run<TokenPair>("auth.login", app, {
      email: "lea@example.com",
      password: PASSWORD,
    });
    const change = (current_password: string, token?: string) =>
      test.run(
        "auth.change_password",
        app,
        { current_password, new_password: NEW },
        token === undefined ? {} : { token },
      );
    await expect(change(PASSWORD)).rejects.toMatchObject({ code: "AUTH_REQUIRED" });
    await expect(change("Wrong-Horse-7", laptop.access_token)).rejects.toMatchObject({
      code: "AUTH_WRONG_PASSWORD",
    });
    await change(PASSWORD, laptop.access_token);
    await test.auth.verifyAccessToken(app.id, laptop.access_token);
    await expect(test.auth.verifyAccessToken(app.id, phone.access_token)).rejects.toMatchObject({
      status: 401,
    });
    await test.run("auth.login", app, { email: "lea@example.com", password: NEW });
  });
});

describe("administration", () => {
  it("pages through users and deletes one with every session", async () => {
    const [app, other] = [await test.createApp(), await test.createApp()];
    const key = { principal: developer(test) };
    const members = [];
    for (const name of ["m1", "m2", "m3"]) members.push(await test.member(app, `${name}@example.com`, false));
    type Page = { users: { id: string; email: string }[]; next_cursor: string | null };
    const page = (cursor?: string) => test.run<Page>("auth.list_users", app, { limit: 2, cursor }, key);
    const first = await page();
    expect(first.users.map(({ email }) => email)).toEqual(["m3@example.com", "m2@example.com"]);
    const second = await page(first.next_cursor!);
    expect(second).toMatchObject({ users: [{ email: "m1@example.com" }], next_cursor: null });
    await expect(page("nonsense")).rejects.toMatchObject({ code: "VALIDATION_INVALID_SCHEMA" });
    await expect(test.run("auth.list_users", app, {})).rejects.toMatchObject({ code: "AUTH_REQUIRED" });
    await expect(
      test.run("auth.list_users", app, {}, { token: members[0]!.access_token }),
    ).rejects.toMatchObject({ status: 403 });

    const told: string[] = [];
    test.auth.onUserDeleted((_app, id) => void told.push(id));
    const user_id = members[0]!.user.id;
    await test.auth.verifyAccessToken(app.id, members[0]!.access_token);
    await expect(test.run("auth.delete_user", other, { user_id }, key)).rejects.toMatchObject({
      status: 404,
    });
    await test.run("auth.delete_user", app, { user_id }, key);
    await expect(test.auth.verifyAccessToken(app.id, members[0]!.access_token)).rejects.toMatchObject({
      status: 401,
    });
    await expect(
      test.run("auth.refresh", app, { refresh_token: members[0]!.refresh_token }),
    ).rejects.toMatchObject({ status: 401 });
    await expect(test.run("auth.delete_user", app, { user_id }, key)).rejects.toMatchObject({ status: 404 });
    expect(told).toEqual([user_id]);
  });

  it("stores lifetimes and the hook", async () => {
    const app = await test.createApp();
    const key = { principal: developer(test) };
    const jwt = await test.run("auth.update_jwt", app, { accessTokenTtl: "15m" }, key);
    expect(jwt).toMatchObject({
      app_id: app.id,
      jwt_config: { accessTokenTtl: "15m", refreshTokenTtlDays: 7 },
    });
    await expect(test.run("auth.update_jwt", app, { accessTokenTtl: "0s" }, key)).rejects.toMatchObject({
      status: 400,
    });
    expect(await test.member(app, "nia@example.com", false)).toMatchObject({ expires_in: 900 });
    const hook = await test.run("auth.configure_auth_hook", app, { post_auth_function: "welcome" }, key);
    expect(hook).toMatchObject({ auth_hook_function: "welcome" });
    expect(await test.run("auth.configure_auth_hook", app, { post_auth_function: null }, key)).toMatchObject({
      auth_hook_function: null,
    });
  });
});
