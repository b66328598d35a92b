import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ranByAnswer, ranByStatus } from "../ran.ts";
import { credentialHeaders, headerValue, nameOf, postHeaders } from "./headers.ts";

const read = (value: string) => {
  const encoded = /^=\?base64\?(.*)\?=$/s.exec(value);
  return encoded === null ? value : Buffer.from(encoded[1]!, "base64").toString("utf8");
};

describe("a name in a header", () => {
  it.each([
    ["echo", "echo"],
    ["a b\tc", "a b\tc"],
    ["", "=?base64??="],
    [" a", "=?base64?IGE=?="],
    ["a\r\nx: y", "=?base64?YQ0KeDogeQ==?="],
    ["ü", "=?base64?w7w=?="],
    ["=?base64?ZQ==?=", "=?base64?PT9iYXNlNjQ/WlE9PT89?="],
  ])("%j goes as %j", (name, value) => expect(headerValue(name)).toBe(value));

  it("is one line of printable ASCII, and reads as what it was", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (name) => {
        const value = headerValue(name);
        expect(value).toMatch(/^[\x21-\x7e]([\t\x20-\x7e]*[\x21-\x7e])?$/);
        expect(read(value)).toBe(name);
      }),
    );
  });

  it("comes from the parameter of its method alone", () => {
    expect(nameOf("tools/call", { name: "t", uri: "u" })).toBe("t");
    expect(nameOf("resources/read", { name: "t", uri: "u" })).toBe("u");
    expect(nameOf("tasks/cancel", { taskId: "7" })).toBe("7");
    expect(nameOf("tools/call", { name: 7 })).toBeNull();
    expect(nameOf("tools/call", Object.create({ name: "inherited" }))).toBeNull();
    expect(nameOf("tools/call", undefined)).toBeNull();
    for (const method of ["tools/list", "constructor", "__proto__"])
      expect(nameOf(method, { name: "t" })).toBeNull();
  });
});

describe("headers of a message", () => {
  it("repeat the body in the stateless era, whatever the client's say", () => {
    const meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28" };
    const message = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "t", _meta: meta } };
    const headers = { "mcp-protocol-version": "2025-11-25", "mcp-method": "x", "mcp-name": "y", cookie: "c" };
    const list = postHeaders({ message, era: "stateless", sessionId: null, headers });
    const pairs = Object.fromEntries(
      list.flatMap((name, at) => (at % 2 === 0 ? [[name, list[at + 1]]] : [])),
    );
    expect(pairs).toMatchObject({
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/call",
      "mcp-name": "t",
    });
    expect(pairs.cookie).toBeUndefined();
  });

  it("of credentials never change what is ours", () => {
    expect(credentialHeaders({ HOST: "x", "X-Key": "k", "Content-Type": "x", te: "trailers" })).toEqual([
      "X-Key",
      "k",
    ]);
  });
});

describe("whether a call ran", () => {
  it("is disproved by the named statuses and codes alone", () => {
    const none = new Set([401, 403, 404, 429]);
    for (let status = 100; status < 600; status++) {
      expect(ranByStatus(status)).toBe(none.has(status) ? "no" : "maybe");
    }
    const answer = (code: unknown) => ranByAnswer(200, { error: { code } });
    expect([-32601, -32602, -32603, -32000, "-32601"].map(answer)).toEqual([
      "no",
      "no",
      "maybe",
      "maybe",
      "maybe",
    ]);
    expect(ranByAnswer(200, { result: { isError: true } })).toBe("yes");
    expect(ranByAnswer(429, { error: { code: -32000 } })).toBe("no");
    expect(ranByAnswer(200, { error: null })).toBe("maybe");
  });
});
