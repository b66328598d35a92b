import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readMessage } from "./message.ts";
import { callOf, envelope, legacy, repeats, stateless, VERSION } from "./testing/requests.ts";

const read = (message: unknown, headers: Record<string, string> = {}) =>
  readMessage(typeof message === "string" ? message : JSON.stringify(message), headers);
const codeOf = (message: unknown, headers: Record<string, string> = {}) => {
  const incoming = read(message, headers);
  return incoming.kind === "malformed" ? incoming.code : incoming.kind;
};

describe("what can't be read", () => {
  it.each([
    ["", -32700],
    ["{", -32700],
    ["nonsense", -32700],
    ['\ufeff{"jsonrpc":"2.0","id":1,"method":"ping"}', -32700],
    ['{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}', -32700],
    ['{"jsonrpc":"2.0","id":1,"method":"ping","m\\u0065thod":"tools/list"}', -32700],
    [
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"n":1,"n":2}}}',
      -32700,
    ],
    ['{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"n":1e999}}}', -32700],
    [
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"n":9007199254740993}}}',
      -32700,
    ],
    ['{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\\ud800"}}', -32700],
    [`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":${"[".repeat(200)}${"]".repeat(200)}}}`, -32600],
    ["null", -32600],
    ["7", -32600],
    ["[]", -32600],
    ['[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600],
    ["{}", -32600],
    ['{"id":1,"method":"ping"}', -32600],
    ['{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600],
    ['{"jsonrpc":"2.0","id":1,"method":7}', -32600],
    ['{"jsonrpc":"2.0","id":1,"method":""}', -32600],
    ['{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600],
    ['{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600],
    ['{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600],
    ['{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600],
    ['{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}', -32600],
    ['{"jsonrpc":"2.0","id":1,"Method":"ping"}', -32600],
    ['{"jsonrpc":"2.0","id":1,"method":"ping","PARAMS":{}}', -32600],
    ['{"jsonrpc":"2.0","id":1,"method":"ping","param\\u017f":{}}', -32600],
    ['{"jsonrpc":"2.0","method":"tools/call","params":{"name":"a"}}', -32600],
    ['{"jsonrpc":"2.0","id":1,"method":"Tools/Call","params":{"name":"a"}}', -32600],
    ['{"jsonrpc":"2.0","id":1,"method":" tools/call","params":{"name":"a"}}', -32600],
    ['{"jsonrpc":"2.0","id":1}', -32600],
    ['{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}', -32600],
    ['{"jsonrpc":"2.0","result":{}}', -32600],
    ['{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', -32602],
    ['{"jsonrpc":"2.0","id":1,"method":"ping","params":null}', -32602],
    ['{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":[]}}', -32602],
    ['{"jsonrpc":"2.0","id":1,"method":"tools/call"}', -32602],
    ['{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}', -32602],
    ['{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7}}', -32602],
    ['{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":null}}', -32602],
    ['{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":[]}}', -32602],
    ['{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":"{}"}}', -32602],
    ['{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Name":"b"}}', -32602],
    ['{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","argumentſ":{}}}', -32602],
    ['{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","requestState":7}}', -32602],
    ['{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","inputResponses":[]}}', -32602],
  ])("%s → %i", (text, code) => {
    expect(codeOf(text)).toBe(code);
  });

  it("says what it knows of it: id and method, for the answer and the record", () => {
    expect(read({ jsonrpc: "2.0", id: "x", method: "tools/call" })).toMatchObject({
      id: "x",
      method: "tools/call",
    });
    expect(read("{")).toMatchObject({ id: null, method: null });
  });

  it("repeats nothing of a text that is no JSON", () => {
    const incoming = read('{"password":"geheim');
    expect(JSON.stringify(incoming)).not.toContain("geheim");
  });
});

describe("what can", () => {
  it("is a request, a notification or an answer", () => {
    expect(read(legacy("ping"))).toMatchObject({ kind: "request", id: "a1", era: "session", call: null });
    expect(read({ jsonrpc: "2.0", method: "notifications/initialized" })).toMatchObject({
      kind: "notification",
    });
    expect(read({ jsonrpc: "2.0", id: 1, result: { tools: [] } })).toMatchObject({ kind: "response" });
    expect(read({ jsonrpc: "2.0", id: 1, error: { code: 1, message: "" } })).toMatchObject({
      kind: "response",
    });
  });

  it("gives a call's tool and arguments as they stand in the message", () => {
    const incoming = read(
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"__proto__":{"x":1}}}}',
    );
    if (incoming.kind !== "request") throw new Error(incoming.kind);
    expect(incoming.call).toMatchObject({ tool: "a", ownState: null, opensUrls: false });
    expect(Object.keys(incoming.call!.args)).toEqual(["__proto__"]);
    expect(JSON.stringify(incoming.message)).toContain('"__proto__":{"x":1}');
    expect(read(legacy("tools/call", callOf("a")))).toMatchObject({ call: { args: {} } });
  });

  it("tells its own states from the upstream's", () => {
    const state = (requestState: string) => {
      const incoming = read(legacy("tools/call", { ...callOf("a"), requestState }));
      return incoming.kind === "request" ? incoming.call?.ownState : undefined;
    };
    expect(state("ambit.v1.x")).toBe("v1.x");
    expect(state("of the upstream")).toBeNull();
  });

  it("knows who can be sent to a page: by this very request's capabilities", () => {
    const opens = (capabilities: object) => {
      const message = stateless("tools/call", callOf("a"), capabilities);
      const incoming = read(message, repeats("tools/call", "a"));
      return incoming.kind === "request" && incoming.call?.opensUrls;
    };
    expect(opens({ elicitation: { url: {} } })).toBe(true);
    for (const none of [
      {},
      { elicitation: {} },
      { elicitation: { form: {} } },
      { elicitation: { url: true } },
    ]) {
      expect(opens(none), JSON.stringify(none)).toBe(false);
    }
  });
});

describe("headers and body", () => {
  const call = stateless("tools/call", callOf("größe", { a: 1 }));
  const encoded = `=?base64?${Buffer.from("größe").toString("base64")}?=`;
  const right = repeats("tools/call", encoded);

  it("agree, in plain or in base64", () => {
    expect(codeOf(call, right)).toBe("request");
    expect(codeOf(stateless("tools/call", callOf("a")), repeats("tools/call", "=?base64?YQ==?="))).toBe(
      "request",
    );
    expect(codeOf(stateless("resources/read", { uri: "x://y" }), repeats("resources/read", "x://y"))).toBe(
      "request",
    );
    expect(codeOf(stateless("tools/list"), repeats("tools/list"))).toBe("request");
  });

  it.each([
    ["no version", { "mcp-method": "tools/call", "mcp-name": encoded }],
    ["another version", { ...right, "mcp-protocol-version": "2026-07-29" }],
    ["an older version", { ...right, "mcp-protocol-version": "2025-11-25" }],
    ["no method", { "mcp-protocol-version": VERSION, "mcp-name": encoded }],
    ["another method", { ...right, "mcp-method": "tools/list" }],
    ["two methods", { ...right, "mcp-method": "tools/call, tools/list" }],
    ["no name", repeats("tools/call")],
    ["another name", { ...right, "mcp-name": "grosse" }],
    ["broken base64", { ...right, "mcp-name": "=?base64?gr?=" }],
    ["base64 of no UTF-8", { ...right, "mcp-name": "=?base64?/w==?=" }],
  ])("%s: refused", (_what, headers) => {
    expect(codeOf(call, headers as unknown as Record<string, string>)).toBe(-32020);
  });

  it("are compared in the older era too, where they are sent", () => {
    const message = legacy("tools/call", callOf("a"));
    expect(codeOf(message)).toBe("request");
    expect(codeOf(message, { "mcp-method": "tools/call", "mcp-name": "a" })).toBe("request");
    expect(codeOf(message, { "mcp-method": "tools/list" })).toBe(-32020);
    expect(codeOf(message, { "mcp-name": "b" })).toBe(-32020);
    expect(codeOf({ jsonrpc: "2.0", id: 1, result: {} }, { "mcp-method": "tools/call" })).toBe(-32020);
  });

  it("never make a message stateless that does not say so itself, but a notification", () => {
    expect(codeOf(legacy("tools/list"), { "mcp-protocol-version": VERSION })).toBe(-32602);
    expect(codeOf(legacy("initialize", {}), { "mcp-protocol-version": VERSION })).toBe(-32020);
    const note = { jsonrpc: "2.0", method: "notifications/x" };
    expect(read(note, { "mcp-protocol-version": VERSION })).toMatchObject({ era: "stateless" });
    expect(read(note, { "mcp-protocol-version": "2025-11-25" })).toMatchObject({ era: "session" });
    expect(codeOf({ jsonrpc: "2.0", id: 1, result: {} }, { "mcp-protocol-version": VERSION })).toBe(-32600);
  });

  it("a claim that is no text is refused", () => {
    const broken = { ...envelope(), "io.modelcontextprotocol/protocolVersion": 7 };
    expect(codeOf(legacy("tools/list", { _meta: broken }))).toBe(-32602);
  });
});

describe("any text", () => {
  it("is read or malformed, and never throws", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.string({ unit: "binary" })), (text) => {
        const { kind } = read(text);
        expect(["request", "notification", "response", "malformed"]).toContain(kind);
      }),
      { seed: 20261122, numRuns: 2_000 },
    );
  });

  it("that is read says, serialised again, exactly what was judged", () => {
    const value = fc.jsonValue({ maxDepth: 4 });
    fc.assert(
      fc.property(fc.string(), fc.dictionary(fc.string(), value), (name, args) => {
        const text = JSON.stringify(legacy("tools/call", { name, arguments: args }));
        const incoming = read(text);
        if (incoming.kind === "malformed") return;
        if (incoming.kind !== "request") throw new Error(incoming.kind);
        const again = JSON.parse(JSON.stringify(incoming.message));
        expect(again.params.name).toEqual(incoming.call?.tool);
        expect(JSON.stringify(again.params.arguments)).toBe(JSON.stringify(incoming.call?.args));
      }),
      { seed: 7, numRuns: 1_000 },
    );
  });
});
