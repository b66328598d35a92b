import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { linesOfLog, logOf, VKEY } from "./testing/log.ts";

const PACKAGE = new URL("../", import.meta.url).pathname;
let directory: string;
let examples: string[];
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ambit-ledger-readme-"));
  // As if the package had been installed here.
  await mkdir(join(directory, "node_modules", "@ambit"), { recursive: true });
  await symlink(PACKAGE, join(directory, "node_modules", "@ambit", "ledger"));
  const readme = await readFile(join(PACKAGE, "README.md"), "utf8");
  examples = [...readme.matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code!);
});
afterAll(() => rm(directory, { recursive: true }));

async function run(code: string, ...args: string[]): Promise<string> {
  const path = join(directory, "example.mjs");
  await writeFile(path, code);
  return (await promisify(execFile)(process.execPath, [path, ...args])).stdout;
}

it("the examples of the README run", async () => {
  expect(examples).toHaveLength(2);
  const lines = linesOfLog(logOf(5));
  const good = join(directory, "good.jsonl");
  await writeFile(good, lines.join(""));
  expect(await run(examples[0]!, good, VKEY)).toBe("all 5 entries are what was signed\n");
  const bad = join(directory, "bad.jsonl");
  await writeFile(bad, lines.toSpliced(2, 1).join(""));
  expect(await run(examples[0]!, bad, VKEY)).toBe("missing: Entry 1 is missing.\nnot what was signed\n");
  expect(await run(examples[1]!)).toBe("true\n");
});
