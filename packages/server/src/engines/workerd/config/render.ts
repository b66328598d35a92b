import type { ProcessPaths } from "../process/types.ts";
import type { Program } from "../types.ts";
import { workerModule } from "../workers/index.ts";
import { ConfigError, capnpText } from "./capnp-text.ts";
import { actorNames, actorSocket, functionNames, functionSocket, SCHEME_HEADER, SOCKETS } from "./layout.ts";
import type { ProcessTokens } from "./tokens.ts";
import { actorService, COMPATIBILITY_DATE, esModule, functionService } from "./units.ts";

const UNIT_NAME = /^[a-z0-9][a-z0-9_-]*$/i;

/**
 * workerd's configuration of a program, in text. Every class and every function is a service in an isolate of its
 * own, with a socket of its own; the router only tells that the process is well. Throws a ConfigError on a program that
 * would not run, or would run wrongly without saying so.
 */
export function renderConfig(program: Program, paths: ProcessPaths, tokens: ProcessTokens): string {
  checkNames(program);
  const services = [
    // Without one of this name workerd adds its own, which wants the host's certificates and the network.
    '(name = "internet", network = (allow = []))',
    routerService(),
    ...(program.logs ? [external("logs", paths, SOCKETS.tail, "host")] : []),
    external("ambit", paths, SOCKETS.ambit, "host"),
    external("egress", paths, SOCKETS.egress, "proxy"),
    ...program.actors.map((unit) => actorService(unit, program, tokens)),
    ...program.functions.map((unit) => functionService(unit, program)),
  ];
  if (program.actors.length > 0) {
    const path = capnpText(paths.storageDir, "The storage directory");
    services.push(`(name = "storage", disk = (path = ${path}, writable = true))`);
  }
  const sockets = [
    socket(SOCKETS.main, "router", program.scheme, paths),
    ...actorNames(program).map((name) =>
      socket(actorSocket(program, name), `do-${name}`, program.scheme, paths),
    ),
    ...functionNames(program).map((name) =>
      socket(functionSocket(program, name), `fn-${name}`, program.scheme, paths),
    ),
  ];
  return [
    'using Workerd = import "/workerd/workerd.capnp";',
    "const config :Workerd.Config = (",
    'v8Flags = ["--max-semi-space-size=1"],',
    `services = [\n${services.join(",\n")}],`,
    `sockets = [\n${sockets.join(",\n")}]`,
    ");\n",
  ].join("\n");
}

/** Two classes with one storage key would silently write into the same files. */
function checkNames({ actors, functions }: Program): void {
  for (const units of [actors, functions])
    distinct(
      "name",
      units.map((unit) => unit.name),
    );
  distinct(
    "storage key",
    actors.map((unit) => unit.uniqueKey),
  );
  distinct(
    "binding",
    actors.map((unit) => unit.binding),
  );
  for (const { name } of [...actors, ...functions]) {
    if (!UNIT_NAME.test(name)) throw new ConfigError(`${JSON.stringify(name)} can't be a unit's name.`);
  }
}

function distinct(what: string, values: readonly string[]): void {
  const twice = values.find((value, index) => values.indexOf(value) !== index);
  if (twice !== undefined) throw new ConfigError(`Two units have the ${what} ${JSON.stringify(twice)}.`);
}

function routerService(): string {
  return ownService("router", [esModule("router.js", workerModule("router.js"))], []);
}

function ownService(name: string, modules: readonly string[], bindings: readonly string[]): string {
  const parts = [
    `modules = [\n${modules.join(",\n")}]`,
    `compatibilityDate = "${COMPATIBILITY_DATE}"`,
    `bindings = [${bindings.join(", ")}]`,
    'globalOutbound = "egress"',
  ];
  return `(name = "${name}", worker = (${parts.join(",\n")}))`;
}

function external(name: string, paths: ProcessPaths, file: string, style: "host" | "proxy"): string {
  return `(name = "${name}", external = (address = ${address(paths, file)}, http = (style = ${style})))`;
}

function socket(file: string, service: string, scheme: Program["scheme"], paths: ProcessPaths): string {
  const name = file.replace(".sock", "");
  const options = scheme === "https" ? `forwardedProtoHeader = "${SCHEME_HEADER}"` : "";
  return `(name = "${name}", address = ${address(paths, file)}, http = (${options}), service = "${service}")`;
}

function address(paths: ProcessPaths, file: string): string {
  return capnpText(`unix:${paths.socketsDir}/${file}`, "The sockets' directory");
}
