import { describe, expect, it } from "vitest";
import { limits } from "../limits.ts";
import { judge, type Vitals } from "./watch.ts";

const well: Vitals = {
  rssBytes: 100,
  memoryBytes: 200,
  descriptors: 10,
  maxDescriptors: 1_000,
  silentTicks: 0,
  silentBusyShare: 0,
};
const ticks = (ms: number) => Math.ceil(ms / limits.healthMs);

describe("judge", () => {
  it("leaves a well process alone", () => {
    expect(judge(well)).toBe(null);
    expect(judge({ ...well, silentTicks: ticks(limits.healthAnswerMs) - 1, silentBusyShare: 1 })).toBe(null);
  });

  it("ends what takes too much", () => {
    expect(judge({ ...well, rssBytes: 201 })).toBe("memory");
    expect(judge({ ...well, descriptors: 901 })).toBe("descriptors");
  });

  it("ends a loop soon, and one that waits for its disk late", () => {
    expect(judge({ ...well, silentTicks: ticks(limits.healthAnswerMs), silentBusyShare: 0.9 })).toBe(
      "unresponsive",
    );
    expect(judge({ ...well, silentTicks: ticks(limits.healthAnswerMs), silentBusyShare: 0.6 })).toBe(null);
    expect(judge({ ...well, silentTicks: ticks(limits.blockedAnswerMs), silentBusyShare: 0.6 })).toBe(
      "unresponsive",
    );
  });
});
