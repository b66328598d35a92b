import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { transformSync } from "oxc-transform";
import type { Host } from "./client.ts";

const PROGRAMS = new URL("./programs/", import.meta.url).pathname;
const BINARY = join(
  dirname(
    createRequire(import.meta.url).resolve(
      `@cloudflare/workerd-${process.platform}-${process.arch === "arm64" ? "arm64" : "64"}/package.json`,
    ),
  ),
  "bin",
  "workerd",
);

/** The TypeScript of a program, as a developer would deploy it. */
export const sourceOf = (name: string) => readFileSync(join(PROGRAMS, `${name}.program.ts`), "utf8");

/** `chat-room` is bound as `CHAT_ROOM`. */
export const bindingOf = (name: string) => name.toUpperCase().replaceAll("-", "_");

const classOf = (name: string) => /^export class (\w+)/m.exec(sourceOf(name))![1]!;

/** A workerd nobody of ours has touched, running the classes of one app behind the plainest router there is. */
export interface Bare extends Host {
  stop(): Promise<void>;
}

/** Starts bare workerd with these classes and variables. */
export async function startBare(names: readonly string[], env: Record<string, string> = {}): Promise<Bare> {
  const directory = mkdtempSync(join(tmpdir(), "bare-workerd-"));
  mkdirSync(join(directory, "storage"));
  for (const name of names) writeFileSync(join(directory, `${name}.js`), compile(name));
  writeFileSync(join(directory, "router.js"), ROUTER);
  writeFileSync(join(directory, "config.capnp"), configOf(names, env));
  let running = await spawnWorkerd(directory, "127.0.0.1:0");
  const address = `127.0.0.1:${running.port}`;
  return {
    origin: `http://${address}`,
    prefix: "/_do/",
    told: address,
    byOwnName: false,
    async crash() {
      await end(running.child);
      running = await spawnWorkerd(directory, address);
    },
    async stop() {
      await end(running.child);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function compile(name: string): string {
  const { code, errors } = transformSync(`${name}.ts`, sourceOf(name), { target: "es2022" });
  if (errors.length > 0) throw new Error(`${name}: ${errors[0]!.message}\n${errors[0]!.codeframe}`);
  return `${code}\nexport default {};\n`;
}

const ROUTER = `export default {
  fetch(request, env) {
    const [, name, instance] = /^\\/_do\\/([^/]+)\\/([^/]+)/.exec(new URL(request.url).pathname) ?? [];
    const namespace = env[name];
    if (namespace === undefined) return new Response("unknown DO", { status: 404 });
    return namespace.get(namespace.idFromName(decodeURIComponent(instance))).fetch(request);
  },
};
`;

function configOf(names: readonly string[], env: Record<string, string>): string {
  const namespace = (binding: string, name: string) =>
    `(name = ${text(binding)}, durableObjectNamespace = (className = ${text(classOf(name))}, serviceName = ${text(name)}))`;
  const variables = Object.entries(env).map(([key, value]) => `(name = ${text(key)}, text = ${text(value)})`);
  const classes = names.map((name) => {
    const bindings = [...names.map((other) => namespace(bindingOf(other), other)), ...variables];
    return `(name = ${text(name)}, worker = (
      compatibilityDate = "2026-07-01",
      modules = [(name = "${name}.js", esModule = embed "${name}.js")],
      bindings = [${bindings.join(", ")}],
      durableObjectNamespaces = [(className = ${text(classOf(name))}, uniqueKey = "key-${name}", enableSql = true)],
      durableObjectStorage = (localDisk = "storage"),
    ))`;
  });
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "router", worker = (
      compatibilityDate = "2026-07-01",
      modules = [(name = "router.js", esModule = embed "router.js")],
      bindings = [${names.map((name) => namespace(name, name)).join(", ")}],
    )),
    (name = "storage", disk = (path = "storage", writable = true)),
    ${classes.join(",\n    ")},
  ],
  sockets = [(name = "main", http = (), service = "router")],
);
`;
}

/** A string of the configuration language: ASCII, the rest as bytes. */
function text(value: string): string {
  const bytes = [...Buffer.from(value, "utf8")].map((byte) =>
    byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c
      ? String.fromCharCode(byte)
      : `\\x${byte.toString(16).padStart(2, "0")}`,
  );
  return `"${bytes.join("")}"`;
}

async function spawnWorkerd(
  directory: string,
  address: string,
): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn(
    BINARY,
    ["serve", "config.capnp", "--control-fd=3", "--socket-addr", `main=${address}`],
    { cwd: directory, stdio: ["ignore", "ignore", "pipe", "pipe"] },
  );
  let complaint = "";
  child.stderr!.on("data", (chunk) => {
    complaint += chunk;
  });
  return new Promise((resolve, reject) => {
    child.stdio[3]!.on("data", (chunk) => {
      const { event, port } = JSON.parse(String(chunk).split("\n")[0]!);
      if (event === "listen") resolve({ child, port });
    });
    child.on("exit", (code) => reject(new Error(`workerd ended with ${code}:\n${complaint}`)));
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
}
