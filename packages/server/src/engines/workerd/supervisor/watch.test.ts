import { describe, expect, it } from "vitest";
import { limits } from "../limits.ts";
import { judge, type Vitals } from "./watch.ts";

const well: Vitals = {
  rssBytes: 100,
  memoryBytes: 200,
  descriptors: 10,
  maxDescriptors: 1_000,
  silentTicks: 0,
  silentCpuShare: 0,
};
const ticks = (ms: number) => Math.ceil(ms / limits.healthMs);

describe("judge", () => {
  it("leaves a well process alone", () => {
    expect(judge(well)).toBe(null);
    expect(judge({ ...well, silentTicks: ticks(limits.healthAnswerMs) - 1, silentCpuShare: 1 })).toBe(null);
  });

  it("ends what takes too much", () => {
    expect(judge({ ...well, rssBytes: 201 })).toBe("memory");
    expect(judge({ ...well, descriptors: 901 })).toBe("descriptors");
  });

  it("ends a loop soon, and a starved process late", () => {
    expect(judge({ ...well, silentTicks: ticks(limits.healthAnswerMs), silentCpuShare: 0.9 })).toBe(
      "unresponsive",
    );
    expect(judge({ ...well, silentTicks: ticks(limits.healthAnswerMs), silentCpuShare: 0.1 })).toBe(null);
    expect(judge({ ...well, silentTicks: ticks(limits.starvedAnswerMs), silentCpuShare: 0.1 })).toBe(
      "unresponsive",
    );
  });
});
