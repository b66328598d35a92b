import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const ROOT = new URL("../../", import.meta.url).pathname;
const isRoot = process.getuid?.() === 0;
/** Debian's unprivileged account. */
const NOBODY = 65_534;
let directory: string;
let clone: string;

interface Ended {
  readonly code: number;
  readonly output: string;
}

/** Runs a command as on a machine of its own: none of this run's own Node on the path. */
function run(
  command: string,
  args: string[],
  options: { cwd: string; uid?: number; env?: Record<string, string> },
): Promise<Ended> {
  const path = (process.env.PATH ?? "")
    .split(delimiter)
    .filter((part) => !part.includes("node_modules"))
    .join(delimiter);
  const inherited = Object.entries(process.env).filter(([name]) => !/^(npm_|VITEST|NODE_|AMBIT_)/.test(name));
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...Object.fromEntries(inherited), PATH: path, HOME: directory, ...options.env },
      ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk) => {
        output += chunk;
      });
    }
    child.on("exit", (code) => resolve({ code: code ?? -1, output }));
  });
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "ambit-clone-"));
  chmodSync(directory, 0o777);
  clone = join(directory, "ambit");
  const cloned = await run("git", ["clone", "--quiet", "--no-hardlinks", ROOT, clone], { cwd: directory });
  expect(cloned).toMatchObject({ code: 0 });
  const config = process.env.NPM_CONFIG_USERCONFIG ?? join(process.env.HOME ?? "/root", ".npmrc");
  const installed = await run("npm", ["ci", "--no-audit", "--no-fund"], {
    cwd: clone,
    env: { NPM_CONFIG_USERCONFIG: config },
  });
  expect(installed.code, installed.output).toBe(0);
}, 240_000);
afterAll(() => rm(directory, { recursive: true, force: true }));

/** What the demo must have shown, whoever ran it. */
function expectPlayed({ code, output }: Ended) {
  expect(code, output).toBe(0);
  expect(output).toContain("Everyone saw exactly what they may see.");
  expect(output).not.toContain("✗");
  expect(output).toMatch(/MCP {3}http:\/\/127\.0\.0\.1:\d+\/mcp/);
  expect(output).toMatch(/person {2}bb_sk_[0-9a-f]{40}/);
}

describe("a clean clone", () => {
  it("plays the main job with `npm ci && npm run demo -- --once`", async () => {
    const env = { AMBIT_DATA_DIR: join(directory, "data"), AMBIT_PORT: "0" };
    expectPlayed(await run("npm", ["run", "demo", "--", "--once"], { cwd: clone, env }));
  }, 60_000);

  it("ends with `npm start` when npm is told to stop", async () => {
    const dataDir = join(directory, "data-of-start");
    const child = spawn("npm", ["start"], {
      cwd: clone,
      env: { ...process.env, AMBIT_DATA_DIR: dataDir, AMBIT_PORT: "0" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    await new Promise<void>((resolve) => {
      child.stdout.on("data", (chunk) => {
        if (String(chunk).includes("Ambit is ready")) resolve();
      });
    });
    const { api_url } = JSON.parse(readFileSync(join(dataDir, "credentials.json"), "utf8"));
    const startedAt = Date.now();
    const exited = new Promise((resolve) => child.on("exit", resolve));
    child.kill("SIGTERM");
    await exited;
    const answers = () => fetch(`${api_url}/health`).then(Boolean, () => false);
    while ((await answers()) || existsSync(join(dataDir, "postgres", "postmaster.pid"))) {
      expect(Date.now() - startedAt).toBeLessThan(30_000);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }, 60_000);

  // Run by an ordinary user, the first of these is that already.
  if (isRoot) {
    it("does the same for an ordinary user", async () => {
      const env = { AMBIT_DATA_DIR: join(directory, "data-of-nobody"), AMBIT_PORT: "0" };
      expectPlayed(await run("npm", ["run", "demo", "--", "--once"], { cwd: clone, env, uid: NOBODY }));
    }, 60_000);
  }
});
