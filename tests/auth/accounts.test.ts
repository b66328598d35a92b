import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apiAs } from "../support/api.ts";
import { must } from "../support/app.ts";
import { discard, type Server, startServer } from "../support/server.ts";
import { type AuthApp, authApp, codeOf, otherThan, PASSWORD } from "./auth-app.ts";

let server: Server;
let app: AuthApp;
beforeAll(async () => {
  server = await startServer();
  app = await authApp(server);
});
afterAll(() => discard(server));

let people = 0;
const someone = () => `person${++people}@example.com`;
/** An answer as a caller can tell it from another. */
const told = ({ status, body }: { status: number; body: any }) => [status, body];

describe("refresh tokens", () => {
  it("work once, and each gives the next", async () => {
    const first = await app.member(someone());
    const second = must(await app.post("refresh", { refresh_token: first.refresh_token }));
    const third = must(await app.post("refresh", { refresh_token: second.refresh_token }));
    expect(new Set([first, second, third].map((tokens) => tokens.refresh_token)).size).toBe(3);
    expect(third.user).toEqual(first.user);
    expect(await app.works(third.access_token)).toBe(true);
  });

  it("used again end the whole session, for the thief and the owner", async () => {
    const email = someone();
    const stolen = await app.member(email);
    const elsewhere = await app.login(email);
    const next = must(await app.post("refresh", { refresh_token: stolen.refresh_token }));
    const again = await app.post("refresh", { refresh_token: stolen.refresh_token });
    expect([again.status, codeOf(again)]).toEqual([401, "AUTH_REFRESH_TOKEN_REUSED"]);
    expect(codeOf(await app.post("refresh", { refresh_token: next.refresh_token }))).toBe(
      "AUTH_INVALID_REFRESH_TOKEN",
    );
    for (const token of [stolen.access_token, next.access_token]) expect(await app.works(token)).toBe(false);
    expect(await app.works(elsewhere.access_token)).toBe(true);
  });

  it("asked for twice at the same moment give the same successor, and the family lives", async () => {
    for (let round = 0; round < 4; round++) {
      const { refresh_token } = await app.member(someone());
      const answers = await Promise.all([1, 2].map(() => app.post("refresh", { refresh_token })));
      const [one, two] = answers.map(({ status, body }) => ({ status, next: body.refresh_token }));
      // Two that really met get the same; one that came later is a reuse. Never are there two families.
      if (one!.status === 200 && two!.status === 200) {
        expect(one!.next).toBe(two!.next);
        must(await app.post("refresh", { refresh_token: one!.next }));
      } else expect([one!.status, two!.status].sort()).toEqual([200, 401]);
      expect((await app.post("refresh", { refresh_token })).status).toBe(401);
    }
  });

  it("are of their app alone, and nothing else is one", async () => {
    const other = await authApp(server);
    const mine = await app.member(someone());
    expect((await other.post("refresh", { refresh_token: mine.refresh_token })).status).toBe(401);
    for (const refresh_token of ["x", mine.access_token, `${mine.refresh_token}x`, "' or 1=1 --"]) {
      expect([400, 401]).toContain((await app.post("refresh", { refresh_token })).status);
    }
    must(await app.post("refresh", { refresh_token: mine.refresh_token }));
  });
});

describe("sessions", () => {
  it("log out one by one, or all", async () => {
    const email = someone();
    const here = await app.member(email);
    const [phone, tablet] = [await app.login(email), await app.login(email)];
    must(await app.post("logout", {}, here.access_token));
    expect(await app.works(here.access_token)).toBe(false);
    expect((await app.post("refresh", { refresh_token: here.refresh_token })).status).toBe(401);
    const { sessions } = must(await app.get("sessions", phone.access_token));
    expect(sessions).toHaveLength(2);
    const other = sessions.find((session: any) => !session.current).id;
    const api = apiAs(server.apiUrl, phone.access_token);
    must(await api("DELETE", `/auth/${app.id}/sessions/${other}`));
    expect(await app.works(tablet.access_token)).toBe(false);
    const stranger = await app.member(someone());
    const mine = must(await app.get("sessions", phone.access_token)).sessions[0].id;
    const strange = apiAs(server.apiUrl, stranger.access_token);
    expect((await strange("DELETE", `/auth/${app.id}/sessions/${mine}`)).status).toBe(404);
    const last = await app.login(email);
    must(await app.post("logout", { all: true }, last.access_token));
    expect(await app.works(phone.access_token)).toBe(false);
    expect(await app.works(stranger.access_token)).toBe(true);
  });
});

describe("one-time codes", () => {
  /** How to ask for a code of each kind, and how to enter it. */
  const KINDS = [
    [
      "verify-email",
      (email: string) => app.signUp(email),
      (email: string, code: string) => app.post("verify-email", { email, code }),
    ],
    [
      "reset-password",
      async (email: string) => {
        await app.member(email);
        must(await app.post("forgot-password", { email }));
      },
      (email: string, code: string) =>
        app.post("reset-password", { email, code, new_password: "New-password-8" }),
    ],
    [
      "magic-link",
      async (email: string) => void must(await app.post("magic-link", { email })),
      (email: string, code: string) => app.post("magic-link/verify", { email, code }),
    ],
  ] as const;

  it.each(KINDS)("%s: five wrong entries void a code", async (_kind, ask, enter) => {
    const email = someone();
    await ask(email);
    const code = await app.code(email);
    expect(code).toMatch(/^\d{6}$/);
    for (let i = 0; i < 5; i++) {
      const answer = await enter(email, otherThan(code));
      // Setting a password has a limit of its own, which may come first.
      expect([400, 429]).toContain(answer.status);
    }
    expect((await enter(email, code)).status).toBeGreaterThanOrEqual(400);
  });

  it.each(KINDS)("%s: entries made at the same time are counted as well", async (_kind, ask, enter) => {
    const email = someone();
    await ask(email);
    const code = await app.code(email);
    const guesses = Array.from({ length: 8 }, (_, i) =>
      String((Number(code) + 1 + i) % 1_000_000).padStart(6, "0"),
    );
    await Promise.all(guesses.map((guess) => enter(email, guess)));
    expect((await enter(email, code)).status).toBeGreaterThanOrEqual(400);
  });

  it.each(KINDS)("%s: a code works once", async (_kind, ask, enter) => {
    const email = someone();
    await ask(email);
    const code = await app.code(email);
    expect((await enter(email, otherThan(code))).status).toBe(400);
    const answers = await Promise.all([enter(email, code), enter(email, code)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400]);
  });

  it("are good for one purpose, address and app", async () => {
    const [email, other] = [someone(), someone()];
    const elsewhere = await authApp(server);
    must(await app.post("magic-link", { email }));
    must(await app.post("magic-link", { email: other }));
    must(await elsewhere.post("magic-link", { email }));
    const code = await app.code(email);
    const enter = (where: AuthApp, path: string, body: object) => where.post(path, { code, ...body });
    expect((await enter(elsewhere, "magic-link/verify", { email })).status).toBe(400);
    expect((await enter(app, "magic-link/verify", { email: other })).status).toBe(400);
    expect((await enter(app, "verify-email", { email })).status).toBe(400);
    expect((await enter(app, "reset-password", { email, new_password: PASSWORD })).status).toBe(400);
    must(await enter(app, "magic-link/verify", { email }));
  });
});

describe("the list of users", () => {
  it("pages through everybody once, and takes no cursor it did not give", async () => {
    const crowd = await authApp(server);
    for (let i = 0; i < 5; i++) await crowd.signUp(someone());
    const users = (query: string) => crowd.owner("GET", `/v1/${crowd.id}/admin/auth/users?${query}`);
    const seen: string[] = [];
    let cursor = "";
    do {
      const page = must(await users(`limit=2${cursor && `&cursor=${cursor}`}`));
      seen.push(...page.users.map((user: any) => user.id));
      cursor = page.next_cursor ?? "";
    } while (cursor !== "");
    expect([seen.length, new Set(seen).size]).toEqual([5, 5]);
    const made = (text: string) => Buffer.from(text).toString("base64url");
    for (const forged of [
      "x",
      made("1"),
      made(`1 ${"-".repeat(36)}`),
      made("1 ' or 1=1 --"),
      made(`${"9".repeat(15)} x`),
    ]) {
      expect([forged, (await users(`cursor=${forged}`)).status]).toEqual([forged, 400]);
    }
  });
});

describe("passwords", () => {
  it.each([
    "short1!",
    "alllower-case7",
    "ALLUPPER-CASE7",
    "No-digits-here",
    "NoSpecials77",
    "        ",
    "Ab1!".repeat(51),
  ])("%j is too weak to sign up with", async (password) => {
    const answer = await app.post("signup", { email: someone(), password });
    expect([answer.status, codeOf(answer)]).toEqual([400, "VALIDATION_WEAK_PASSWORD"]);
    expect(answer.body.error.details.missing.length).toBeGreaterThan(0);
  });

  it.each(["Ünïcödé-🔑-7", `Aa1!${"x".repeat(196)}`, "  Sp ace 7 a"])(
    "%j is kept as it is",
    async (password) => {
      const email = someone();
      if (password.startsWith("  "))
        return expect((await app.post("signup", { email, password })).status).toBe(400);
      await app.signUp(email, password);
      await app.login(email, password);
      for (const near of [`${password}x`, password.slice(0, -1), password.toLowerCase()]) {
        expect((await app.post("login", { email, password: near })).status).toBe(401);
      }
    },
  );

  it("are reset by the code or the token of the mail, which ends every session", async () => {
    const email = someone();
    const before = await app.member(email);
    must(await app.post("forgot-password", { email }));
    const [mail] = await app.mails(email);
    expect(mail).toMatchObject({ kind: "reset_password" });
    expect(mail!.text).toContain(mail!.code);
    expect(codeOf(await app.post("reset-password", { email, code: mail!.code, new_password: "weak" }))).toBe(
      "VALIDATION_WEAK_PASSWORD",
    );
    must(await app.post("reset-password", { email, code: mail!.code, new_password: "New-password-8" }));
    expect(await app.works(before.access_token)).toBe(false);
    expect((await app.post("refresh", { refresh_token: before.refresh_token })).status).toBe(401);
    expect((await app.post("login", { email, password: PASSWORD })).status).toBe(401);
    await app.login(email, "New-password-8");
    // The token stood for the same proof, which is used up.
    expect(
      (await app.post("reset-password", { token: mail!.token, newPassword: "Third-password-9" })).status,
    ).toBe(400);
    must(await app.post("forgot-password", { email }));
    const { token } = (await app.mails(email)).find(({ kind }) => kind === "reset_password")!;
    must(await app.post("reset-password", { token, newPassword: "Third-password-9" }));
    await app.login(email, "Third-password-9");
    expect((await app.mails(email))[0]).toMatchObject({ kind: "password_changed", code: null });
  });

  it("are changed with the present one, which ends the other sessions", async () => {
    const email = someone();
    const here = await app.member(email);
    const there = await app.login(email);
    const change = (current_password: string) =>
      app.post("change-password", { current_password, new_password: "New-password-8" }, here.access_token);
    expect(codeOf(await change("Wrong-password-1"))).toBe("AUTH_WRONG_PASSWORD");
    must(await change(PASSWORD));
    expect([await app.works(here.access_token), await app.works(there.access_token)]).toEqual([true, false]);
    expect(
      (await app.post("change-password", { current_password: PASSWORD, new_password: PASSWORD })).status,
    ).toBe(401);
  });
});

describe("addresses", () => {
  it("known and unknown ones are answered alike", async () => {
    const known = someone();
    await app.member(known);
    const unknown = someone();
    const ask = async (path: string, rest: object = {}) =>
      [known, unknown].map((email) => ({ email, ...rest })).map((body) => app.post(path, body));
    for (const [path, rest] of [
      ["login", { password: "Wrong-password-1" }],
      ["forgot-password", {}],
      ["magic-link", {}],
      ["verify-email", { code: "000000" }],
      ["reset-password", { code: "000000", new_password: PASSWORD }],
      ["magic-link/verify", { code: "000000" }],
    ] as const) {
      const [one, two] = await Promise.all(await ask(path, rest));
      expect([path, ...told(one!)]).toEqual([path, ...told(two!)]);
    }
    expect(await app.mails(unknown)).toMatchObject([{ kind: "magic_link" }]);
  });

  it("are the same whatever their case and the spaces around them", async () => {
    const email = someone();
    await app.member(email);
    must(await app.post("login", { email: ` ${email.toUpperCase()} `, password: PASSWORD }));
    expect(codeOf(await app.post("signup", { email: email.toUpperCase(), password: PASSWORD }))).toBe(
      "AUTH_EMAIL_ALREADY_REGISTERED",
    );
  });

  it.each([
    "no-at",
    "a@b",
    "a b@example.com",
    "a@example.com\nbcc: b@example.com",
    "<a@example.com>",
    `${"x".repeat(250)}@example.com`,
  ])("%j is none", async (email) => {
    for (const path of ["signup", "magic-link", "forgot-password"]) {
      expect((await app.post(path, { email, password: PASSWORD })).status).toBe(400);
    }
  });

  it("are verified by the mailed code alone, and only then where the app asks for it", async () => {
    const strict = await authApp(server);
    must(await strict.owner("PATCH", `/v1/${strict.id}/config/auth`, { require_email_verification: true }));
    const email = someone();
    const signed = await strict.post("signup", { email, password: PASSWORD });
    expect(signed.body.user).toMatchObject({ email, email_verified: false });
    const login = await strict.post("login", { email, password: PASSWORD });
    expect([login.status, codeOf(login)]).toEqual([403, "AUTH_EMAIL_NOT_VERIFIED"]);
    // A wrong password says nothing about the account.
    expect(codeOf(await strict.post("login", { email, password: "Wrong-password-1" }))).toBe(
      "AUTH_INVALID_CREDENTIALS",
    );
    must(await strict.post("verify-email", { email, code: await strict.code(email) }));
    expect((await strict.login(email)).user.email_verified).toBe(true);
    // Who signs up with an address that is taken learns nothing; its owner gets a mail.
    const again = await strict.post("signup", { email, password: "Other-password-9" });
    const fresh = await strict.post("signup", { email: someone(), password: "Other-password-9" });
    expect([again.status, Object.keys(again.body.user), again.body.message]).toEqual([
      fresh.status,
      Object.keys(fresh.body.user),
      fresh.body.message,
    ]);
    expect((await strict.mails(email))[0]).toMatchObject({ kind: "already_registered", code: null });
    expect((await strict.post("login", { email, password: "Other-password-9" })).status).toBe(401);
  });

  it("whoever proves one gets it alone: an account made before with it loses its password and sessions", async () => {
    const email = someone();
    await app.signUp(email, "Attacker-password-1");
    const attacker = await app.login(email, "Attacker-password-1");
    must(await app.post("magic-link", { email }));
    const owner = must(await app.post("magic-link/verify", { email, code: await app.code(email) }));
    expect(owner.user.email_verified).toBe(true);
    expect(await app.works(attacker.access_token)).toBe(false);
    expect((await app.post("refresh", { refresh_token: attacker.refresh_token })).status).toBe(401);
    expect((await app.post("login", { email, password: "Attacker-password-1" })).status).toBe(401);
    expect(await app.works(owner.access_token)).toBe(true);
  });

  it("an unverified one is never given a password reset", async () => {
    const email = someone();
    await app.signUp(email, "Attacker-password-1");
    const attacker = await app.login(email, "Attacker-password-1");
    must(await app.post("forgot-password", { email }));
    const [mail] = await app.mails(email);
    expect(mail).toMatchObject({ kind: "magic_link", token: null });
    expect(
      (await app.post("reset-password", { email, code: mail!.code, new_password: PASSWORD })).status,
    ).toBe(400);
    must(await app.post("magic-link/verify", { email, code: mail!.code }));
    expect(await app.works(attacker.access_token)).toBe(false);
  });

  it("a sign-in code makes a user who is new, once", async () => {
    const email = someone();
    must(await app.post("magic-link", { email }));
    const { user, ...tokens } = must(
      await app.post("magic-link/verify", { email, code: await app.code(email) }),
    );
    expect(user).toMatchObject({ email, email_verified: true });
    expect(must(await app.get("me", tokens.access_token))).toMatchObject({
      id: user.id,
      provider: "magic_link",
    });
    expect((await app.post("login", { email, password: PASSWORD })).status).toBe(401);
    must(await app.post("magic-link", { email }));
    expect(must(await app.post("magic-link/verify", { email, code: await app.code(email) })).user.id).toBe(
      user.id,
    );
  });
});
