import { describe, expect, it } from "vitest";
import { Admission } from "./admission.ts";
import { limits } from "./limits.ts";
import type { Answer } from "./name-judge.ts";
import type { Rule } from "./rule.ts";
import { service, user } from "./testing/recorder.ts";

const rule = (expression: string, steady = false): Rule => {
  const condition = { expression, steady };
  return { pattern: "r:*", receive: condition, send: condition };
};

/** Answers are given by hand, in whatever order. */
function world() {
  let nowMs = 0;
  let rules: Rule[] | null = [rule("one")];
  const asked: { expression: string; answer: (answer: Answer) => void }[] = [];
  const admission = new Admission({
    clock: () => nowMs,
    readRules: async () => {
      if (rules === null) throw new Error("no database");
      return new Map([["app", rules]]);
    },
    judge: {
      ask: (_app, expression) => new Promise((resolve) => void asked.push({ expression, answer: resolve })),
    },
  });
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  return {
    admission,
    asked,
    settled,
    pass: (ms: number) => {
      nowMs += ms;
    },
    setRules: (now: Rule[] | null) => {
      rules = now;
    },
    may: (name = "r:1", maxAgeMs: number = limits.rulesCacheMs) =>
      admission.may("app", user("ada"), name, ["receive"], maxAgeMs).then(({ verdict }) => verdict),
  };
}

describe("admission", () => {
  it("lets nobody in by an answer given before something changed", async () => {
    const { admission, asked, settled, setRules, may } = world();
    const verdict = may();
    await settled();
    setRules([rule("two")]);
    admission.changed("app");
    asked[0]?.answer("yes");
    await settled();
    expect(asked.map(({ expression }) => expression)).toEqual(["one", "two"]);
    asked[1]?.answer("no");
    expect(await verdict).toBe("no");
  });

  it("asks once for all who are alike, and again when the answer may be another", async () => {
    const { admission, asked, settled, pass, setRules, may } = world();
    const both = [may(), may()];
    await settled();
    asked[0]?.answer("yes");
    expect([await Promise.all(both), asked.length]).toEqual([["yes", "yes"], 1]);
    pass(limits.recheckMs - 1);
    expect([await may(), asked.length]).toEqual(["yes", 1]);
    pass(1);
    const later = may();
    await settled();
    expect(asked.length).toBe(2);
    asked[1]?.answer("no");
    expect(await later).toBe("no");
    setRules([rule("one", true)]);
    await admission.refresh(["app"]);
    const steady = may();
    await settled();
    asked[2]?.answer("yes");
    await steady;
    pass(100 * limits.recheckMs);
    await admission.refresh(["app"]);
    expect([await may(), asked.length]).toEqual(["yes", 3]);
  });

  it("does not keep what could not be decided", async () => {
    const { asked, settled, may } = world();
    for (const [index, answer] of (["failed", "unavailable", "yes"] as const).entries()) {
      const verdict = may();
      await settled();
      asked[index]?.answer(answer);
      expect(await verdict).toBe(answer);
      await settled();
    }
    expect(asked.length).toBe(3);
  });

  it("lets nobody in by rules that are too old to go by", async () => {
    const { admission, pass, setRules, may } = world();
    expect([await may("open"), await may("private:x")]).toEqual(["yes", "no_rule"]);
    setRules(null);
    expect(await may("open")).toBe("yes");
    pass(limits.rulesCacheMs + 1);
    expect(await may("open")).toBe("unavailable");
    const key = await admission.may("app", service, "private:x", ["receive"], 0);
    expect(key.verdict).toBe("yes");
    setRules([]);
    expect(await may("open")).toBe("yes");
  });

  it("knows without asking what a steady rule once allowed, until rules change or were read too long ago", async () => {
    const { admission, asked, settled, pass, setRules, may } = world();
    const known = (name = "r:1") =>
      admission.isKnown("app", user("ada"), name, ["receive"], limits.recheckMs);
    setRules([rule("one", true)]);
    expect(known("open")).toBe(false);
    const verdict = may();
    await settled();
    expect([known(), known("open"), known("private:x")]).toEqual([false, true, false]);
    asked[0]?.answer("yes");
    await verdict;
    expect([known(), known("r:2")]).toEqual([true, false]);
    expect(admission.isKnown("app", user("bob"), "r:1", ["receive"], limits.recheckMs)).toBe(false);
    pass(limits.recheckMs + 1);
    expect([known(), known("open")]).toEqual([false, false]);
    await may();
    expect(known()).toBe(true);
    admission.changed("app");
    expect([known(), known("open")]).toEqual([false, false]);
    const denied = may();
    await settled();
    asked[1]?.answer("no");
    await denied;
    expect(known()).toBe(false);
    expect(admission.isKnown("app", service, "private:x", ["send"], 0)).toBe(true);
  });
});
