import { describe, expect, it } from "vitest";
import { userAnswerHeaders } from "./user-answer.ts";

/** Values of a name in a flat list. */
const valuesOf = (flat: readonly string[], name: string) =>
  flat.filter((_, i) => i % 2 === 1 && flat[i - 1]!.toLowerCase() === name);

describe("what a caller is told", () => {
  const answer = ["Set-Cookie", "a=b", "Clear-Site-Data", '"*"', "X-Own", "1", "Content-Type", "text/html"];
  const plain = { requestId: "r1", ownHost: false, ours: new Set<string>() };
  it("can't act for a foreign origin", () => {
    const told = userAnswerHeaders([...answer, "Content-Security-Policy", "default-src 'self'"], plain);
    expect(told.join()).not.toMatch(/a=b|clear-site/i);
    expect(valuesOf(told, "content-security-policy")).toEqual(["default-src 'self'", "sandbox"]);
    expect(valuesOf(told, "x-content-type-options")).toEqual(["nosniff"]);
    expect(valuesOf(told, "x-own")).toEqual(["1"]);
  });
  it("keeps the app's own host name to the app", () => {
    const told = userAnswerHeaders(answer, { ...plain, ownHost: true });
    expect(valuesOf(told, "set-cookie")).toEqual(["a=b"]);
    expect(valuesOf(told, "content-security-policy")).toEqual([]);
    expect(valuesOf(told, "x-content-type-options")).toEqual(["nosniff"]);
  });
});
