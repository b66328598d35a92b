import { randomBytes } from "node:crypto";
import type { ToolDefinition } from "@ambit/policy";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { UpstreamFailure } from "../../engines/upstream/types.ts";
import { Secrets } from "../../kernel/secrets.ts";
import { endOfAnswer, failureStatus, failureText, passedStatus } from "./answer.ts";
import { ClientIds } from "./ids.ts";
import { checkList } from "./lists.ts";
import { paramHeaderProblem, repeatedByTool } from "./param-headers.ts";
import { eventText } from "./sse.ts";
import { BUILTIN_ID, SERVER_ID } from "./testing/stand.ts";
import { TestGateway } from "./testing/test-gateway.ts";
import { isGatewayUrl, readGatewayUrl } from "./url.ts";

describe("proxy URLs", () => {
  it.each([
    `/mcp/${SERVER_ID}`,
    `/mcp/${SERVER_ID}/`,
    `/mcp/${SERVER_ID.toUpperCase()}/?x=1`,
    "/mcp/ambit",
    "/mcp/ambit/?tools=verbs",
  ])("%s is one", (url) => {
    expect(isGatewayUrl(url)).toBe(true);
  });
  it.each([
    "/mcp",
    "/mcp/",
    "/mcp?tools=verbs",
    "/mcp/other",
    `/mcp/${SERVER_ID}/more`,
    "/mcp/ambit/x",
    `/v1/mcp/${SERVER_ID}`,
  ])("%s is none", (url) => {
    expect(isGatewayUrl(url)).toBe(false);
  });
  it("name the server, and which of Ambit's tools", () => {
    expect(readGatewayUrl(`/mcp/${SERVER_ID.toUpperCase()}`)).toEqual({ serverRef: SERVER_ID, verbs: false });
    expect(readGatewayUrl("/mcp/ambit/?tools=verbs")).toEqual({ serverRef: "ambit-verbs", verbs: true });
    expect(readGatewayUrl("/mcp/ambit-verbs")).toEqual({ serverRef: "ambit-verbs", verbs: false });
    expect(readGatewayUrl(`/mcp/${SERVER_ID}/?tools=verbs`)).toEqual({ serverRef: SERVER_ID, verbs: true });
    for (const query of ["tools=", "tools=all", "tools=verbs&tools=verbs"]) {
      expect(() => readGatewayUrl(`/mcp/ambit/?${query}`), query).toThrow(/verbs/);
    }
    expect(() => readGatewayUrl(`/mcp/ambit/?${"x".repeat(20_000)}`)).toThrow(/longer/);
  });
});

describe("events", () => {
  it("say the same however the JSON was laid out", () => {
    const layout = fc.constantFrom("\n", "\r\n", "\r", " ");
    fc.assert(
      fc.property(fc.jsonValue(), layout, (value, br) => {
        const text = JSON.stringify(value, null, 1).replaceAll("\n", br);
        const [event, ...rest] = eventText(text, "7").split("\n\n");
        expect(rest).toEqual([""]);
        const lines = event!.split("\n");
        expect(lines.slice(0, 2)).toEqual(["id: 7", "event: message"]);
        expect(lines.slice(2).every((line) => line.startsWith("data: "))).toBe(true);
        const data = lines.slice(2).map((line) => line.slice(6));
        expect(JSON.parse(data.join("\n"))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      { seed: 4, numRuns: 500 },
    );
  });
});

describe("ids of sessions and events", () => {
  const secrets = new Secrets(randomBytes(32));
  const gateway = new TestGateway();
  const alice = gateway.add("alice", SERVER_ID, null);
  const bob = gateway.add("bob", SERVER_ID, null);
  const elsewhere = { ...alice, server: { ...alice.server, id: BUILTIN_ID } };

  it("work on every node, and only for the grant and the server they were made for", () => {
    const [one, other] = [new ClientIds(secrets), new ClientIds(secrets)];
    const id = one.seal(alice, "sess-ü");
    expect(/^[\x21-\x7e]+$/.test(id)).toBe(true);
    for (const ids of [one, other]) {
      expect(ids.open(alice, id)).toBe("sess-ü");
      expect(ids.open(alice, id)).toBe("sess-ü");
      expect(ids.open(bob, id)).toBeNull();
      expect(ids.open(elsewhere, id)).toBeNull();
    }
    expect(new ClientIds(new Secrets(randomBytes(32))).open(alice, id)).toBeNull();
    expect(id).not.toContain("sess");
  });

  it("can't be forged", () => {
    const ids = new ClientIds(secrets);
    const id = ids.seal(alice, "s");
    const [version, nonce, tag, body] = id.split(".") as [string, string, string, string];
    for (const bytes of [4, 8, 12, 15]) {
      const cut = Buffer.from(tag, "base64url").subarray(0, bytes).toString("base64url");
      expect(ids.open(alice, [version, nonce, cut, body].join(".")), `${bytes} bytes of the tag`).toBeNull();
    }
    const event = ids.eventId(alice, "s", "e 1");
    expect(ids.openEvent(alice, "s", event)).toBe("e 1");
    expect(ids.openEvent(alice, "t", event)).toBeNull();
    expect(ids.openEvent(bob, "s", event)).toBeNull();
    fc.assert(
      fc.property(fc.nat(), fc.string({ minLength: 1, maxLength: 1 }), (at, char) => {
        const change = (text: string) => {
          const place = at % text.length;
          return text.slice(0, place) + char + text.slice(place + 1);
        };
        for (const forged of [change(id), char.repeat(at % 300), ""]) {
          // Two spellings of base64 may say the same bytes; then it is the same session.
          expect([null, "s"]).toContain(ids.open(alice, forged));
          if (forged === "" || forged.length < 20) expect(ids.open(alice, forged)).toBeNull();
        }
        const forged = change(event);
        if (forged !== event) expect([null, "e 1"]).toContain(ids.openEvent(alice, "s", forged));
      }),
      { seed: 5, numRuns: 500 },
    );
  });
});

describe("how a call ended", () => {
  const answer = (rest: object) => ({ jsonrpc: "2.0", id: 1, ...rest });
  it.each([
    ["a result", 200, { result: { content: [] } }, "yes", null],
    ["a tool's error", 200, { result: { content: [], isError: true } }, "yes", "isError"],
    ["no such method", 200, { error: { code: -32601, message: "" } }, "no", "-32601"],
    ["wrong params", 400, { error: { code: -32602, message: "" } }, "no", "-32602"],
    ["another error", 200, { error: { code: -32603, message: "" } }, "maybe", "-32603"],
    ["an error with 404", 404, { error: { code: -32000, message: "" } }, "no", "-32000"],
    ["an error with 500", 500, { error: { code: -32000, message: "" } }, "maybe", "-32000"],
    ["an error without a code", 200, { error: "?" }, "maybe", "error"],
    ["a question", 200, { result: { resultType: "input_required" } }, "yes", null],
  ])("%s", (_what, status, rest, ran, problem) => {
    expect(endOfAnswer(status, answer(rest), false)).toEqual({ ran, status, problem, result: null });
  });

  it("keeps the result of what a person approved, but not a question that comes before it", () => {
    const result = { content: [{ type: "text", text: "1" }] };
    expect(endOfAnswer(200, answer({ result }), true).result).toBe(JSON.stringify(result));
    const asks = { result: { resultType: "input_required", requestState: "x" } };
    expect(endOfAnswer(200, answer(asks), true)).toMatchObject({ ran: "no", result: null });
  });

  const failure = (kind: UpstreamFailure["kind"], status: number | null = null): UpstreamFailure => ({
    ...{ kind, status, ran: kind === "connect" ? "no" : "maybe" },
    message: "secret.internal:8080 refused the key sk_live",
  });

  it("a failure tells its kind and whether the call ran, and nothing of the upstream", () => {
    for (const kind of ["connect", "refused", "timeout", "broken", "body", "too_large"] as const) {
      const text = failureText(failure(kind, 503));
      expect(text).toContain(kind);
      expect(text).toMatch(/It (did not|may have) run\./);
      expect(text).not.toContain("secret");
      expect(text).not.toContain("sk_live");
    }
  });

  it("has the status its client understands", () => {
    expect(failureStatus(failure("timeout"), "stateless", true, false)).toBe(504);
    expect(failureStatus(failure("connect"), "stateless", true, false)).toBe(502);
    expect(failureStatus(failure("connect"), "session", true, true)).toBe(200);
    expect(failureStatus(failure("refused", 404), "session", true, true)).toBe(404);
    expect(failureStatus(failure("refused", 404), "session", true, false)).toBe(200);
    expect(failureStatus(failure("connect"), "session", false, true)).toBe(502);
    for (const status of [401, 403, 407, 429, 302, 0, 700]) expect(passedStatus(status)).toBe(502);
    for (const status of [200, 400, 404, 500, 503]) expect(passedStatus(status)).toBe(status);
  });
});

describe("lists of tools", () => {
  const result = (value: unknown) => ({ jsonrpc: "2.0", id: 1, result: value });
  it("are seen wherever they come", () => {
    for (const answered of ["tools", "other", "unknown"] as const) {
      expect(checkList(result({ tools: [] }), answered)).toBe("filter");
      expect(checkList({ jsonrpc: "2.0", id: 1, error: { code: 1 } }, answered)).toBe("none");
      expect(checkList({ jsonrpc: "2.0", method: "x", params: { tools: [] } }, answered)).toBe("none");
    }
  });
  it("that can't be read are not passed on", () => {
    for (const broken of [undefined, null, [], "x", {}, { tools: {} }, { tools: null }]) {
      expect(checkList(result(broken), "tools")).toBe("unreadable");
    }
    expect(checkList(result({ tools: { a: 1 } }), "unknown")).toBe("unreadable");
    expect(checkList(result({ tools: { a: 1 } }), "other")).toBe("none");
    expect(checkList(result({ content: [] }), "unknown")).toBe("none");
  });
});

describe("headers that repeat arguments", () => {
  const tool: ToolDefinition = {
    name: "t",
    inputSchema: {
      type: "object",
      properties: {
        region: { type: "string", "x-mcp-header": "Region" },
        limits: { type: "object", properties: { rows: { type: "integer", "x-mcp-header": "Rows" } } },
        dry: { type: "boolean", "x-mcp-header": "Dry" },
        list: { type: "array", items: { type: "string", "x-mcp-header": "Never" } },
        wrong: { type: "object", "x-mcp-header": "Wrong" },
        bad: { type: "string", "x-mcp-header": "no token" },
      },
    },
  };
  const repeated = repeatedByTool([tool]).get(tool.name)!;
  const problem = (args: object, headers: Record<string, string>) =>
    paramHeaderProblem(repeated, args as never, headers);

  it("are those the schema marks where the protocol allows it", () => {
    expect(repeated.map(({ header }) => header).sort()).toEqual([
      "mcp-param-dry",
      "mcp-param-region",
      "mcp-param-rows",
    ]);
  });

  it("must say what the body says", () => {
    const args = { region: "eu", limits: { rows: 42 }, dry: false };
    const right = { "mcp-param-region": "eu", "mcp-param-rows": "42", "mcp-param-dry": "false" };
    expect(problem(args, right)).toBeNull();
    expect(
      problem(args, { ...right, "mcp-param-rows": "42.0", "mcp-param-region": "=?base64?ZXU=?=" }),
    ).toBeNull();
    expect(problem({}, {})).toBeNull();
    expect(problem({ region: null }, {})).toBeNull();
    expect(problem({ region: { a: 1 } }, {})).toBeNull();
    for (const wrong of [
      { ...right, "mcp-param-region": "us" },
      { ...right, "mcp-param-rows": "43" },
      { ...right, "mcp-param-dry": "true" },
      { ...right, "mcp-param-region": "=?base64?!?=" },
      { "mcp-param-region": "eu", "mcp-param-rows": "42" },
    ]) {
      expect(problem(args, wrong), JSON.stringify(wrong)).toContain("Header mismatch");
    }
    expect(problem({}, { "mcp-param-region": "eu" })).toContain("Header mismatch");
  });
});
