import { existsSync, readFileSync } from "node:fs";
import { afterEach, expect, test, vi } from "vitest";
import { type Bounds, Compiler } from "./compiler.ts";
import { limits } from "./limits.ts";

const small = "export class Room {}";
const large = `export class Room {}\n${"{ let b = 1; b + 1; }\n".repeat(60_000)}`;
const open: Compiler[] = [];

afterEach(async () => {
  for (const compiler of open.splice(0)) await compiler.close();
});

function compilerWith(bounds: Partial<Bounds>): Compiler {
  const compiler = new Compiler({ ...limits, ...bounds });
  open.push(compiler);
  return compiler;
}

test("a file that takes too long is refused, and its process ended", async () => {
  const compiler = compilerWith({ compileMs: 5 });
  const under = compiler.compile("actor", large, "room.ts");
  await expect(under).rejects.toMatchObject({ reason: "SOURCE_TOO_COMPLEX", line: null });
  await expect(under).rejects.toThrow(/room\.ts: .*time/);
  expect(compiler.pid).toBeNull();
});

test("a file that takes too much memory is refused", async () => {
  const compiler = compilerWith({ memoryBytes: 1, memoryProbeMs: 1 });
  await expect(compiler.compile("actor", large, "room.ts")).rejects.toThrow(/memory/);
});

test("an idle process is ended, and a later file gets a new one", async () => {
  const compiler = compilerWith({ idleMs: 20 });
  await compiler.compile("actor", small, "room.ts");
  const pid = compiler.pid;
  expect(pid).not.toBeNull();
  await vi.waitFor(() => expect(existsSync(`/proc/${pid}`)).toBe(false), { timeout: 10_000 });
  expect((await compiler.compile("actor", small, "room.ts")).className).toBe("Room");
});

test("a close lets files under way finish", async () => {
  const compiler = compilerWith({});
  const under = compiler.compile("function", "export const handler = () => 1;", "hello.ts");
  await compiler.close();
  expect((await under).entry).toBe("handler");
  expect(compiler.pid).toBeNull();
});

test("more files than may wait are turned away", async () => {
  const compiler = compilerWith({});
  const all = Array.from({ length: limits.queued + 5 }, () => compiler.compile("actor", small, "room.ts"));
  const settled = await Promise.allSettled(all);
  const refused = settled.filter(({ status }) => status === "rejected").length;
  expect(refused).toBeGreaterThan(0);
  expect(refused).toBeLessThan(5);
});

test("the process knows nothing of the server's environment", async () => {
  process.env.COMPILER_TEST_SECRET = "known";
  try {
    const compiler = compilerWith({});
    await compiler.compile("actor", small, "room.ts");
    expect(readFileSync(`/proc/${compiler.pid}/environ`, "utf8")).not.toContain("COMPILER_TEST_SECRET");
  } finally {
    delete process.env.COMPILER_TEST_SECRET;
  }
});
