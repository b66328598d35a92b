import { describe, expect, it } from "vitest";
import { createLookup } from "./cache.ts";

describe("createLookup", () => {
  it("loads once for callers at the same time, and again after the age limit", async () => {
    let loads = 0;
    const lookup = createLookup(async (key) => `${key}${++loads}`, { maxAgeMs: 30 });
    expect(await Promise.all([lookup.get("a"), lookup.get("a")])).toEqual(["a1", "a1"]);
    expect(await lookup.get("a")).toBe("a1");
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(await lookup.get("a")).toBe("a2");
  });

  it("never keeps an answer that was on its way when the key was forgotten", async () => {
    let value = "old";
    const releases: (() => void)[] = [];
    const lookup = createLookup(async () => {
      const read = value;
      await new Promise<void>((resolve) => releases.push(resolve));
      return read;
    });
    const early = lookup.get("a");
    value = "new";
    lookup.forget("a");
    const late = lookup.get("a");
    releases[1]!();
    expect(await late).toBe("new");
    releases[0]!();
    expect(await early).toBe("old");
    expect(lookup.peek("a")).toBe("new");
  });

  it("caches null but not failures", async () => {
    let calls = 0;
    const lookup = createLookup<string | null>(async () => {
      calls += 1;
      if (calls === 1) throw new Error("down");
      return null;
    });
    await expect(lookup.get("a")).rejects.toThrow("down");
    expect(await lookup.get("a")).toBeNull();
    expect(await lookup.get("a")).toBeNull();
    expect(calls).toBe(2);
  });
});
