import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import pg from "pg";
import type { Owner } from "../identity.ts";
import { type EmbeddedOptions, type EmbeddedPostgres, startEmbedded } from "../index.ts";
import { isRunning } from "../process.ts";
import { waitFor } from "../wait.ts";

export const isRoot = process.getuid?.() === 0;
export const isLinux = process.platform === "linux";

/** A number no passwd file knows. */
export const UNKNOWN_UID = 54_321;

/** Everything a test made, undone in reverse order by `cleanUp`. */
export class Workspace {
  readonly #undo: (() => unknown)[] = [];

  /** A new directory, closed to other users; as root it may be given to one of them. */
  directory(owner?: Owner): string {
    const path = realpathSync(mkdtempSync(`${tmpdir()}/ambit-pg-`));
    if (owner) chownSync(path, owner.uid, owner.gid);
    this.later(() => {
      chmodSync(path, 0o700);
      rmSync(path, { recursive: true, force: true, maxRetries: 5 });
    });
    return path;
  }

  /** A new directory every user may pass through. */
  openDirectory(owner?: Owner): string {
    const path = this.directory(owner);
    chmodSync(path, 0o711);
    return path;
  }

  async start(stateDir: string, options: Partial<EmbeddedOptions> = {}): Promise<EmbeddedPostgres> {
    const server = await startEmbedded({ stateDir, log: () => {}, ...options });
    this.later(() => server.stop());
    return server;
  }

  /** Starts the server in a process of its own, if need be through another program. */
  child(stateDir: string, user?: Owner, through: readonly string[] = []): Child {
    const program = fileURLToPath(new URL("./child.ts", import.meta.url));
    const [command, ...args] = [...through, process.execPath, program, stateDir];
    const process_ = spawn(command!, args, {
      ...user,
      cwd: "/",
      stdio: ["pipe", "pipe", "inherit"],
    });
    const child = new Child(process_);
    this.later(() => child.kill());
    return child;
  }

  /** A process that has nothing to do with Postgres. */
  async bystander(program: string, args: string[]): Promise<ChildProcess & { pid: number }> {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "ignore"] });
    await once(child, "spawn");
    this.later(() => child.kill("SIGKILL"));
    return child as ChildProcess & { pid: number };
  }

  later(undo: () => unknown): void {
    this.#undo.push(undo);
  }

  async cleanUp(): Promise<void> {
    for (const undo of this.#undo.splice(0).reverse()) await undo();
  }
}

/** What a child process says, one object per line. */
export class Child {
  readonly process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(child: ChildProcess) {
    this.process = child;
    this.#lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  }

  async next(): Promise<Record<string, never>> {
    const { value } = await this.#lines.next();
    return JSON.parse(value ?? '{"error":"ended without a word"}');
  }

  async stop(): Promise<void> {
    this.process.stdin!.write("stop\n");
    await this.next();
    if (this.process.exitCode === null) await once(this.process, "exit");
  }

  /** Ends it the hard way and waits until it is gone. */
  async kill(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.kill("SIGKILL");
    await once(this.process, "exit");
  }
}

/** Runs one statement on a connection of its own. */
export async function query(
  server: { host: string; port: number },
  text: string,
): Promise<Record<string, string>[]> {
  const client = new pg.Client({
    host: server.host,
    port: server.port,
    user: "postgres",
    database: "postgres",
  });
  client.on("error", () => {});
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end().catch(() => {});
  }
}

/** Waits until a process is gone; fails if it stays. */
export async function gone(pid: number, timeoutMs = 5_000): Promise<void> {
  const ended = await waitFor(() => !isRunning(pid), timeoutMs, 5);
  if (!ended) throw new Error(`process ${pid} is still there after ${timeoutMs} ms`);
}
