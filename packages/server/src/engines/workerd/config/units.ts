import type { ActorUnit, FunctionUnit, Program } from "../types.ts";
import { type WorkerModule, workerModule } from "../workers/index.ts";
import { ConfigError, capnpText } from "./capnp-text.ts";
import type { ProcessTokens } from "./tokens.ts";

/** Before 2026-08-04, from which date on node's modules can be imported unless switched off. */
export const COMPATIBILITY_DATE = "2026-07-01";

/** Removed from `env` by `workers/callbacks.js`. No variable or namespace can be called so. */
const CALLBACKS = "ambit:callbacks";
const LOGS = "ambit:logs";

const ACTOR_MODULES: readonly WorkerModule[] = [
  "actor.js",
  "butterbase.js",
  "callbacks.js",
  "front.js",
  "inspect.js",
  "log-text.js",
  "render-value.js",
  "storage-limits.js",
  "substrate.js",
];
const FUNCTION_MODULES: readonly WorkerModule[] = [
  "callbacks.js",
  "function.js",
  "function-context.js",
  "log-text.js",
  "substrate.js",
];

/** The service of one class, answering on its own socket: its own isolate, its own storage directory. */
export function actorService(unit: ActorUnit, program: Program, tokens: ProcessTokens): string {
  const { className } = unit;
  const token = tokens.units[unit.name];
  const inspectorSecret = tokens.inspect[unit.name];
  if (token === undefined || inspectorSecret === undefined)
    throw new ConfigError(`There is no token for the class ${unit.name}.`);
  // The order matters: `butterbase.js` hides the bindings, and ours is loaded, before any line of the user's runs.
  const main = [
    'import "./logs.js";',
    'import "./butterbase.js";',
    'import { wrap } from "./actor.js";',
    'import { front } from "./front.js";',
    `import * as user from ${JSON.stringify(`../${unit.name}.js`)};`,
    `const Wrapped = wrap(user, ${JSON.stringify(className)});`,
    `export { Wrapped as ${identifier(className)} };`,
    "export default front;",
  ].join("\n");
  const known = {
    name: unit.name,
    binding: unit.binding,
    scheme: program.scheme,
    token,
    inspectorSecret,
  };
  const modules = unitModules(unit, main, known, ACTOR_MODULES);
  const variables = textBindings(unit.env, `the class ${unit.name}`);
  const namespaces = program.actors.map((other) => namespaceBinding(other.binding, other));
  const clash = program.actors.find((other) => Object.hasOwn(unit.env, other.binding));
  if (clash) {
    throw new ConfigError(
      `The variable ${clash.binding} of the class ${unit.name} is also the name of a class.`,
    );
  }
  modules.push(...logModules("actor-log.js", program));
  return userService(
    `do-${unit.name}`,
    modules,
    [...variables, ...namespaces, ...logBindings(program)],
    [
      `durableObjectNamespaces = [(className = ${capnpText(className, "A class's name")}, ` +
        `uniqueKey = ${capnpText(storageKey(unit), "A storage key")}, enableSql = true)]`,
      'durableObjectStorage = (localDisk = "storage")',
    ],
    logFlags(program),
  );
}

/** The service of one function, answering on its own socket. */
export function functionService(unit: FunctionUnit, program: Program): string {
  const main = [
    'import "./logs.js";',
    'import "./callbacks.js";',
    `import * as user from ${JSON.stringify(`../${unit.name}.js`)};`,
    'import { serve } from "./function.js";',
    "export default serve(user);",
  ].join("\n");
  const known = { name: unit.name, scheme: program.scheme, entry: unit.entry };
  const modules = unitModules(unit, main, known, FUNCTION_MODULES);
  const bindings = textBindings(unit.env, `the function ${unit.name}`);
  modules.push(...logModules("function-log.js", program));
  const allBindings = [...bindings, ...logBindings(program)];
  return userService(`fn-${unit.name}`, modules, allBindings, [], logFlags(program));
}

/** `logs.js`, and what it needs: a unit without logs carries nothing of them. */
function logModules(log: WorkerModule, { logs }: Program): string[] {
  if (!logs) return [esModule("ambit/logs.js", workerModule("no-logs.js"))];
  return [
    esModule("ambit/logs.js", workerModule(log)),
    ...(["run-log.js", "tail-batch.js"] as const).map((name) =>
      esModule(`ambit/${name}`, workerModule(name)),
    ),
  ];
}

function logBindings({ logs }: Program): string[] {
  return logs ? [serviceBinding(LOGS, "logs")] : [];
}

/** The asynchronous context, and nothing else of node's. */
function logFlags({ logs }: Program): string[] {
  return logs ? ["nodejs_als"] : [];
}

function namespaceBinding(name: string, unit: ActorUnit): string {
  return (
    `(name = ${capnpText(name, "A binding's name")}, durableObjectNamespace = ` +
    `(className = ${capnpText(unit.className, "A class's name")}, serviceName = "do-${unit.name}"))`
  );
}

export function esModule(name: string, code: string): string {
  return `(name = ${capnpText(name, "A module's name")}, esModule = ${capnpText(code, `The code of ${name}`)})`;
}

/** `unit.js`, as `export const name = value;` for each. */
export function constants(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `export const ${name} = ${JSON.stringify(value)};`)
    .join("\n");
}

function unitModules(
  unit: { name: string; code: string },
  main: string,
  known: Readonly<Record<string, string>>,
  ours: readonly WorkerModule[],
): string[] {
  return [
    esModule("ambit/main.js", main),
    esModule("ambit/unit.js", constants(known)),
    ...ours.map((name) => esModule(`ambit/${name}`, workerModule(name))),
    esModule(`${unit.name}.js`, unit.code),
  ];
}

function userService(
  service: string,
  modules: readonly string[],
  bindings: readonly string[],
  more: readonly string[],
  flags: readonly string[] = [],
): string {
  // While a module starts, `eval` would reach `import()`, and through it our own modules with their secrets.
  const allFlags = ["disallow_eval_during_startup", ...flags].map((flag) => `"${flag}"`).join(", ");
  const parts = [
    `modules = [\n${modules.join(",\n")}]`,
    `compatibilityDate = "${COMPATIBILITY_DATE}"`,
    `compatibilityFlags = [${allFlags}]`,
    `bindings = [${[...bindings, serviceBinding(CALLBACKS, "ambit")].join(", ")}]`,
    'globalOutbound = "egress"',
    ...more,
  ];
  return `(name = ${capnpText(service, "A unit's name")}, worker = (${parts.join(",\n")}))`;
}

function serviceBinding(name: string, service: string): string {
  return `(name = "${name}", service = "${service}")`;
}

function textBindings(env: Readonly<Record<string, string>>, of: string): string[] {
  return Object.entries(env).map(([key, value]) => {
    if (key === CALLBACKS || key === LOGS) throw new ConfigError(`${key} can't be a variable of ${of}.`);
    return `(name = ${capnpText(key, `A variable's name of ${of}`)}, text = ${capnpText(value, `The variable ${key} of ${of}`)})`;
  });
}

function identifier(name: string): string {
  if (!/^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u.test(name)) {
    throw new ConfigError(`${JSON.stringify(name)} can't be a class's name.`);
  }
  return name;
}

/** It becomes a directory's name; workerd does not start with a slash in it. */
function storageKey({ uniqueKey, name }: ActorUnit): string {
  if (!/^[A-Za-z0-9_-]{1,128}$/.test(uniqueKey)) {
    throw new ConfigError(`The storage key of ${name} must be letters, digits, - and _.`);
  }
  return uniqueKey;
}
