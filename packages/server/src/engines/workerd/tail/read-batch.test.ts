import { expect, it } from "vitest";
import { readTailBatch } from "./index.ts";
import { limits } from "./limits.ts";

const event = {
  unit: "room",
  event: "fetch",
  outcome: "exception",
  atMs: 1_700_000_000_000,
  requestId: "r",
  method: "GET",
  path: "/x",
  status: 500,
  actorId: "a".repeat(64),
  lines: [{ level: "warn", message: "m", atMs: 1 }],
  exceptions: [{ name: "Error", message: "m", stack: null, atMs: 1 }],
};
const run = { unit: "room", event: "alarm", outcome: "ok", count: 3 };
const read = (batch: unknown) =>
  readTailBatch(Buffer.from(typeof batch === "string" ? batch : JSON.stringify(batch)));

it("reads what is written in the process", () => {
  expect(read({ events: [event], runs: [run] })).toEqual({ events: [event], runs: [run] });
});

it("takes over nothing that is not in the form", () => {
  const read1 = read({
    events: [{ ...event, extra: 1, lines: [{ ...event.lines[0], extra: 1 }] }],
    runs: [],
    more: 1,
  });
  expect(read1).toEqual({ events: [event], runs: [] });
  expect(read('{"events":[],"runs":[],"__proto__":{"polluted":1}}')).not.toHaveProperty("polluted");
});

it("cuts long texts and mends what Postgres can't store", () => {
  const message = `\0\ud800${"x".repeat(limits.lineChars * 2)}`;
  const [got] = read({
    events: [{ ...event, lines: [{ level: "shout", message, atMs: 1.5 }] }],
    runs: [],
  }).events;
  expect(got!.lines[0]!.level).toBe("log");
  expect(got!.lines[0]!.atMs).toBe(1);
  expect(got!.lines[0]!.message).toHaveLength(limits.lineChars);
  expect(got!.lines[0]!.message.slice(0, 3)).toBe("\ufffd\ufffdx");
});

it.each([
  ["no JSON", "{"],
  ["no object", "[]"],
  ["no lists", {}],
  ["a list that is none", { events: { length: 1 }, runs: [] }],
  ["too many events", { events: Array(limits.events + 1).fill(event), runs: [] }],
  [
    "too many lines",
    { events: [{ ...event, lines: Array(limits.linesPerEvent + 1).fill(event.lines[0]) }], runs: [] },
  ],
  ["a unit that is no text", { events: [{ ...event, unit: {} }], runs: [] }],
  ["an unknown event", { events: [{ ...event, event: "constructor" }], runs: [] }],
  ["a time out of range", { events: [{ ...event, atMs: 1e300 }], runs: [] }],
  ["a time that is none", { events: [{ ...event, atMs: null }], runs: [] }],
  ["a wrong id", { events: [{ ...event, actorId: "../../etc" }], runs: [] }],
  ["a wrong status", { events: [{ ...event, status: -1 }], runs: [] }],
  ["a count below nothing", { events: [], runs: [{ ...run, count: -5 }] }],
  ["a broken count", { events: [], runs: [{ ...run, count: 1.5 }] }],
  ["too large a body", `"${"x".repeat(limits.batchBytes)}"`],
])("refuses %s", (_what, batch) => {
  expect(() => read(batch)).toThrow("Not a tail batch");
});
