import { describe, expect, it } from "vitest";
import { builtinIdOf } from "./builtin.ts";
import { limits } from "./limits.ts";
import { checkSettings, type GivenSettings, needsPerson } from "./settings.ts";
import type { Transport } from "./types.ts";
import { fillIn } from "./upstreams.ts";

const pathsOf = (transport: Transport, given: GivenSettings, complete = true): string[] | null => {
  try {
    checkSettings(transport, given, complete);
    return null;
  } catch (error) {
    return (error as { details: { path: string }[] }).details.map(({ path }) => path);
  }
};
const http = (headers: Record<string, string>) => pathsOf("http", { url: "https://a.example/", headers });
const stdio = (env: Record<string, string>) => pathsOf("stdio", { command: "npx", env });

describe("settings", () => {
  it("must fit the transport", () => {
    expect(pathsOf("http", { url: "https://a.example/" })).toBeNull();
    expect(pathsOf("http", {})).toEqual(["url"]);
    expect(pathsOf("http", {}, false)).toBeNull();
    expect(pathsOf("http", { url: "https://a.example/#x" })).toEqual(["url"]);
    expect(pathsOf("http", { url: "https://a.example/", command: "x", args: [], env: {} })).toEqual([
      ...["command", "args", "env"],
    ]);
    expect(pathsOf("stdio", {})).toEqual(["command"]);
    expect(pathsOf("stdio", { command: "x", url: "https://a.example/", headers: {} })).toEqual([
      ...["url", "headers"],
    ]);
    expect(pathsOf("builtin", {})).toBeNull();
    expect(pathsOf("builtin", { headers: { a: "b" } })).toEqual(["headers"]);
    expect(pathsOf("builtin", { url: "https://a.example/" }, false)).toEqual(["url"]);
  });

  it("take headers that are credentials, and none that belong to the connection or the protocol", () => {
    expect(http({ Authorization: "Bearer x", "X-Api-Key": "a b\tc", cookie: "a=b" })).toBeNull();
    for (const name of [
      "Host",
      "connection",
      "Content-Length",
      "Transfer-Encoding",
      "Mcp-Session-Id",
      "mcp-name",
    ])
      expect(http({ [name]: "x" })).toEqual([`headers.${name}`]);
    for (const name of ["", "a b", "a:b", "a\r\nb", "ä", "x".repeat(limits.headerNameChars + 1)])
      expect(http({ [name]: "x" })).not.toBeNull();
    for (const value of ["", " a", "a ", "a\r\nX-Other: b", "a\0", "ä", "x".repeat(limits.secretChars + 1)])
      expect(http({ "x-key": value })).toEqual(["headers.x-key"]);
    expect(http({ "X-Key": "a", "x-key": "b" })).toEqual(["headers.x-key"]);
    expect(http(Object.fromEntries(Array.from({ length: 21 }, (_, n) => [`x-${n}`, "a"])))).toEqual([
      "headers",
    ]);
    expect(
      http(Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`x-${n}`, "a".repeat(8_000)]))),
    ).toEqual(["headers"]);
  });

  it("take variables, and none with which other code could be run", () => {
    expect(stdio({ DATABASE_URL: "postgres://a:b@c/d", _x: "", TOKEN: "two\nlines" })).toBeNull();
    for (const name of [
      "PATH",
      "path",
      "HOME",
      "LD_PRELOAD",
      "DYLD_INSERT_LIBRARIES",
      "NODE_OPTIONS",
      "BASH_ENV",
    ])
      expect(stdio({ [name]: "x" })).toEqual([`env.${name}`]);
    for (const name of ["PYTHONPATH", "RUBYOPT", "PERL5LIB", "AMBIT_MASTER_KEY", "JAVA_TOOL_OPTIONS"])
      expect(stdio({ [name]: "x" })).toEqual([`env.${name}`]);
    for (const name of ["", "1A", "A-B", "A=B"]) expect(stdio({ [name]: "x" })).not.toBeNull();
    expect(stdio({ A: "x\0" })).toEqual(["env.A"]);
  });

  it("need a person for programs, credentials, and where credentials go", () => {
    expect(needsPerson("stdio", {}, true)).toBe(true);
    expect(needsPerson("stdio", { name: "x" }, false)).toBe(true);
    expect(needsPerson("http", { url: "https://a.example/" }, true)).toBe(false);
    expect(needsPerson("http", { url: "https://a.example/", headers: {} }, true)).toBe(false);
    expect(needsPerson("http", { url: "https://a.example/", headers: { a: "b" } }, true)).toBe(true);
    expect(needsPerson("http", { url: "https://a.example/" }, false)).toBe(true);
    expect(needsPerson("http", { headers: {} }, false)).toBe(true);
    expect(needsPerson("http", { name: "x", captureValues: true }, false)).toBe(false);
    expect(needsPerson("builtin", { name: "x" }, false)).toBe(false);
  });
});

describe("arguments", () => {
  it("name variables of their server, once, and nothing else", () => {
    const env = { A: "1", B: `\${A}`, constructor_: "x" };
    expect(fillIn(`--x=\${A}-\${A}`, env)).toBe("--x=1-1");
    expect(fillIn(`\${B}`, env)).toBe(`\${A}`);
    const unknown = `\${C} $A \${constructor} \${toString}`;
    expect(fillIn(unknown, env)).toBe(unknown);
  });
});

describe("the built-in server's id", () => {
  it("is a UUID of its own, always the same for an organisation", () => {
    const organization = "0b1c7a52-7b84-4a52-9a87-8d0d8f0f4a01";
    expect(builtinIdOf(organization)).toBe(builtinIdOf(organization));
    expect(builtinIdOf(organization)).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    expect(builtinIdOf(organization)).not.toBe(builtinIdOf(organization.replace(/1$/, "2")));
  });
});
