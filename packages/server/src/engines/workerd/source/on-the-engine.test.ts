import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { closeCompiler, compileActor, compileFunction, mapStack } from "./index.ts";

/** What the compiler lets pass is shown to the real engine here, with nothing of Ambit's between. */

const binary = createRequire(import.meta.url).resolve(
  `@cloudflare/workerd-linux-${process.arch === "x64" ? "64" : process.arch}/bin/workerd`,
);
const started: { child: ChildProcess; dir: string }[] = [];

afterEach(async () => {
  for (const { child, dir } of started.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await gone;
    }
    rmSync(dir, { recursive: true, force: true });
  }
});
afterAll(closeCompiler);

interface Service {
  name: string;
  main: string;
  user: string;
  className?: string;
}

/** Starts the services, each with a socket; gives the directory of the sockets, or what the engine said against it. */
async function start(services: Service[]): Promise<{ dir: string } | { stderr: string }> {
  const dir = mkdtempSync(join(tmpdir(), "src-"));
  for (const { name, main, user } of services) {
    writeFileSync(join(dir, `${name}-main.js`), main);
    writeFileSync(join(dir, `${name}-user.js`), user);
  }
  writeFileSync(join(dir, "config.capnp"), config(dir, services));
  const child = spawn(binary, ["serve", "--control-fd=3", join(dir, "config.capnp")], {
    stdio: ["ignore", "ignore", "pipe", "pipe"],
    env: {},
  });
  started.push({ child, dir });
  let stderr = "";
  child.stderr!.on("data", (data) => {
    stderr += data;
  });
  return new Promise((resolve) => {
    let listening = 0;
    child.stdio[3]!.on("data", (data: Buffer) => {
      listening += data.toString().split('"listen"').length - 1;
      if (listening >= services.length) resolve({ dir });
    });
    child.once("close", () => resolve({ stderr }));
  });
}

function config(dir: string, services: Service[]): string {
  const workers = services.map(({ name, className }) => {
    const actor = `durableObjectNamespaces = [(className = "Wrapped", uniqueKey = "${name}", enableSql = true)],
      durableObjectStorage = (inMemory = void), bindings = [(name = "NS", durableObjectNamespace = "Wrapped")],`;
    return `(name = "${name}", worker = (compatibilityDate = "2026-07-01", ${className ? actor : ""}
      modules = [(name = "ambit-main.js", esModule = embed "${name}-main.js"),
        (name = "user.js", esModule = embed "${name}-user.js")]))`;
  });
  const sockets = services.map(
    ({ name }) => `(name = "${name}", address = "unix:${dir}/${name}.sock", http = (), service = "${name}")`,
  );
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (services = [${workers.join(",")}], sockets = [${sockets.join(",")}]);`;
}

function get(dir: string, name: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath: join(dir, `${name}.sock`), path: "/" }, (answer) => {
      let body = "";
      answer.on("data", (data) => {
        body += data;
      });
      answer.on("end", () => resolve(body));
    });
    sent.on("error", reject);
    sent.end();
  });
}

async function actor(name: string, source: string): Promise<Service> {
  const { code, className } = await compileActor(source, `${name}.ts`);
  const main = `import { ${className} as User } from "user.js";
    export class Wrapped extends User {}
    export default { fetch(request, env) { return env.NS.get(env.NS.idFromName("a")).fetch(request); } };`;
  return { name, main, user: code, className };
}

async function fn(name: string, source: string): Promise<Service> {
  const { code, entry } = await compileFunction(source, `${name}.ts`);
  const main = `import * as user from "user.js";
    const entry = user["${entry}"];
    export default { async fetch(request) {
      try { return await (typeof entry === "function" ? entry(request, {}) : entry.fetch(request)); }
      catch (error) { return new Response(error.stack, { status: 500 }); } } };`;
  return { name, main, user: code };
}

/** Pieces of TypeScript around a class or function; every choice of them makes a file. */
const pieces = [
  'import { DurableObject, type DurableObjectState } from "cloudflare:workers";',
  "enum Color { Red, Green = 'g' }",
  "const enum Size { Big = 7 }",
  "namespace Inner { export const a = 1; export namespace Deep { export const b = a } }",
  "interface Options { a: string }\ntype Both = Options & { b?: number };",
  "const ready = await Promise.resolve(true);",
  "abstract class Base<T> { constructor(protected readonly held: T) {} abstract a(): void }",
  "function over(a: string): string;\nfunction over(a: number): string;\nfunction over(a: any) { return String(a as unknown) }",
  "declare global { interface Window { a: 1 } }",
  "const größe = { '😀': 1 } satisfies Record<string, number>;",
  "const text = `import('x') \u2028 require('y')`;\n/* \u2029 */",
  "class Hidden { static { Hidden.made = true } static made: boolean; #p?: string; get p(): string { return this.#p! } }",
  "let disposed = 0; function scoped() { using x = { [Symbol.dispose]() { disposed++ } }; return x }",
  "const pattern = /(?<year>\\d{4})/v;\nlabel: for (;;) { break label }",
  "async function* stream<T>(...items: T[]): AsyncGenerator<T> { for (const i of items) yield i }",
  "export type Public = { a: 1 };",
  "//# sourceMappingURL=nothing.map",
];
const classes = [
  "export class Room { async fetch() { return new Response('ok') } }",
  "export class Room { constructor(public state: unknown, private env?: unknown) {} fetch = async () => new Response(this.state ? 'ok' : 'no') }",
  "class Room { async fetch() { return new Response('ok') } }\nexport { Room as Chat };",
  "export const Room = class { async fetch() { return new Response('ok') } };",
];
const functions = [
  "export async function handler() { return new Response('ok') }",
  "export default () => new Response('ok');",
  "export default { fetch: async () => new Response('ok') };",
  "const handler = async () => new Response('ok');\nexport { handler };",
];

/** The same choices in every run: a linear congruential sequence. */
function chooser(seed: number) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test("every accepted file starts and answers", async () => {
  const next = chooser(7);
  const services: Service[] = [];
  for (let i = 0; i < 24; i++) {
    const chosen = pieces.filter(() => next() < 0.4);
    const end = (i % 2 === 0 ? classes : functions)[i % 4 === i % 2 ? Math.floor(next() * 4) : (i >> 1) % 4]!;
    const file = [...chosen, end].join("\n");
    services.push(await (i % 2 === 0 ? actor(`s${i}`, file) : fn(`s${i}`, file)));
  }
  for (const [i, piece] of pieces.entries())
    services.push(await fn(`p${i}`, `${piece}\n${functions[i % 4]}`));
  const running = await start(services);
  expect(running).not.toHaveProperty("stderr");
  if (!("dir" in running)) return;
  for (const { name } of services) expect([name, await get(running.dir, name)]).toEqual([name, "ok"]);
});

test("a stack of the engine is told in lines of the TypeScript", async () => {
  const source = `interface A {}\n\n\nenum E { X }\nclass R {\n  constructor(private a: A) {}\n  fail(): never {\n    throw new TypeError("boom");\n  }\n}\nexport default async () => new R({}).fail();\n`;
  const running = await start([await fn("f", source)]);
  if (!("dir" in running)) throw new Error(running.stderr);
  const { sourceMap } = await compileFunction(source, "f.ts");
  expect(mapStack(await get(running.dir, "f"), sourceMap, "f.ts").split("\n")).toEqual([
    "TypeError: boom",
    "    at R.fail (f.ts:8:11)",
    expect.stringMatching(/^ {4}at .*f\.ts:11:\d+\)?$/),
  ]);
});

describe("what is refused", () => {
  const entry = "export default { fetch: () => new Response('ok') };";
  const raw = (user: string): Service => ({ name: "r", main: 'export { default } from "user.js";', user });

  test.each([
    ["lodash", 'import "lodash";'],
    ["npm:", 'import "npm:lodash";'],
    ["https:", 'import "https://example.com/x.js";'],
    ["node:", 'import "node:fs";'],
    ["an internal module", 'import "cloudflare-internal:env";'],
    ["an attribute", 'import { env } from "cloudflare:workers" with { type: "json" };'],
    ["a decorator", "const d = () => {}; class A { @d m() {} }"],
    ["accessor", "class A { accessor a = 1 }"],
    ["JSX", "const a = <div/>;"],
  ])("does not start on the engine either: %s", async (_, line) => {
    await expect(compileFunction(`${line}\n${entry}`, "f.ts")).rejects.toHaveProperty("reason");
    expect(await start([raw(`${line}\n${entry}`)])).toHaveProperty("stderr");
  });

  // Here nobody but the compiler stands in the way: the engine would hand these over.
  test.each([
    ["sockets", 'import { connect as got } from "cloudflare:sockets";'],
    ["sockets, later", 'const { connect: got } = await import("cloudflare:sockets");'],
    ["a module of Ambit's", 'import * as got from "./ambit-main.js";'],
    ["a module of Ambit's, by a sum", 'const got = await import("./ambit" + "-main.js");'],
  ])("would start on the engine: %s", async (_, line) => {
    const file = `${line}\nexport default { fetch: () => new Response(typeof got) };`;
    await expect(compileFunction(file, "f.ts")).rejects.toMatchObject({ reason: "DISALLOWED_IMPORT" });
    const running = await start([{ ...raw(file), main: 'import user from "user.js"; export default user;' }]);
    if (!("dir" in running)) throw new Error(running.stderr);
    expect(["function", "object"]).toContain(await get(running.dir, "r"));
  });
});
