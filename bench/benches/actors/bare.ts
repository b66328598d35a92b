import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../harness/free-port.ts";
import { ensureOpen } from "../../harness/resources.ts";
import { classNameOf } from "./programs.ts";

const require = createRequire(new URL("../../../packages/server/package.json", import.meta.url));

/** Routes by the instance in the path, as anyone would who has one class and no Ambit. */
const actorMain = (className: string) => `
import { ${className} } from "user.js";
export { ${className} };
export default {
  fetch(request, env) {
    const instance = new URL(request.url).pathname.split("/")[3];
    return env.NAMESPACE.get(env.NAMESPACE.idFromName(instance)).fetch(request);
  },
};`;

/** Calls the function behind a router that finds it by the name in the path. */
const ROUTER = `
export default {
  fetch(request, env) {
    const name = new URL(request.url).pathname.split("/")[2];
    return env[name] === undefined ? new Response("not found", { status: 404 }) : env[name].fetch(request);
  },
};`;

const functionMain = `
import { handler } from "user.js";
export default { fetch: (request, env, context) => handler(request, context) };`;

/** workerd by itself, listening on a port of this machine; ends with `resources`. */
export interface BareWorkerd {
  readonly port: number;
  readonly pid: number;
}

/** One class behind the plainest router, with its storage on disk. */
export function startBareActor(resources: AsyncDisposableStack, source: string): Promise<BareWorkerd> {
  const className = classNameOf(source);
  return start(resources, {
    sockets: [["main", "actor"]],
    services: [
      `( name = "disk", disk = ( path = "storage", writable = true ) )`,
      worker("actor", { "main.js": "main.js", "user.js": "user.js" }, [
        `durableObjectNamespaces = [ ( className = "${className}", uniqueKey = "bench", enableSql = true ) ]`,
        `durableObjectStorage = ( localDisk = "disk" )`,
        `bindings = [ ( name = "NAMESPACE", durableObjectNamespace = "${className}" ) ]`,
      ]),
    ],
    files: { "main.js": actorMain(className), "user.js": source },
  });
}

/** One function; behind a router that finds it by name, or alone on its socket. */
export function startBareFunction(
  resources: AsyncDisposableStack,
  source: string,
  routed: boolean,
): Promise<BareWorkerd> {
  const services = [worker("function", { "main.js": "main.js", "user.js": "user.js" }, [])];
  if (routed) {
    services.push(
      worker("router", { "router.js": "router.js" }, [
        `bindings = [ ( name = "hello", service = "function" ) ]`,
      ]),
    );
  }
  return start(resources, {
    sockets: [["main", routed ? "router" : "function"]],
    services,
    files: { "main.js": functionMain, "user.js": source, "router.js": ROUTER },
  });
}

interface Layout {
  readonly sockets: readonly (readonly [name: string, service: string])[];
  readonly services: readonly string[];
  readonly files: Readonly<Record<string, string>>;
}

function worker(name: string, modules: Readonly<Record<string, string>>, rest: readonly string[]): string {
  const list = Object.entries(modules).map(
    ([module, file]) => `( name = "${module}", esModule = embed "${file}" )`,
  );
  return `( name = "${name}", worker = ( ${[
    `modules = [ ${list.join(", ")} ]`,
    `compatibilityDate = "2026-07-01"`,
    ...rest,
  ].join(", ")} ) )`;
}

async function start(resources: AsyncDisposableStack, layout: Layout): Promise<BareWorkerd> {
  ensureOpen(resources);
  const directory = mkdtempSync(join(tmpdir(), "workerd-bench-"));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  mkdirSync(join(directory, "storage"));
  for (const [name, text] of Object.entries(layout.files)) writeFileSync(join(directory, name), text);
  const port = await freePort();
  const sockets = layout.sockets.map(
    ([name, service]) =>
      `( name = "${name}", address = "127.0.0.1:${port}", http = (), service = "${service}" )`,
  );
  const config = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  v8Flags = [ "--max-semi-space-size=1" ],
  sockets = [ ${sockets.join(", ")} ],
  services = [ ${layout.services.join(",\n    ")} ]
);`;
  writeFileSync(join(directory, "config.capnp"), config);
  ensureOpen(resources);
  const child = spawn(binary(), ["serve", "config.capnp", "--control-fd=3"], {
    cwd: directory,
    stdio: ["ignore", "ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  const kill = () => child.kill("SIGKILL");
  // Also when the bench ends in the middle of its own clearing up.
  process.once("exit", kill);
  resources.defer(async () => {
    process.off("exit", kill);
    kill();
    await exited;
  });
  let problem = "";
  child.stderr!.on("data", (chunk) => (problem += chunk));
  const listening = once(child.stdio[3]!, "data");
  await Promise.race([listening, exited.then(() => Promise.reject(new Error(`workerd ended: ${problem}`)))]);
  return { port, pid: child.pid! };
}

function binary(): string {
  const platform = process.arch === "arm64" ? "workerd-linux-arm64" : "workerd-linux-64";
  return require.resolve(`@cloudflare/${platform}/bin/workerd`);
}
