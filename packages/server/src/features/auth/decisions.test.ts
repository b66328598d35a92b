import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Metrics } from "../../kernel/metrics.ts";
import { inEvenTime } from "./answer-time.ts";
import { createGate, createPasswordHasher } from "./password-hasher.ts";
import { normalizePassword, passwordProblems } from "./password-rules.ts";
import { createAuthRates, isLoopback, network } from "./rate-limits.ts";
import { decideRefresh } from "./refresh.ts";
import { parseTtlSeconds } from "./token-lifetimes.ts";

describe("passwords", () => {
  it.each([
    ["Abcdef1!", []],
    ["Ünïcode9§", []],
    ["abcdefg1!", ["an upper-case letter"]],
    ["ABCDEFG1!", ["a lower-case letter"]],
    ["Abcdefgh!", ["a digit"]],
    ["Abcdefg1 ", ["a special character"]],
    ["Abc1!", ["at least 8 characters"]],
    [`Aa1!${"x".repeat(197)}`, ["at most 200 characters"]],
  ])("%s lacks %j", (password, missing) => expect(passwordProblems(password)).toEqual(missing));

  it("are the same however they were typed", async () => {
    const hasher = createPasswordHasher();
    const [composed, decomposed] = ["Pässwört-1", "Pa\u0308sswo\u0308rt-1"];
    expect(composed).not.toBe(decomposed);
    expect(normalizePassword(composed)).toBe(normalizePassword(decomposed));
    const hash = await hasher.hash(composed);
    expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(await hasher.verify(hash, decomposed)).toBe(true);
    expect(await hasher.verify(hash, "Passwort-1")).toBe(false);
    expect(await hasher.verify(null, "a password nobody has")).toBe(false);
  });

  it("are hashed two at a time, and refused when too many wait", async () => {
    const gate = createGate(2, 3);
    let [running, most] = [0, 0];
    const job = async () => {
      most = Math.max(most, ++running);
      await sleep(5);
      running -= 1;
    };
    const outcomes = await Promise.allSettled([1, 2, 3, 4, 5, 6, 7].map(() => gate(job)));
    expect(outcomes.filter(({ status }) => status === "rejected")).toHaveLength(2);
    expect(outcomes.at(-1)).toMatchObject({ reason: { code: "AUTH_BUSY", status: 503 } });
    expect(most).toBe(2);
    await gate(() => Promise.reject(new Error("no"))).catch(() => {});
    await Promise.all([gate(job), gate(job)]);
  });
});

describe("a refresh token", () => {
  const token = { usedAtMs: null, expiresAtMs: 1_000 };
  it("rotates until it expires", () => {
    expect(decideRefresh(token, 999, 999)).toBe("rotate");
    expect(decideRefresh(token, 1_000, 1_000)).toBe("expired");
  });
  it("is repeated only for who had arrived before it was used", () => {
    expect(decideRefresh({ ...token, usedAtMs: 500 }, 500, 501)).toBe("repeat");
    expect(decideRefresh({ ...token, usedAtMs: 500 }, 501, 501)).toBe("reused");
    expect(decideRefresh({ ...token, usedAtMs: 500 }, 2_000, 2_000)).toBe("reused");
  });
});

it("reads lifetimes within bounds", () => {
  expect(["1s", "90s", "15m", "1h", "30d"].map(parseTtlSeconds)).toEqual([1, 90, 900, 3_600, 2_592_000]);
  for (const bad of ["", "0s", "31d", "1", "h", "1 h", "1.5h", "-1h", "99999999999s", "1h\n"]) {
    expect(parseTtlSeconds(bad), bad).toBeNull();
  }
});

it("answers at multiples of a step, after success and failure", async () => {
  const timed = async (work: () => Promise<unknown>) => {
    const started = performance.now();
    await inEvenTime(40, work).catch(() => {});
    return performance.now() - started;
  };
  expect(await timed(async () => 1)).toBeGreaterThan(38);
  expect(await timed(async () => Promise.reject(new Error("no")))).toBeGreaterThan(38);
  expect(await timed(() => sleep(45))).toBeGreaterThan(78);
});

describe("counting callers", () => {
  it("counts an IPv6 caller by network, and an IPv4 one the same in both forms", () => {
    expect(network("2001:db8:1:2:3:4:5:6")).toBe(network("2001:db8:1:2::9"));
    expect(network("2001:db8:1:3::1")).not.toBe(network("2001:db8:1:2::1"));
    expect(network("::ffff:203.0.113.9")).toBe("203.0.113.9");
    expect(["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.9.9.9"].every(isLoopback)).toBe(true);
    expect(["10.0.0.1", "203.0.113.9", "", "localhost"].some(isLoopback)).toBe(false);
  });

  it("keeps one caller from using up what belongs to another", async () => {
    const rates = createAuthRates(new Metrics());
    const caller = fc.record({
      appId: fc.constantFrom("a", "b"),
      ip: fc.constantFrom("203.0.113.1", "203.0.113.2"),
      account: fc.constantFrom("x", "y"),
    });
    await fc.assert(
      fc.asyncProperty(caller, caller, async (attacker, victim) => {
        fc.pre(JSON.stringify(attacker) !== JSON.stringify(victim));
        const run = Math.random().toString();
        const count = (who: typeof attacker) =>
          rates.addressAndAccount("forgotPassword", { ...who, appId: `${who.appId}${run}` });
        for (let i = 0; i < 5; i++) await count(attacker).catch(() => {});
        await count(victim);
      }),
      { numRuns: 50 },
    );
  });

  it("gives sessions of short-lived tokens as many refreshes as they need", async () => {
    const rates = createAuthRates(new Metrics());
    for (let i = 0; i < 20; i++) await rates.refresh("long", 3_600);
    await expect(rates.refresh("long", 3_600)).rejects.toMatchObject({ code: "QUOTA_RATE_LIMIT" });
    for (let i = 0; i < 180; i++) await rates.refresh("short", 10);
    await expect(rates.refresh("short", 10)).rejects.toMatchObject({ code: "QUOTA_RATE_LIMIT" });
  });
});
