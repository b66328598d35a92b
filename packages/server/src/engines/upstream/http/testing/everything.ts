import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { createServer } from "node:net";

const PACKAGE = "@modelcontextprotocol/server-everything/dist/index.js";

export interface RunningServer {
  readonly port: number;
  stop(): Promise<void>;
}

/** The reference server with everything in it, as a process of its own on a free port of this machine. */
export async function startEverything(mode: "streamableHttp" | "sse"): Promise<RunningServer> {
  const port = await freePort();
  const script = createRequire(import.meta.url).resolve(PACKAGE);
  const child = spawn(process.execPath, [script, mode], {
    env: { PATH: process.env.PATH, PORT: String(port) },
    stdio: ["ignore", "ignore", "pipe"],
  });
  await new Promise<void>((resolve, reject) => {
    let said = "";
    child.stderr.on("data", (chunk) => {
      said += chunk;
      if (/listening on port|running on port/.test(said)) resolve();
    });
    child.once("exit", () => reject(new Error(`the server ended: ${said}`)));
  });
  return { port, stop: () => stop(child) };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
