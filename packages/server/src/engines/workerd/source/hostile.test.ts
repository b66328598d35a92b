import { existsSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { closeCompiler, compileActor, compileFunction, compilerPid, SourceError } from "./index.ts";
import { limits } from "./limits.ts";

afterAll(closeCompiler);

const room = "export class Room { async fetch() { return new Response('ok') } }";

async function refusal(kind: "actor" | "function", source: string): Promise<string> {
  try {
    await (kind === "actor" ? compileActor : compileFunction)(source, "x.ts");
    return "accepted";
  } catch (error) {
    if (error instanceof SourceError) return error.reason;
    throw error;
  }
}

/** Ways to bring in other code. Each is a line in an otherwise good file. */
const smuggles: [string, string][] = [
  ["npm by its bare name", 'import _ from "lodash";'],
  ["npm:", 'import _ from "npm:lodash";'],
  ["jsr:", 'import _ from "jsr:@std/path";'],
  ["https:", 'import _ from "https://example.com/x.js";'],
  ["data:", 'import _ from "data:text/javascript,export default 1";'],
  ["file:", 'import _ from "file:///etc/passwd";'],
  ["a Node module, unused", 'import fs from "node:fs";'],
  ["a Node module, without prefix", 'import { spawn } from "child_process";'],
  ["sockets", 'import { connect } from "cloudflare:sockets";'],
  ["an internal module", 'import x from "cloudflare-internal:env";'],
  ["an internal module of the engine", 'import x from "workerd:unsafe";'],
  ["the module beside it", 'import * as x from "./ambit-actor.js";'],
  ["the module beside it, bare", 'import "ambit-actor.js";'],
  ["itself", 'import * as me from "user.js";'],
  ["an absolute path", 'import x from "/ambit-actor.js";'],
  ["other spelling", 'import x from "Cloudflare:Workers";'],
  ["a trailing space", 'import x from "cloudflare:workers ";'],
  ["a query", 'import x from "cloudflare:workers?x";'],
  ["an escape in the name", 'import x from "cloudflare:\\u0073ockets";'],
  ["for its effect", 'import "lodash";'],
  ["a type", 'import type { A } from "lodash";'],
  ["an inline type", 'import { type A } from "lodash";'],
  ["a type expression", 'type A = import("lodash").B;'],
  ["an attribute", 'import x from "cloudflare:workers" with { type: "json" };'],
  ["import defer", 'import defer * as x from "cloudflare:workers";'],
  ["import source", 'import source x from "cloudflare:workers";'],
  ["import = require", 'import x = require("node:fs");'],
  ["export import = require", 'export import x = require("node:fs");'],
  ["export from", 'export { connect } from "cloudflare:sockets";'],
  ["export from the allowed one", 'export { DurableObject as Other } from "cloudflare:workers";'],
  ["export type from", 'export type { A } from "lodash";'],
  ["export *", 'export * from "cloudflare:workers";'],
  ["export * as", 'export * as w from "./ambit-actor.js";'],
  ["import()", 'const x = import("cloudflare:sockets");'],
  ["import() of the allowed one", 'const x = () => import("cloudflare:workers");'],
  ["import() of a sum", 'const x = () => import("cloud" + "flare:sockets");'],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: user code, as text
  ["import() of a template", "const x = () => import(`cloudflare:${'sockets'}`);"],
  ["import() of a variable", 'const n = "a"; const x = () => import(n);'],
  ["import() with comments in it", 'const x = () => import /* a */ ( /* b */ "x");'],
  ["import() over lines", 'const x = () => import\n(\n"x"\n);'],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: user code, as text
  ["import() in a template", 'const x = `${import("x")}`;'],
  ["import() in a default value", 'const f = (a = import("x")) => a;'],
  ["import() in a class field", 'class Hidden { static x = import("x") }'],
  ["import() in a computed key", 'const o = { [import("x") as any]: 1 };'],
  ["import() in an enum", 'enum E { A = (import("x"), 1) as any }'],
  ["import() in a namespace", 'namespace N { export const x = import("x") }'],
  ["import.source()", 'const x = import.source("x");'],
  ["require()", 'const x = require("node:fs");'],
  ["require() in a function", 'function f() { return require("lodash") }'],
];

describe.each([
  ["actor", room],
  ["function", "export const handler = () => new Response('ok');"],
] as const)("smuggled into a %s", (kind, good) => {
  test("the file without it is good", async () => {
    expect(await refusal(kind, `const n = 1;\n${good}`)).toBe("accepted");
  });
  test.each(smuggles)("%s", async (_, line) => {
    expect(await refusal(kind, `${line}\n${good}`)).toBe("DISALLOWED_IMPORT");
    expect(await refusal(kind, `${good}\n${line}`)).toBe("DISALLOWED_IMPORT");
  });
});

test("the first problem of a file is the one that is told", async () => {
  const source = `import a from "first";\nconst b = require("second");\nimport c from "third";\n${room}`;
  await expect(compileActor(source, "x.ts")).rejects.toMatchObject({ line: 1, column: 1 });
  await expect(compileActor(source.slice(23), "x.ts")).rejects.toMatchObject({ line: 1, column: 11 });
});

test.each([
  ["lodash", /Paste the code|fetch\(\)/],
  ["npm:zod@3", /Paste the code/],
  ["./util.ts", /one file/],
  ["../util", /one file/],
  ["node:crypto", /Web APIs/],
  ["cloudflare:sockets", /cloudflare:workers/],
])("an import of %s is refused with the remedy that fits", async (specifier, remedy) => {
  const error = await compileActor(`import x from "${specifier}";\n${room}`, "x.ts").catch((e) => e);
  expect(error.message).toContain(`x.ts:1:1: only "cloudflare:workers" can be imported, not "${specifier}"`);
  expect(error.remediation).toMatch(remedy);
});

/** Nesting without end: each overflows the stack of a parser, some without a single bracket. */
const nested: [string, string][] = [
  ["brackets", `x = ${"(".repeat(100_000)}1${")".repeat(100_000)}`],
  ["open brackets", "(".repeat(100_000)],
  ["arrays", `x = ${"[".repeat(100_000)}${"]".repeat(100_000)}`],
  ["blocks", `${"{".repeat(100_000)}${"}".repeat(100_000)}`],
  ["arrow functions", `x = ${"a=>".repeat(100_000)}1`],
  ["conditions", `x = ${"a?b:".repeat(100_000)}c`],
  ["else if", `${"if(a);else ".repeat(100_000)};`],
  ["type arguments", `type X = ${"A<".repeat(100_000)}B${">".repeat(100_000)}`],
  ["type operators", `type X = ${"keyof ".repeat(100_000)}A`],
  ["sums", `x = 1${"+1".repeat(300_000)}`],
  ["templates", `x = ${"`${".repeat(50_000)}1${"}`".repeat(50_000)}`],
  ["what may be a generic call", `x = ${"a<b,".repeat(30_000)}`],
];

describe("nesting without end ends the compiler's process, not this one", () => {
  test.each(nested)("%s", async (_, line) => {
    expect(await refusal("actor", `${line}\n${room}`)).toBe("SYNTAX_ERROR");
  });
  test("the next file is compiled as ever", async () => {
    expect(await refusal("actor", room)).toBe("accepted");
  });
});

test("a file that is too large is refused before the compiler sees it", async () => {
  await closeCompiler();
  const large = `${room}//${"x".repeat(limits.sourceBytes)}`;
  expect(await refusal("actor", large)).toBe("SOURCE_TOO_LARGE");
  expect(await refusal("actor", `${room}//${"é".repeat(limits.sourceBytes / 2)}`)).toBe("SOURCE_TOO_LARGE");
  expect(compilerPid()).toBeNull();
});

test("files at once are all answered, each with its own verdict", async () => {
  const bad = "(".repeat(100_000);
  const sources = Array.from({ length: 12 }, (_, i) => (i % 4 === 1 ? bad : `export class A${i} {}`));
  const verdicts = await Promise.all(
    sources.map((source) =>
      compileActor(source, "x.ts").then(
        (c) => c.className,
        (e) => e.reason,
      ),
    ),
  );
  expect(verdicts).toEqual(sources.map((_, i) => (i % 4 === 1 ? "SYNTAX_ERROR" : `A${i}`)));
});

test("a lost process is replaced, and a closed compiler leaves none", async () => {
  await compileActor(room, "x.ts");
  const pid = compilerPid()!;
  process.kill(pid, "SIGKILL");
  expect((await compileActor(room, "x.ts")).className).toBe("Room");
  const next = compilerPid()!;
  expect(next).not.toBe(pid);
  await closeCompiler();
  expect(existsSync(`/proc/${next}`)).toBe(false);
});
