import { randomBytes } from "node:crypto";
import { request as httpRequest } from "node:http";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { eventually } from "../support/actors.ts";
import { must, newApp } from "../support/app.ts";
import { deployFunction, http, type Nodes, startNodes } from "../support/functions.ts";
import { callTool } from "../support/mcp.ts";
import { rawHttp } from "../support/raw-http.ts";

let nodes: Nodes;
let appId: string;
let key: Record<string, string>;

beforeAll(async () => {
  nodes = await startNodes(inject("postgres"));
  appId = await newApp(nodes.owner);
  key = { authorization: `Bearer ${nodes.server.apiKey}` };
});
afterAll(() => nodes?.close());

const open = (name: string, code: string, more: object = {}) =>
  deployFunction(nodes.agent, appId, name, code, { ...http("none"), ...more });
const path = (name: string) => `/v1/${appId}/fn/${name}`;
const at = (name: string) => `${nodes.server.apiUrl}${path(name)}`;

describe("bodies", () => {
  it("come and go byte for byte", async () => {
    await open(
      "mirror",
      "export default async (req: Request) => new Response(await req.arrayBuffer(), { headers: { 'content-type': req.headers.get('content-type')! } });",
    );
    await open("pipe", "export default (req: Request) => new Response(req.body);");
    const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const bodies = [
      all,
      randomBytes(1_500_000),
      Buffer.from([0xff, 0xfe, 0, 0xc3, 0x28]),
      Buffer.from("grüße \u{1f600}"),
    ];
    for (const name of ["mirror", "pipe"])
      for (const body of bodies) {
        const answer = await fetch(at(name), {
          method: "POST",
          body,
          headers: { "content-type": "application/x-mine" },
        });
        expect([name, answer.status, Buffer.from(await answer.arrayBuffer()).equals(body)]).toEqual([
          name,
          200,
          true,
        ]);
        if (name === "mirror") expect(answer.headers.get("content-type")).toBe("application/x-mine");
      }
    const form = new FormData();
    form.set("file", new Blob([all]), "a.bin");
    await open(
      "form",
      "export default async (req: Request) => { const f: any = (await req.formData()).get('file'); return [f.name, [...new Uint8Array(await f.arrayBuffer())]]; };",
    );
    expect(await (await fetch(at("form"), { method: "POST", body: form })).json()).toEqual([
      "a.bin",
      [...all],
    ]);
  });

  it("too large are refused with 413, announced or not", async () => {
    await open("size", "export default async (req: Request) => (await req.arrayBuffer()).byteLength;");
    const limit = 10 * 1024 * 1024;
    const exact = await fetch(at("size"), { method: "POST", body: Buffer.alloc(limit) });
    expect([exact.status, await exact.json()]).toEqual([200, limit]);
    const announced = await rawHttp(nodes.server.apiUrl, `POST ${path("size")} HTTP/1.1`, [
      `content-length: ${limit + 1}`,
    ]);
    expect(announced.status).toBe(413);
    expect(JSON.parse(announced.body).error).toMatchObject({
      code: "REQUEST_TOO_LARGE",
      remediation: expect.any(String),
    });
    const streamed = await new Promise<number>((resolve) => {
      const request = httpRequest(at("size"), { method: "POST" }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      request.on("error", () => resolve(-1));
      const piece = Buffer.alloc(1024 * 1024);
      for (let i = 0; i < 12; i++) request.write(piece);
      request.end();
    });
    expect(streamed).toBeOneOf([413, -1]);
    expect(await (await fetch(at("size"), { method: "POST", body: "still there" })).json()).toBe(11);
  });
});

describe("answers", () => {
  it("stream: the first piece is here before the last is made", async () => {
    await open(
      "drip",
      `let release: (() => void) | undefined;
      export async function handler(req: Request) {
        if (new URL(req.url).searchParams.has("release")) { return Response.json({ waiting: false }); }
        const { readable, writable } = new TransformStream();
        const writer = writable.getWriter();
        (async () => {
          await writer.write(new TextEncoder().encode("first;"));
          await new Promise((done) => setTimeout(done, 1500));
          await writer.write(new TextEncoder().encode("last"));
          await writer.close();
        })();
        return new Response(readable);
      }`,
    );
    const response = await fetch(at("drip"));
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    const order: string[] = [];
    let text = "";
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      text += piece.value;
      order.push(text);
    }
    expect(order[0]).toBe("first;");
    expect(text).toBe("first;last");
  });

  it("are events, one by one", async () => {
    await open(
      "events",
      `export function handler() {
        let n = 0;
        return new Response(new ReadableStream({
          async pull(out) {
            if (n === 3) return out.close();
            out.enqueue(new TextEncoder().encode(\`id: \${++n}\\ndata: {"n":\${n}}\\n\\n\`));
            await new Promise((done) => setTimeout(done, 100));
          },
        }), { headers: { "content-type": "text/event-stream", "cache-control": "no-cache" } });
      }`,
    );
    const response = await fetch(at("events"));
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const pieces: string[] = [];
    for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) pieces.push(piece);
    expect(pieces.length).toBeGreaterThan(1);
    expect(pieces.join("")).toBe([1, 2, 3].map((n) => `id: ${n}\ndata: {"n":${n}}\n\n`).join(""));
  });

  it("have the method, status and headers the function chose", async () => {
    await open(
      "any",
      `export async function handler(req: Request) {
        const status = Number(new URL(req.url).searchParams.get("status") ?? 200);
        const none = req.method === "HEAD" || status === 204 || status === 304;
        return new Response(none ? null : req.method, { status, headers: { "x-method": req.method, "x-two": "a, b" } });
      }`,
    );
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
      const answer = await fetch(at("any"), { method });
      expect([method, answer.status, await answer.text()]).toEqual([method, 200, method]);
    }
    const head = await fetch(at("any"), { method: "HEAD" });
    expect([head.status, head.headers.get("x-method"), await head.text()]).toEqual([200, "HEAD", ""]);
    for (const status of [201, 204, 302, 304, 404, 418, 503]) {
      const answer = await fetch(at(`any?status=${status}`), { redirect: "manual" });
      expect([status, answer.status, answer.headers.get("x-two")]).toEqual([status, status, "a, b"]);
    }
    expect((await rawHttp(nodes.server.apiUrl, `GET ${path("any?status=204")} HTTP/1.1`)).body).toBe("");
    const request = (await fetch(at("any"))).headers.get("x-request-id");
    expect(request).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("of plain values are JSON; of nothing, 204", async () => {
    await open(
      "plain",
      `export const handler = async (req: Request) => ({ list: [1, "zwei", null], nested: { ü: true } });`,
    );
    const plain = await fetch(at("plain"));
    expect([plain.headers.get("content-type"), await plain.json()]).toEqual([
      expect.stringContaining("application/json"),
      { list: [1, "zwei", null], nested: { ü: true } },
    ]);
    await open("nothing", "export async function handler() {}");
    const nothing = await fetch(at("nothing"));
    expect([nothing.status, await nothing.text()]).toEqual([204, ""]);
  });

  it("that nobody waits for any more end", async () => {
    await open(
      "endless",
      `let gone = 0;
      export function handler(req: Request) {
        if (req.method === "POST") return { gone };
        return new Response(new ReadableStream({
          async pull(out) { out.enqueue(new Uint8Array(1000)); await new Promise((done) => setTimeout(done, 20)); },
          cancel() { gone += 1; },
        }));
      }`,
    );
    const stop = new AbortController();
    const response = await fetch(at("endless"), { signal: stop.signal });
    await response.body!.getReader().read();
    stop.abort();
    await eventually(
      async () => ((await (await fetch(at("endless"), { method: "POST" })).json()) as any).gone === 1,
      "the stream's end",
    );
  });
});

describe("failures", () => {
  it("by time: 504 with the fields of the compatible API, for URL, invoke and tool", async () => {
    await open("slow", "export const handler = () => new Promise(() => { setTimeout(() => {}, 60000); });", {
      timeoutMs: 300,
    });
    const answer = await fetch(at("slow"));
    const body: any = await answer.json();
    expect(answer.status).toBe(504);
    expect(body).toMatchObject({
      error: {
        code: "FUNCTION_TIMEOUT",
        remediation: expect.any(String),
        details: { error: "function_timeout", duration_ms: expect.any(Number) },
      },
      message: expect.stringContaining("300 ms"),
      // Far from the time the function would take.
      duration_ms: expect.toSatisfy((ms: number) => ms >= 290 && ms < 10_000),
    });
    const invoked = await nodes.owner("POST", `/v1/${appId}/functions/slow/invoke`, {});
    expect([invoked.status, invoked.body.error.code]).toEqual([504, "FUNCTION_TIMEOUT"]);
    await expect(
      callTool(nodes.agent, "invoke_function", { app_id: appId, function_name: "slow" }),
    ).rejects.toThrow("FUNCTION_TIMEOUT");
    const { logs } = await eventually(async () => {
      const read = must(await nodes.owner("GET", `/v1/${appId}/functions/slow/logs?level=error`));
      return read.logs.length >= 3 && read;
    }, "the log of three timeouts");
    expect(logs.map(({ statusCode }: any) => statusCode)).toEqual([504, 504, 504]);
  });

  it("by throwing: 500, in full only for developers, in lines of the TypeScript", async () => {
    const code = [
      "interface Order { total: number }",
      "type Maybe<T> = T | null;",
      "function check(order: Maybe<Order>): Order {",
      '  if (order === null) throw new TypeError("secret total");',
      "  return order;",
      "}",
      "export async function handler(): Promise<Order> {",
      "  return check(null);",
      "}",
    ].join("\n");
    await open("throws", code);
    const outside = await fetch(at("throws"));
    const told = await outside.text();
    expect([outside.status, JSON.parse(told)]).toEqual([
      500,
      { error: "The function failed.", request_id: outside.headers.get("x-request-id") },
    ]);
    const byKey = await nodes.owner("POST", `/v1/${appId}/functions/throws/invoke`, {});
    expect([byKey.status, byKey.body.error]).toEqual([500, "secret total"]);
    expect(byKey.body.stack).toMatch(
      /^TypeError: secret total\n\s+at check .*throws\.ts:4:\d+.*\n\s+at handler .*:8:/,
    );
    const inside = await fetch(at("throws"), { headers: key });
    const full: any = await inside.json();
    expect([inside.status, full.error]).toEqual([500, "secret total"]);
    expect(full.stack).toMatch(
      /^TypeError: secret total\n\s+at check .*throws\.[jt]s:\d+:\d+.*\n\s+at handler /,
    );
    expect(full.stack).not.toMatch(/ambit/);
    const invoked = await callTool(nodes.agent, "invoke_function", {
      app_id: appId,
      function_name: "throws",
    });
    expect(invoked).toMatchObject({ status: 500, body: { error: "secret total" } });
    const entry = await eventually(async () => {
      const { logs } = await callTool(nodes.agent, "manage_function", {
        app_id: appId,
        action: "get_logs",
        function_name: "throws",
      });
      return logs.find((each: any) => each.request_id === outside.headers.get("x-request-id"));
    }, "the log entry");
    expect(entry).toMatchObject({ statusCode: 500, error: "TypeError: secret total" });
    expect(entry.stack).toContain("throws.ts:4:");
  });

  it("of anything that can be thrown, and the function goes on", async () => {
    await open(
      "odd",
      "export async function handler(req: Request) { const what: any = await req.json(); if (what !== 1) throw what; return 1; }",
    );
    for (const thrown of ["text", null, { a: 1 }, 0]) {
      const answer = await fetch(at("odd"), { method: "POST", body: JSON.stringify(thrown) });
      expect(answer.status).toBe(500);
    }
    expect(await (await fetch(at("odd"), { method: "POST", body: "1" })).json()).toBe(1);
  });

  it("a name nobody deployed is 404 with the remedy", async () => {
    const answer = await fetch(at("nothing-here"));
    expect([answer.status, await answer.json()]).toEqual([
      404,
      {
        error: expect.objectContaining({
          code: "FUNCTION_NOT_FOUND",
          message: "Function not found",
          remediation: expect.any(String),
        }),
      },
    ]);
  });
});
