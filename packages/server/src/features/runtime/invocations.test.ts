import { expect, it } from "vitest";
import { createInvocations } from "./invocations.ts";
import { limits } from "./limits.ts";
import { invocation, outcome } from "./testing/world.ts";

function setUp() {
  const time = { ms: 1_000_000 };
  const ended: string[] = [];
  const invocations = createInvocations(
    () => time.ms,
    ({ requestId }) => ended.push(requestId),
  );
  return { time, ended, invocations };
}

it("finds a request of this very program while it is under way, and not after", () => {
  const { ended, invocations } = setUp();
  const one = invocation();
  invocations.begin(one);
  expect(invocations.find("app_a", "functions", one.requestId)).toBe(one);
  expect(invocations.find("app_b", "functions", one.requestId)).toBeNull();
  expect(invocations.find("app_a", "actors", one.requestId)).toBeNull();
  expect(invocations.find("app_a", "functions", "other")).toBeNull();
  invocations.end(one.requestId, outcome());
  expect(invocations.find("app_a", "functions", one.requestId)).toBeNull();
  invocations.end(one.requestId, outcome());
  invocations.end("never begun", outcome());
  expect(ended).toEqual([one.requestId]);
});

it("finds one that waits for 30 seconds more", () => {
  const { time, invocations } = setUp();
  const one = invocation();
  invocations.begin(one);
  invocations.end(one.requestId, outcome({ waiting: true }));
  time.ms += limits.waitingMs;
  expect(invocations.find("app_a", "functions", one.requestId)).toMatchObject({ endedAtMs: 1_000_000 });
  time.ms += 1;
  expect(invocations.find("app_a", "functions", one.requestId)).toBeNull();
});

it("keeps no more of them than it may, the oldest go first", () => {
  const { invocations } = setUp();
  const all = Array.from({ length: limits.waiting + 5 }, () => invocation());
  for (const one of all) {
    invocations.begin(one);
    invocations.end(one.requestId, outcome({ waiting: true }));
  }
  const found = all.map((one) => invocations.find("app_a", "functions", one.requestId) !== null);
  expect(found.slice(0, 6)).toEqual([false, false, false, false, false, true]);
  expect(found.filter(Boolean)).toHaveLength(limits.waiting);
});

it("knows what a program lost with its process, for a moment and once", () => {
  const { time, invocations } = setUp();
  const end = (given: Parameters<typeof outcome>[0], of = {}) => {
    const one = invocation(of);
    invocations.begin(one);
    invocations.end(one.requestId, outcome(given));
    return one.requestId;
  };
  end({ status: 502, end: "process_lost" });
  time.ms += limits.lostMs + 1;
  const lost = end({ status: 502, end: "process_lost" });
  end({ status: 503, end: "process_lost" });
  end({ status: 101, end: "process_lost" });
  end({ status: 504, end: "timeout" });
  const other = end({ status: 0, end: "process_lost" }, { kind: "actors" });
  expect(invocations.takeLost("app_a", "functions").map(({ requestId }) => requestId)).toEqual([lost]);
  expect(invocations.takeLost("app_a", "functions")).toEqual([]);
  expect(invocations.takeLost("app_a", "actors").map(({ requestId }) => requestId)).toEqual([other]);
});
