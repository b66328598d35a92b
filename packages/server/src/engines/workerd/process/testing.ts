import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import type { ProcessOptions, ProcessPaths } from "./types.ts";

/** Ambit's tests only: a program of one unit, `fn-one`, whose module is `code`. */
export function configOf(code: string, more = ""): (paths: ProcessPaths) => string {
  return ({ socketsDir, storageDir }) => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "fn-one", worker = (
      modules = [(name = "one.js", esModule = ${JSON.stringify(code)})],
      compatibilityDate = "2026-07-01", globalOutbound = "internet",
      bindings = [(name = "DISK", service = "disk")])),
    (name = "disk", disk = (path = ${JSON.stringify(storageDir)}, writable = true)),
    (name = "internet", network = (allow = ["public", "private", "local"]))],
  sockets = [(name = "main", address = "unix:${socketsDir}/main.sock", http = (), service = "fn-one")],
  ${more});`;
}

export const hello = `export default { fetch() { return new Response("hello"); } };`;

export function optionsOf(dataDir: string, over: Partial<ProcessOptions> = {}): ProcessOptions {
  return {
    key: "app_test/functions",
    configText: configOf(hello),
    dataDir,
    storage: "own",
    memoryBytes: 256 * 1024 * 1024,
    log: pino({ level: "silent" }),
    ...over,
  };
}

/** A directory that is gone after `cleanUp`. */
export function scratch(): { dir: string; cleanUp(): void } {
  const dir = mkdtempSync(join(tmpdir(), "ambit-process-"));
  return { dir, cleanUp: () => rmSync(dir, { recursive: true, force: true }) };
}

export function fetchText(socketsDir: string, path = "/"): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ socketPath: join(socketsDir, "main.sock"), path, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        text += part;
      });
      response.on("end", () => resolve(text));
    }).on("error", reject);
  });
}

export interface Server {
  readonly child: ChildProcess;
  /** What it printed first, as JSON. */
  readonly said: Record<string, unknown>;
}

/**
 * A second Ambit, reduced to one process: starts a program on `dataDir`, prints `{pid, uid, report}` and waits to be
 * killed; prints `{error}` if it can't.
 */
export async function serverOn(dataDir: string, user: { uid?: number; gid?: number } = {}): Promise<Server> {
  const script = `
    import { sandboxReport, startProcess } from ${JSON.stringify(new URL("./index.ts", import.meta.url).href)};
    import { optionsOf } from ${JSON.stringify(import.meta.url)};
    const say = (what) => process.stdout.write(JSON.stringify(what) + "\\n");
    try {
      const program = await startProcess(optionsOf(${JSON.stringify(dataDir)}));
      await program.ready;
      say({ pid: program.pid, uid: process.getuid(), socketsDir: program.socketsDir, report: sandboxReport() });
      setInterval(() => {}, 1000);
    } catch (error) {
      say({ error: error.name + ": " + error.message });
    }`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
    ...user,
  });
  let text = "";
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout?.setEncoding("utf8").on("data", (part: string) => {
      text += part;
      if (text.includes("\n")) resolve(text);
    });
    child.once("exit", () => reject(new Error(`ended, having said: ${text}`)));
  });
  return { child, said: JSON.parse(line) as Record<string, unknown> };
}

/** Looks again and again; fails after ten seconds. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once("exit", () => resolve()));
}
