import { describe, expect, it } from "vitest";
import { limits } from "./limits.ts";
import { withRetries } from "./retry.ts";

const failing = (code: string | undefined, times: number) => {
  let calls = 0;
  const run = async () => {
    calls += 1;
    if (calls <= times) throw Object.assign(new Error("no"), { code });
    return calls;
  };
  return { run, calls: () => calls };
};

describe("withRetries", () => {
  it.each(["40001", "40P01", "23505"])("does it again after %s", async (code) => {
    expect(await withRetries(failing(code, 2).run)).toBe(3);
  });

  it("gives up after a few times", async () => {
    const work = failing("40P01", 1_000);
    await expect(withRetries(work.run)).rejects.toMatchObject({ code: "40P01" });
    expect(work.calls()).toBe(limits.attempts);
  });

  it.each(["23503", "RESOURCE_NOT_FOUND", undefined])("not after %s", async (code) => {
    const work = failing(code, 1);
    await expect(withRetries(work.run)).rejects.toThrow("no");
    expect(work.calls()).toBe(1);
  });
});
