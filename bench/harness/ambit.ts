import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { readPidFile } from "../../packages/server/src/engines/postgres/embedded/pid-file.ts";
import { freePort } from "./free-port.ts";
import { ensureOpen } from "./resources.ts";

const MAIN = new URL("../../packages/server/src/main.ts", import.meta.url).pathname;
/** What `npm start` gives to Node. */
const NODE_OPTIONS: readonly string[] = JSON.parse(
  readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
).scripts.start.match(/--\S+/g);
const READY_WITHIN_MS = 30_000;
const STOPPED_WITHIN_MS = 10_000;
/** The resolution of the time until ready. */
const POLL_MS = 5;

/** A real Ambit in a process of its own, on its own port, directory and embedded Postgres. */
export interface RunningAmbit {
  readonly host: string;
  readonly port: number;
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly agentKey: string;
  readonly dataDir: string;
  readonly pid: number;
  readonly postgresPid: number;
  /** From spawning the process to the first 200 of `GET /health/ready`. */
  readonly readyMs: number;
  /** Asks it to stop and waits until it is gone. Further calls give the same promise. */
  stop(): Promise<void>;
}

/** An empty data directory that the account Postgres runs as can reach; removed with `resources`. */
export function newDataDir(resources: AsyncDisposableStack): string {
  ensureOpen(resources);
  const directory = mkdtempSync(join(tmpdir(), "ambit-bench-"));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  chmodSync(directory, 0o755);
  return directory;
}

/** Starts Ambit with its defaults (but for `settings`, variables) and waits until it is ready; rejects with its output when it does not get there. */
export async function startAmbit(
  resources: AsyncDisposableStack,
  dataDir: string,
  nodeOptions: readonly string[] = [],
  settings: Readonly<Record<string, string>> = {},
): Promise<RunningAmbit> {
  const port = await freePort();
  ensureOpen(resources);
  const spawnedAt = performance.now();
  const child = spawn(process.execPath, [...NODE_OPTIONS, ...nodeOptions, MAIN], {
    env: { ...bareEnvironment(), ...settings, AMBIT_PORT: String(port), AMBIT_DATA_DIR: dataDir },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  let stopping: Promise<void> | undefined;
  const stop = () => (stopping ??= stopProcess(child, exited, dataDir));
  resources.defer(stop);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
  const describe = (problem: string) => new Error(`Ambit ${problem}:\n${output}`);
  const until = async (condition: () => boolean | Promise<boolean>, what: string) => {
    while (!(await condition())) {
      if (child.exitCode !== null || child.signalCode !== null) throw describe("ended while starting");
      if (performance.now() - spawnedAt > READY_WITHIN_MS) throw describe(`did not ${what} in time`);
      await pause(POLL_MS);
    }
  };
  const url = `http://127.0.0.1:${port}`;
  await until(() => answers200(`${url}/health/ready`), "become ready");
  const readyMs = performance.now() - spawnedAt;
  await until(() => output.includes("Ambit is ready"), "say that it is ready");
  const credentials = JSON.parse(readFileSync(join(dataDir, "credentials.json"), "utf8"));
  return {
    host: "127.0.0.1",
    port,
    apiUrl: url,
    apiKey: credentials.api_key,
    agentKey: credentials.agent_key,
    dataDir,
    pid: child.pid!,
    postgresPid: readPidFile(join(dataDir, "postgres"))!.pid,
    readyMs,
    stop,
  };
}

/** The environment without anything that configures an Ambit: a bench measures the defaults. */
function bareEnvironment(): NodeJS.ProcessEnv {
  const foreign = ([name]: [string, unknown]) => !name.startsWith("AMBIT_") && name !== "DATABASE_URL";
  return Object.fromEntries(Object.entries(process.env).filter(foreign));
}

function answers200(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on("error", () => resolve(false));
  });
}

/** Ends Ambit, by force if it does not end by itself; then its Postgres, which outlives it, is ended here. */
async function stopProcess(child: ChildProcess, exited: Promise<unknown[]>, dataDir: string): Promise<void> {
  child.kill("SIGTERM");
  const giveUp = setTimeout(() => child.kill("SIGKILL"), STOPPED_WITHIN_MS);
  await exited;
  clearTimeout(giveUp);
  const left = readPidFile(join(dataDir, "postgres"));
  if (left === undefined) return;
  process.kill(left.pid, "SIGINT");
  while (readPidFile(join(dataDir, "postgres")) !== undefined) await pause(POLL_MS);
}
