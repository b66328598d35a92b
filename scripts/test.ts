import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * `npm test`: style, types, then every test. Ends with one line that counts them.
 * A suite that needs a system package this machine lacks is skipped and says how to install it;
 * with AMBIT_TEST_NO_SKIP=1 a skip is a failure.
 */
const root = new URL("..", import.meta.url).pathname;
const bin = (name: string) => join(root, "node_modules", ".bin", name);
const noSkip = process.env.AMBIT_TEST_NO_SKIP === "1";

/** Runs a command with its output shown; resolves to its exit code. */
function run(command: string, args: string[]): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: "inherit" });
    child.on("error", () => resolve(127));
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

interface VitestReport {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  success: boolean;
}

let passed = 0;
let failed = 0;
let skipped = 0;
const selected = process.argv.slice(2);
if (selected.length === 0) {
  for (const [name, args] of [
    ["biome", ["check", "--error-on-warnings", "."]],
    ["tsc", ["--noEmit"]],
    ["tsc", ["--noEmit", "-p", "examples/actors"]],
  ] as const) {
    const ok = (await run(bin(name), [...args])) === 0;
    process.stdout.write(`${ok ? "✓" : "✗"} ${name}\n`);
    if (ok) passed += 1;
    else failed += 1;
  }
}

const directory = mkdtempSync(join(tmpdir(), "ambit-report-"));
const reportFile = join(directory, "report.json");
const code = await run(bin("vitest"), [
  "run",
  "--reporter=default",
  "--reporter=json",
  `--outputFile.json=${reportFile}`,
  ...selected,
]);
try {
  const report: VitestReport = JSON.parse(readFileSync(reportFile, "utf8"));
  passed += report.numPassedTests;
  failed += report.numFailedTests;
  skipped += report.numPendingTests + report.numTodoTests;
  // A file that fails before its first test counts as one failure.
  if (code !== 0 && report.numFailedTests === 0) failed += 1;
} catch {
  failed += 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}

if (skipped > 0 && noSkip) process.stdout.write(`${skipped} skipped, and no skip is allowed here\n`);
process.stdout.write(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}\n`);
process.exit(failed > 0 || (noSkip && skipped > 0) ? 1 : 0);
