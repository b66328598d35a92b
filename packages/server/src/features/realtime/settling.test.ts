import { describe, expect, it } from "vitest";
import { isVisible, Settling } from "./settling.ts";

describe("isVisible", () => {
  it.each([
    [99, "90:100:", true],
    [100, "100:100:", false],
    [101, "90:100:", false],
    [95, "90:100:95,97", false],
    [96, "90:100:95,97", true],
    // The 64-bit numbers of a snapshot against the 32 bits of the log, on both sides of the wrap.
    [5, "8589934590:8589934600:8589934595", true],
    [5, "8589934590:8589934600:8589934597", false],
    [4_294_967_290, "4294967280:4294967300:", true],
    [3, "4294967290:4294967300:4294967298", true],
  ])("%i in %s: %s", (xid, snapshot, visible) => expect(isVisible(xid, snapshot)).toBe(visible));
});

describe("Settling", () => {
  it("is settled when a snapshot has seen every transaction, each by one of the snapshots", () => {
    const settling = new Settling();
    settling.add(10);
    settling.add(11);
    settling.add(0);
    expect(settling.settledBy("10:12:10")).toBe(false);
    expect(settling.count).toBe(1);
    expect(settling.settledBy("12:12:")).toBe(true);
  });
});
