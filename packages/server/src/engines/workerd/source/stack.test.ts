import { afterAll, expect, test } from "vitest";
import { closeCompiler, compileActor, mapPosition, mapStack } from "./index.ts";

afterAll(closeCompiler);

const source = `interface Options {
  a: string;
  b: string;
  c: string;
  d: string;
}

enum Color { Red }

export class ChatRoom {
  constructor(public state: unknown) {}

  async fetch(request: Request): Promise<Response> {
    throw new Error("boom" as string);
  }
}
`;

/** Line and column, from 1, of a text in the code. */
function place(code: string, text: string) {
  const lines = code.split("\n");
  const line = lines.findIndex((item) => item.includes(text));
  return { line: line + 1, column: lines[line]!.indexOf(text) + 1 };
}

test("frames of the user's module name the TypeScript file", async () => {
  const { code, sourceMap } = await compileActor(source, "chat-room.ts");
  const at = place(code, "new Error");
  expect(at.line).not.toBe(14);
  const stack = [
    "Error: boom at user.js:1:1",
    `    at ChatRoom.fetch (user.js:${at.line}:${at.column})`,
    `    at async user.js:${at.line}:${at.column}`,
    `    at file:///user.js:${at.line}:${at.column}`,
    `    at new ChatRoom (chat-room.js:${at.line}:${at.column})`,
    "    at async Wrapped.fetch (ambit/actor.js:3:7)",
    "    at ambit/main.js:9:1",
    "    at ambit-main.js:9:1",
    "    at node:internal/x.js:1:2",
    "    at Array.map (<anonymous>)",
    "    at x (some/where/else.js:1:2)",
    "    at y (user.js:90000:1)",
  ].join("\n");
  expect(mapStack(stack, sourceMap, "chat-room.ts").split("\n")).toEqual([
    "Error: boom at user.js:1:1",
    "    at ChatRoom.fetch (chat-room.ts:14:11)",
    "    at async chat-room.ts:14:11",
    "    at chat-room.ts:14:11",
    "    at new ChatRoom (chat-room.ts:14:11)",
    "    at node:internal/x.js:1:2",
    "    at Array.map (<anonymous>)",
    "    at x (some/where/else.js:1:2)",
    "    at y (user.js:90000:1)",
  ]);
  expect(mapPosition(sourceMap, at.line, at.column)).toEqual({ line: 14, column: 11 });
});

test("a file name with signs that mean something in a replacement stays as it is", async () => {
  const { code, sourceMap } = await compileActor(source, "x.ts");
  const at = place(code, "new Error");
  expect(mapStack(`    at user.js:${at.line}:${at.column}`, sourceMap, "$&.ts")).toBe("    at $&.ts:14:11");
});

test("what can't be mapped is passed on", () => {
  const stack = "Error: x\n    at user.js:1:1";
  expect(mapStack(stack, "no map", "x.ts")).toBe(stack);
  expect(mapStack(stack, '{"version":3,"sources":[],"names":[],"mappings":""}', "x.ts")).toBe(stack);
  expect(mapPosition("no map", 1, 1)).toBeNull();
  expect(mapPosition('{"version":3,"sources":[],"names":[],"mappings":"AAAA"}', 0, 0)).toBeNull();
});

test("a long stack takes no long time", () => {
  const map = '{"version":3,"sources":["x.ts"],"names":[],"mappings":"AAAA"}';
  const hostile = `Error\n${`    at ${"(".repeat(100_000)}user.js:1:1\n`.repeat(5)}${"    at user.js:1:1\n".repeat(10_000)}`;
  const mapped = mapStack(hostile, map, "x.ts").split("\n");
  expect(mapped).toHaveLength(hostile.split("\n").length);
  expect(mapped.filter((line) => line.includes("x.ts")).length).toBeLessThan(200);
});
