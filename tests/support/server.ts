import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MAIN = new URL("../../packages/server/src/main.ts", import.meta.url).pathname;

/** A real Ambit in a process of its own, on its own directory and port. */
export interface Server {
  readonly apiUrl: string;
  readonly mcpUrl: string;
  readonly apiKey: string;
  readonly agentKey: string;
  readonly dataDir: string;
  readonly pid: number;
  /** Everything it printed so far. */
  output(): string;
  /** Asks it to stop and waits until it is gone; resolves to the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number>;
  /** Ends it without warning; its Postgres goes on. Start again on the same directory to take it back. */
  kill(): Promise<void>;
}

/** An empty data directory that the account Postgres runs as can reach. */
export function newDataDir(): string {
  const directory = mkdtempSync(join(tmpdir(), "ambit-suite-"));
  chmodSync(directory, 0o755);
  return directory;
}

/** Starts Ambit and waits until it says it is ready; rejects with its output when it does not. */
export async function startServer(env: Record<string, string> = {}, dataDir = newDataDir()): Promise<Server> {
  const child = spawn(process.execPath, [MAIN], {
    env: { ...process.env, AMBIT_PORT: "0", AMBIT_DATA_DIR: dataDir, AMBIT_LOG_LEVEL: "warn", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const exited = new Promise<number>((resolve) =>
    child.on("exit", (code, signal) => resolve(code ?? (signal ? 128 : 1))),
  );
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  child.stderr.on("data", (chunk) => {
    output += chunk;
  });
  await ready(child, exited, () => output);
  const credentials = JSON.parse(readFileSync(join(dataDir, "credentials.json"), "utf8"));
  return {
    apiUrl: credentials.api_url,
    mcpUrl: credentials.mcp_url,
    apiKey: credentials.api_key,
    agentKey: credentials.agent_key,
    dataDir,
    pid: child.pid!,
    output: () => output,
    async stop(signal = "SIGTERM") {
      child.kill(signal);
      return exited;
    },
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** Stops the server and removes its directory. */
export async function discard(server: Server | undefined): Promise<void> {
  if (server === undefined) return;
  await server.stop();
  await rm(server.dataDir, { recursive: true, force: true });
}

/** The process id of the Postgres in a data directory, or null when there is none. */
export function postgresPid(dataDir: string): number | null {
  const file = join(dataDir, "postgres", "postmaster.pid");
  if (!existsSync(file)) return null;
  return Number(readFileSync(file, "utf8").split("\n")[0]);
}

async function ready(child: ChildProcess, exited: Promise<number>, output: () => string): Promise<void> {
  const deadline = Date.now() + 30_000;
  let code: number | undefined;
  void exited.then((value) => {
    code = value;
  });
  while (!output().includes("Ambit is ready")) {
    if (code !== undefined) throw new Error(`Ambit ended with code ${code}:\n${output()}`);
    if (Date.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`Ambit was not ready within 30 s:\n${output()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  // The banner's last part follows the first line in the same write.
  await new Promise((resolve) => setTimeout(resolve, 5));
}
