import { afterAll, describe, expect, it } from "vitest";
import type { Program } from "../types.ts";
import { capnpText } from "./capnp-text.ts";
import { actorSocket, functionSocket, newTokens, renderConfig } from "./index.ts";
import { actorProgram, functionProgram } from "./testing/program.ts";
import { run, stopAll } from "./testing/run.ts";

afterAll(stopAll);

const CLASS = (name: string) => `export class ${name} { async fetch() { return new Response("${name}"); } }`;
const paths = { storageDir: "/data", socketsDir: "/run/ambit" };
const render = (program: Program) => renderConfig(program, paths, newTokens(program));

describe("texts", () => {
  it("are escaped byte by byte", () => {
    expect(capnpText('a"b\\c\n\r\t\x01\x7fé✓😀', "it")).toBe(
      '"a\\"b\\\\c\\n\\r\\t\\x01\\x7f\\xc3\\xa9\\xe2\\x9c\\x93\\xf0\\x9f\\x98\\x80"',
    );
  });

  it("with NUL or half a character are refused", () => {
    expect(() => capnpText("a\0b", "The variable A")).toThrow("The variable A contains a NUL character.");
    expect(() => capnpText("\ud800", "it")).toThrow("surrogate");
  });
});

describe("a program that would run wrongly is refused", () => {
  const twoClasses = {
    one: { code: CLASS("One"), uniqueKey: "k" },
    two: { code: CLASS("Two"), uniqueKey: "k" },
  };
  it.each([
    ["one storage key for two classes", actorProgram(twoClasses), "storage key"],
    [
      "a slash in a storage key",
      actorProgram({ one: { code: CLASS("One"), uniqueKey: "a/b" } }),
      "storage key",
    ],
    [
      "a variable called like a class's namespace",
      actorProgram({ one: { code: CLASS("One"), env: { TWO: "x" } }, two: CLASS("Two") }),
      "The variable TWO of the class one",
    ],
    [
      "a variable called like our binding",
      functionProgram({ f: { code: "", env: { "ambit:callbacks": "x" } } }),
      "ambit:",
    ],
    ["a name that leaves its place", functionProgram({ "a/b": "" }), "name"],
    ["a class's name that is code", actorProgram({ one: { code: "", className: "One };boom()" } }), "name"],
    [
      "NUL in a variable",
      functionProgram({ f: { code: "", env: { A: "\0" } } }),
      "The variable A of the function f",
    ],
  ])("%s", (_what, program, message) => {
    expect(() => render(program)).toThrow(message);
  });
});

it("a unit's socket follows from its name, not from the order of deploys", () => {
  const classes = actorProgram({ room: CLASS("Room"), desk: CLASS("Desk") });
  expect(["desk", "room"].map((name) => actorSocket(classes, name))).toEqual(["do-0.sock", "do-1.sock"]);
  expect(() => actorSocket(classes, "nope")).toThrow("nope");
  const program = functionProgram({ send: "", archive: "", mail: "" });
  expect(["archive", "mail", "send"].map((name) => functionSocket(program, name))).toEqual([
    "fn-0.sock",
    "fn-1.sock",
    "fn-2.sock",
  ]);
  expect(() => functionSocket(program, "nope")).toThrow("nope");
});

it("tokens are new for every process and never in env", () => {
  const program = actorProgram({ one: CLASS("One") });
  const [first, second] = [newTokens(program), newTokens(program)];
  expect(first.units.one).not.toBe(second.units.one);
  expect(first.inspect.one).not.toBe(second.inspect.one);
  expect(first.inspect.one).not.toBe(first.units.one);
  expect(Object.keys(first.units)).toEqual(["one"]);
});

it("without logs nothing of them is in the program", () => {
  for (const program of [actorProgram({ one: CLASS("One") }), functionProgram({ one: "" })]) {
    expect(render(program)).toMatch(/tail\.sock[\s\S]*nodejs_als/);
    expect(render({ ...program, logs: false })).not.toMatch(/tail\.sock|nodejs_als|AsyncLocalStorage/);
  }
});

describe("in workerd", () => {
  it("every variable arrives as it is", async () => {
    const values = Array.from({ length: 300 }, (_, seed) => randomText(seed));
    const special = [
      "",
      "\n",
      "\r\n",
      '"',
      "\\",
      "\\x41",
      '\\"',
      "$\x7bx}",
      "'",
      "é✓😀",
      "\x01\x1f\x7f\x80",
      "# no comment",
      "\u2028",
    ];
    const env = Object.fromEntries([...special, ...values].map((value, index) => [`V_${index}`, value]));
    const echo = "export const handler = (_request, ctx) => ctx.env;";
    const running = await run(functionProgram({ echo: { code: echo, env } }));
    expect((await running.function("echo")).json()).toEqual(env);
    await running.stop();
  });

  it("code arrives as it is", async () => {
    const text = `${randomText(7)}\`\\é✓`;
    const code = `// "quotes" \\ é\nexport const handler = () => ${JSON.stringify(text)};`;
    const running = await run(functionProgram({ echo: code }));
    expect((await running.function("echo")).json()).toBe(text);
    await running.stop();
  });

  it("a unit that throws as it loads, or lacks its export, stops the start and is named", async () => {
    const broken = functionProgram({
      good: "export const handler = () => 1;",
      bad: "throw new Error('at the top');",
    });
    await expect(run(broken)).rejects.toThrow(/service fn-bad:.*at the top[\s\S]*bad\.js:1:7/);
    await expect(run(functionProgram({ none: "export const other = 1;" }))).rejects.toThrow(
      /fn-none.*handler/,
    );
    await expect(run(actorProgram({ "my-room": "export class Other {}" }))).rejects.toThrow(
      /do-my-room.*MyRoom/,
    );
  });
});

/** Quotes, escapes, control characters and characters outside ASCII, more than they deserve. */
function randomText(seed: number): string {
  let state = seed * 2654435761 + 1;
  const next = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const pick = [
    () => '"',
    () => "\\",
    () => "\n",
    () => String.fromCharCode(1 + next(31)),
    () => String.fromCharCode(32 + next(95)),
    () => String.fromCodePoint(0x80 + next(0x700)),
    () => String.fromCodePoint(0x4e00 + next(500)),
    () => String.fromCodePoint(0x1f600 + next(50)),
    () => "x\\n"[next(3)]!,
  ];
  return Array.from({ length: next(40) }, () => pick[next(pick.length)]!()).join("");
}
