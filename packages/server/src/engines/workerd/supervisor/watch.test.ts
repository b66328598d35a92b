import { describe, expect, it } from "vitest";
import { limits } from "../limits.ts";
import { judge, type Vitals } from "./watch.ts";

const well: Vitals = {
  rssBytes: 100,
  memoryBytes: 200,
  descriptors: 10,
  maxDescriptors: 1_000,
  silentTicks: 0,
  silentRanShare: 0,
  silentWaitedShare: 0,
  silentSleepsPerS: 0,
};
const ticks = (ms: number) => Math.ceil(ms / limits.healthMs);

describe("judge", () => {
  it("leaves a well process alone", () => {
    expect(judge(well)).toBe(null);
    expect(judge({ ...well, silentTicks: ticks(limits.healthAnswerMs) - 1, silentRanShare: 1 })).toBe(null);
  });

  it("ends what takes too much", () => {
    expect(judge({ ...well, rssBytes: 201 })).toBe("memory");
    expect(judge({ ...well, descriptors: 901 })).toBe("descriptors");
  });

  it("ends a loop soon, and one that waits for its disk late", () => {
    expect(judge({ ...well, silentTicks: ticks(limits.healthAnswerMs), silentRanShare: 0.9 })).toBe(
      "unresponsive",
    );
    expect(judge({ ...well, silentTicks: ticks(limits.healthAnswerMs), silentRanShare: 0.6 })).toBe(null);
    expect(judge({ ...well, silentTicks: ticks(limits.blockedAnswerMs), silentRanShare: 0.6 })).toBe(
      "unresponsive",
    );
  });

  it("on a host short of processors, tells a loop by its never sleeping", () => {
    const starved = {
      ...well,
      silentTicks: ticks(limits.healthAnswerMs),
      silentRanShare: 0.3,
      silentWaitedShare: 0.65,
    };
    expect(judge(starved)).toBe("unresponsive");
    expect(judge({ ...starved, silentSleepsPerS: 200 })).toBe(null);
    const late = { ...starved, silentTicks: ticks(limits.starvedAnswerMs), silentSleepsPerS: 200 };
    expect(judge(late)).toBe("unresponsive");
  });
});
