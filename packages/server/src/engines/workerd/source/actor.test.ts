import { afterAll, describe, expect, test } from "vitest";
import { closeCompiler, compileActor, SourceError } from "./index.ts";

afterAll(closeCompiler);

/** Compiles and gives the refusal as `REASON line:column`, or `ok <class>`. */
async function verdict(source: string): Promise<string> {
  try {
    return `ok ${(await compileActor(source, "room.ts")).className}`;
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    expect(error.message.startsWith("room.ts")).toBe(true);
    expect(error.remediation).not.toBe("");
    expect(error.message).not.toContain("\n");
    const at = error.line === null ? "" : ` ${error.line}:${error.column}`;
    if (error.line !== null) expect(error.message).toContain(`room.ts:${error.line}:${error.column}: `);
    return `${error.reason}${at}`;
  }
}

describe("accepted", () => {
  test.each([
    ["a plain class", "export class Room { async fetch() { return new Response() } }", "Room"],
    [
      "a subclass with unused imports",
      'import { DurableObject, RpcTarget } from "cloudflare:workers";\nexport class Room extends DurableObject {}',
      "Room",
    ],
    ["the export apart", "class Room {}\nexport { Room };", "Room"],
    ["the export under another name", "class A {}\nexport { A as Room };", "Room"],
    ["a class expression", "export const Room = class {};", "Room"],
    ["a class expression, exported apart", "const Room = class Inner {};\nexport { Room };", "Room"],
    ["an abstract class", "export abstract class Room { abstract x: number }", "Room"],
    [
      "types beside it",
      "export class Room {}\nexport type A = 1;\nexport interface B {}\nexport type { A as C };",
      "Room",
    ],
    ["a type that does not say so", "interface B {}\nexport class Room {}\nexport { B };", "Room"],
    ["an inline type export", "type B = 1;\nexport class Room {}\nexport { type B };", "Room"],
    ["a declared class beside it", "export declare class Ghost {}\nexport class Room {}", "Room"],
    ["a default type", "export default interface Options {}\nexport class Room {}", "Room"],
    [
      "helpers kept inside",
      "class Helper {}\nfunction help() {}\nexport class Room { h = new Helper() }",
      "Room",
    ],
    ["top-level await", "const x = await Promise.resolve(1);\nexport class Room { x = x }", "Room"],
    ["the text of an import in a string", "export class Room { s = 'import(\"x\"); require(1)' }", "Room"],
    ["the text of an import in a comment", '// import "lodash"\nexport class Room {}', "Room"],
    ["a regular expression with it", "export class Room { r = /import('x')/ }", "Room"],
    [
      "a require of their own",
      "const require = (x: string) => x;\nrequire('a');\nexport class Room {}",
      "Room",
    ],
    ["a method called import", "export class Room { import() {} m() { this.import() } }", "Room"],
    ["import.meta", "export class Room { m = import.meta }", "Room"],
    [
      "an alias of a namespace",
      "namespace N { export const a = 1 }\nimport a = N.a;\nexport class Room { a = a }",
      "Room",
    ],
    [
      "a type import",
      'import type { DurableObjectState } from "cloudflare:workers";\nexport class Room {}',
      "Room",
    ],
    ["a type re-export", 'export type { Env } from "cloudflare:workers";\nexport class Room {}', "Room"],
    ["a byte order mark and CRLF", "\uFEFFexport class Room {\r\n}\r\n", "Room"],
    ["names outside ASCII inside", "const größe = '😀';\nexport class Room { g = größe }", "Room"],
    ["using", "export class Room { f() { using x = g(); } }\ndeclare function g(): Disposable", "Room"],
    ["300 brackets", `export class Room { x = ${"(".repeat(300)}1${")".repeat(300)} }`, "Room"],
    ["a class after a long line", `const s = "${"x".repeat(500_000)}";\nexport class Room { s = s }`, "Room"],
  ])("%s", async (_, source, className) => {
    expect(await verdict(source)).toBe(`ok ${className}`);
  });
});

describe("refused for its exports", () => {
  test.each([
    ["nothing", "", "NO_EXPORTED_CLASS"],
    ["no export", "class Room {}", "NO_EXPORTED_CLASS"],
    ["only a type", "export interface Room {}", "NO_EXPORTED_CLASS"],
    ["a function", "export function Room() {}", "NO_EXPORTED_CLASS 1:1"],
    [
      "a class made by a call",
      "const make = () => class {};\nexport const Room = make();",
      "NO_EXPORTED_CLASS 2:1",
    ],
    ["another name for a class", "class A {}\nconst B = A;\nexport { B };", "NO_EXPORTED_CLASS 3:10"],
    ["a default class", "export default class Room {}", "EXPORT_DEFAULT_NOT_SUPPORTED 1:1"],
    ["a default object", "export class Room {}\nexport default {};", "EXPORT_DEFAULT_NOT_SUPPORTED 2:1"],
    ["a class as default", "class Room {}\nexport { Room as default };", "EXPORT_DEFAULT_NOT_SUPPORTED 2:10"],
    ["two classes", "export class A {}\nexport class B {}", "MULTIPLE_EXPORTED_CLASSES 2:1"],
    ["one class twice", "export class A {}\nexport { A as B };", "MULTIPLE_EXPORTED_CLASSES 2:10"],
    ["a constant beside it", "export class A {}\nexport const n = 1;", "EXTRA_EXPORT 2:1"],
    ["a pattern beside it", "export class A {}\nexport const { a, ...b } = { a: 1 };", "EXTRA_EXPORT 2:1"],
    ["an enum beside it", "export class A {}\nexport enum E { X }", "EXTRA_EXPORT 2:1"],
    [
      "a namespace beside it",
      "export class A {}\nexport namespace N { export const a = 1 }",
      "EXTRA_EXPORT 2:8",
    ],
    ["a name that is a text", 'class A {}\nexport { A as "chat room" };', "INVALID_CLASS_NAME 2:10"],
    ["a name outside ASCII", "export class Größe {}", "INVALID_CLASS_NAME 1:1"],
    ["a name of 101 letters", `export class ${"A".repeat(101)} {}`, "INVALID_CLASS_NAME 1:1"],
  ])("%s", async (_, source, expected) => {
    expect(await verdict(source)).toBe(expected);
  });
});

describe("refused for its syntax", () => {
  test.each([
    ["a missing bracket", "export class Room {", "SYNTAX_ERROR"],
    ["a missing bracket further on", "export class Room {}\n\nlet x = (1;", "SYNTAX_ERROR 3:11"],
    ["JSX", "export class Room { a = <div>1</div> }", "SYNTAX_ERROR"],
    ["a broken regular expression", "export class Room { a = /(/ }", "SYNTAX_ERROR 1:25"],
    ["an export of nothing", "export class Room {}\nexport { nope };", "SYNTAX_ERROR"],
    ["a name declared twice", "let a; let a;\nexport class Room {}", "SYNTAX_ERROR 1:5"],
    ["with", "export class Room {}\nwith (Math) {}", "SYNTAX_ERROR"],
    ["return outside", "return 1;\nexport class Room {}", "SYNTAX_ERROR"],
    ["an HTML comment", "<!-- x\nexport class Room {}", "SYNTAX_ERROR"],
    ["a NUL", "export class Room {}\n\0", "SYNTAX_ERROR 2:1"],
    [
      "a decorator",
      "function d(v: unknown, c: unknown) {}\nexport class Room { @d m() {} }",
      "UNSUPPORTED_SYNTAX 2:21",
    ],
    ["accessor", "export class Room { accessor a = 1 }", "UNSUPPORTED_SYNTAX 1:21"],
    ["export =", "class Room {}\nexport = Room;", "UNSUPPORTED_SYNTAX 2:1"],
  ])("%s", async (_, source, expected) => {
    expect(await verdict(source)).toMatch(new RegExp(`^${expected}`));
  });
});

test("TypeScript beyond erasable types runs as TypeScript means it", async () => {
  const { code } = await compileActor(
    `enum Color { Red, Green = "g" }
     const enum Size { Big = 7 }
     namespace Deep.Er { export const n = 5 }
     class Base { constructor(public state: { id: string }, private readonly tag = "t") {} }
     export class Room extends Base {
       declare ghost: string;
       #secret = 1;
       constructor(state: { id: string }) { super(state); }
       all() { return [this.state.id, Color[0], Color.Green, Size.Big, Deep.Er.n, this.#secret satisfies number, "ghost" in this] as const; }
     }`,
    "room.ts",
  );
  const module = await import(`data:text/javascript,${encodeURIComponent(code)}`);
  expect(new module.Room({ id: "i" }).all()).toEqual(["i", "Red", "g", 7, 5, 1, false]);
});

test("sizes are those of the code", async () => {
  const { code, bytes, compressedBytes } = await compileActor(
    `export class Room { s = "${"é".repeat(10_000)}" }`,
    "r.ts",
  );
  expect(bytes).toBe(Buffer.byteLength(code));
  expect(bytes).toBeGreaterThan(20_000);
  expect(compressedBytes).toBeLessThan(500);
});
