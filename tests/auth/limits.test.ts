import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Answer } from "../support/api.ts";
import { must } from "../support/app.ts";
import { discard, type Server, startServer } from "../support/server.ts";
import { type AuthApp, authApp, codeOf, otherThan, PASSWORD } from "./auth-app.ts";

let server: Server;
let app: AuthApp;
beforeAll(async () => {
  // Behind one proxy, whose word about the caller's address is believed.
  server = await startServer({ AMBIT_TRUSTED_PROXIES: "1" });
  app = await authApp(server);
});
afterAll(() => discard(server));

let people = 0;
const someone = () => `person${++people}@example.com`;
/** The last entry is the proxy's own; what stands before it is whatever the caller wrote. */
const from = (ip: string, claimed = "") => ({ "x-forwarded-for": claimed === "" ? ip : `${claimed}, ${ip}` });
const limited = (answer: Answer) => answer.status === 429;
const wrong = (email: string) => ({ email, password: "Wrong-password-1" });

/** Sends the same call until it is refused for its number; how many went through. */
async function untilLimited(call: (i: number) => Promise<Answer>, most: number): Promise<number> {
  for (let i = 0; i < most; i++) {
    const answer = await call(i);
    if (!limited(answer)) continue;
    expect(codeOf(answer)).toBe("QUOTA_RATE_LIMIT");
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    return i;
  }
  return most;
}

describe("one address", () => {
  it("may fail to log in ten times, and others are not held up", async () => {
    const email = someone();
    await app.member(email);
    const attacker = from("203.0.113.1");
    expect(await untilLimited(() => app.post("login", wrong(email), null, attacker), 20)).toBe(10);
    // The right password comes from another address at the same time.
    must(await app.post("login", { email, password: PASSWORD }, null, from("203.0.113.2")));
    // A new name for itself gives the attacker nothing; only the proxy's entry counts.
    for (const claimed of ["198.51.100.7", "127.0.0.1", "::1"]) {
      expect(limited(await app.post("login", wrong(email), null, from("203.0.113.1", claimed)))).toBe(true);
    }
  });

  it("of IPv6 is a whole network", async () => {
    const email = someone();
    const call = (i: number) =>
      app.post("login", wrong(email), null, from(`2001:db8:1:2:${i + 1}::${i + 1}`));
    expect(await untilLimited(call, 20)).toBe(10);
    expect(limited(await app.post("login", wrong(email), null, from("2001:db8:1:3::1")))).toBe(false);
  });

  it("may sign up five times", async () => {
    const call = () =>
      app.post("signup", { email: someone(), password: PASSWORD }, null, from("203.0.113.3"));
    expect(await untilLimited(call, 10)).toBe(5);
    must(await app.post("signup", { email: someone(), password: PASSWORD }, null, from("203.0.113.4")));
  });

  it("may ask for five sign-in codes and enter ten", async () => {
    const ask = () => app.post("magic-link", { email: someone() }, null, from("203.0.113.5"));
    expect(await untilLimited(ask, 10)).toBe(5);
    const enter = (i: number) =>
      app.post(
        "magic-link/verify",
        { email: someone(), code: String(100_000 + i) },
        null,
        from("203.0.113.5"),
      );
    expect(await untilLimited(enter, 20)).toBe(10);
  });

  it("uses up what is its own alone: another app is not limited by it", async () => {
    const other = await authApp(server);
    const attacker = from("203.0.113.6");
    await untilLimited(() => app.post("login", wrong(someone()), null, attacker), 20);
    expect(limited(await other.post("login", wrong(someone()), null, attacker))).toBe(false);
  });
});

describe("one account", () => {
  it("can't be guessed from many addresses", async () => {
    const email = someone();
    await app.member(email);
    let tried = 0;
    let limitedAt = 0;
    for (let host = 1; host <= 14 && limitedAt === 0; host++) {
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => app.post("login", wrong(email), null, from(`198.51.100.${host}`))),
      );
      tried += answers.filter((answer) => !limited(answer)).length;
      if (answers.some(limited)) limitedAt = host;
    }
    // One log-in of its owner counts as well.
    expect(tried).toBe(99);
    const bystander = someone();
    await app.signUp(bystander);
    must(await app.post("login", { email: bystander, password: PASSWORD }, null, from("198.51.100.200")));
  });

  it("gets six mails, however many ask for them", async () => {
    const email = someone();
    const paths = ["magic-link", "forgot-password"];
    const call = (i: number) => app.post(paths[i % 2]!, { email }, null, from(`192.0.2.${i + 1}`));
    await app.signUp(email);
    expect(await untilLimited(call, 20)).toBe(5);
    expect(await app.mails(email)).toHaveLength(6);
    must(await app.post("magic-link", { email: someone() }, null, from("192.0.2.100")));
  });

  it("its code can't be guessed from many addresses either", async () => {
    const email = someone();
    must(await app.post("magic-link", { email }));
    const code = await app.code(email);
    let guess = code;
    for (let i = 1; i <= 5; i++) {
      guess = otherThan(guess);
      const answer = await app.post("magic-link/verify", { email, code: guess }, null, from(`198.18.0.${i}`));
      expect(codeOf(answer)).toBe("AUTH_INVALID_CODE");
    }
    const late = await app.post("magic-link/verify", { email, code }, null, from("198.18.0.99"));
    expect(codeOf(late)).toBe("AUTH_INVALID_CODE");
    // A new code is a new one.
    must(await app.post("magic-link", { email }));
    must(await app.post("magic-link/verify", { email, code: await app.code(email) }));
  });

  it("a locked-out stranger's refresh tokens don't stop anybody else's", async () => {
    const [loud, quiet] = [await app.member(someone()), await app.member(someone())];
    let { refresh_token } = loud;
    const call = async () => {
      const answer = await app.post("refresh", { refresh_token }, null, from("203.0.113.9"));
      if (answer.status === 200) refresh_token = answer.body.refresh_token;
      return answer;
    };
    expect(await untilLimited(call, 40)).toBe(20);
    must(await app.post("refresh", { refresh_token: quiet.refresh_token }, null, from("203.0.113.9")));
  });
});
