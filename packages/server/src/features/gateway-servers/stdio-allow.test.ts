import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createLog } from "../../kernel/log.ts";
import { resolveAllowed } from "./stdio-allow.ts";

const root = mkdtempSync(join(tmpdir(), "ambit-allow-"));
afterAll(() => rmSync(root, { recursive: true }));
const log = createLog("silent");
const program = (path: string, mode = 0o755) => {
  writeFileSync(path, "#!/bin/sh\n");
  chmodSync(path, mode);
  return path;
};
for (const folder of ["one", "two", "one/folder"]) mkdirSync(join(root, folder));
const plain = program(join(root, "one", "plain"), 0o644);
const second = program(join(root, "two", "tool"));
program(join(root, "two", "plain"));
const path = `${join(root, "one")}:${join(root, "two")}`;

describe("AMBIT_STDIO_ALLOW", () => {
  it("allows what it lists, where it was found on PATH at the start, and nothing else", () => {
    const allowed = resolveAllowed(["tool", plain], path, log);
    expect(allowed.pathOf("tool")).toBe(second);
    expect(allowed.pathOf(plain)).toBe(plain);
    for (const other of [
      second,
      "plain",
      "TOOL",
      " tool",
      "tool ",
      "./tool",
      "../two/tool",
      "",
      "__proto__",
    ]) {
      expect(() => allowed.pathOf(other)).toThrow(/AMBIT_STDIO_ALLOW/);
    }
    program(join(root, "one", "tool"));
    expect(allowed.pathOf("tool")).toBe(second);
  });

  it("skips what is no program, and relative folders of PATH", () => {
    expect(resolveAllowed(["plain"], path, log).pathOf("plain")).toBe(join(root, "two", "plain"));
    expect(() => resolveAllowed(["folder"], path, log).pathOf("folder")).toThrow();
    expect(() => resolveAllowed(["tool"], "two:.", log).pathOf("tool")).toThrow();
    expect(() => resolveAllowed(["missing"], path, log).pathOf("missing")).toThrow(/AMBIT_STDIO_ALLOW/);
    expect(() => resolveAllowed([], path, log).pathOf("tool")).toThrow(/AMBIT_STDIO_ALLOW/);
  });
});
