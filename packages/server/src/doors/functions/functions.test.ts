import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { App } from "../../kernel/operation.ts";
import { functionsStage, type Stage } from "./testing/stage.ts";

let stage: Stage;
let app: App;
beforeAll(async () => {
  stage = await functionsStage();
  app = await stage.createApp();
});
afterAll(() => stage.stop());

const at = (name: string, rest = "") => `/v1/${app.id}/fn/${name}${rest}`;
const http = (auth: "required" | "optional" | "none") => [{ type: "http" as const, config: { auth } }];
const ECHO = `export async function handler(req: Request, ctx: any) {
  return { url: req.url, method: req.method, headers: Object.fromEntries(req.headers), user: ctx.user,
    caller: ctx.caller, trigger: ctx.trigger, env: ctx.env, app: ctx.app, request: ctx.request };
}`;
const json = async (response: Response) => ({
  status: response.status,
  body: (await response.json()) as any,
});

describe("a deployed function", () => {
  it("answers at its own URL, with its variables and what Ambit says of the call", async () => {
    await stage.deploy(app, "echo", ECHO, { triggers: http("none"), env: { GREETING: 'hé"llo' } });
    const response = await stage.call(at("echo", "/deep/er?x=1"), {
      headers: {
        "x-butterbase-caller-user": "forged",
        "x-ambit-context": "forged",
        "x-forwarded-for": "9.9.9.9",
        cookie: "session=1",
        "x-mine": "yes",
      },
    });
    expect(response.status).toBe(200);
    const seen = (await response.json()) as any;
    expect(seen.url).toBe(`http://${app.subdomain}.localhost:4000/fn/echo/deep/er?x=1`);
    expect(seen.env).toMatchObject({
      GREETING: 'hé"llo',
      BUTTERBASE_APP_ID: app.id,
      BUTTERBASE_REGION: "local",
    });
    expect(seen).toMatchObject({ method: "GET", user: null, trigger: "http", caller: { type: "anonymous" } });
    expect(seen.app).toEqual({ id: app.id, name: app.name, subdomain: app.subdomain });
    expect(seen.headers["x-mine"]).toBe("yes");
    expect(seen.headers["x-ambit-context"]).not.toBe("forged");
    for (const name of ["x-butterbase-caller-user", "x-forwarded-for", "cookie"])
      expect(seen.headers[name]).toBeUndefined();
    expect(seen.request.ip).toBe("127.0.0.1");
  });

  it("can't speak for the API's host name, but for its own", async () => {
    const code = `export const handler = () => new Response("<p>", { headers: {
      "content-type": "text/html", "set-cookie": "a=1", "x-ambit-x": "1", "content-security-policy": "default-src *" } });`;
    await stage.deploy(app, "page", code, { triggers: http("none") });
    const onApi = await stage.call(at("page"));
    expect(onApi.headers.get("content-security-policy")).toBe("default-src *, sandbox");
    expect(onApi.headers.get("x-content-type-options")).toBe("nosniff");
    expect(onApi.headers.get("set-cookie")).toBeNull();
    expect(onApi.headers.get("x-ambit-x")).toBeNull();
    expect(onApi.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    const own = await raw(
      `GET /fn/page HTTP/1.1\r\nhost: ${app.subdomain}.localhost\r\nconnection: close\r\n\r\n`,
    );
    expect(own).toMatch(/^HTTP\/1.1 200/);
    expect(own).toMatch(/set-cookie: a=1/i);
    expect(own).toMatch(/content-security-policy: default-src/i);
  });

  it("gets bodies byte for byte, and streams both ways", async () => {
    const code = "export default async (req: Request) => new Response(req.body);";
    await stage.deploy(app, "mirror", code, { triggers: http("none") });
    const bytes = new Uint8Array(300_000).map((_, i) => (i * 7 + (i >> 8)) % 256);
    const response = await stage.call(at("mirror"), { method: "POST", body: bytes });
    expect(Buffer.from(await response.arrayBuffer()).equals(Buffer.from(bytes))).toBe(true);
    const large = await stage.call(at("mirror"), { method: "PUT", body: new Uint8Array(11 * 1024 * 1024) });
    expect(large.status).toBe(413);
    const reads = "export default async (req: Request) => (await req.arrayBuffer()).byteLength;";
    await stage.deploy(app, "reads", reads, { triggers: http("none") });
    const upload = async (chunks: number) => {
      const body = ReadableStream.from(Array.from({ length: chunks }, () => new Uint8Array(1024 * 1024)));
      const response = await stage.call(at("reads"), { method: "POST", body, duplex: "half" } as RequestInit);
      return response.status === 200 ? response.json() : response.status;
    };
    expect(await upload(2)).toBe(2 * 1024 * 1024);
    expect(await upload(12).catch(() => "cut off")).toBeOneOf([413, "cut off"]);
  });

  it("is refused with a status, a code and a remedy when it is not there or the caller may not", async () => {
    expect(await json(await stage.call(at("nothing")))).toMatchObject({
      status: 404,
      body: { error: { code: "FUNCTION_NOT_FOUND", message: "Function not found" } },
    });
    expect((await stage.call("/v1/app_zzzzzzzzzzzz/fn/x")).status).toBe(404);
    await stage.deploy(app, "closed", ECHO);
    expect(await json(await stage.call(at("closed")))).toMatchObject({
      status: 401,
      body: { error: { code: "AUTH_REQUIRED" } },
    });
    const bad = { headers: { authorization: "Bearer not.a.token" } };
    await stage.deploy(app, "maybe", ECHO, { triggers: http("optional") });
    expect((await stage.call(at("maybe"), bad)).status).toBe(401);
    expect((await stage.call(at("echo"), bad)).status).toBe(200);
    expect((await stage.call(at("echo"), { headers: { authorization: "Bearer bb_sk_bad" } })).status).toBe(
      401,
    );
    const theirs = stage.key({ organizationId: "another" }).bearer;
    expect((await stage.call(at("echo"), { headers: { authorization: theirs } })).status).toBe(403);
  });

  it("runs for a key, for a user, and for a user as a key names them", async () => {
    const { bearer, principal } = stage.key();
    const asKey = await json(await stage.call(at("closed"), { headers: { authorization: bearer } }));
    expect(asKey.body).toMatchObject({ user: null, caller: { type: "service_key", keyId: principal.keyId } });
    expect(asKey.body.headers.authorization).toBeUndefined();
    const token = stage.user(app, "u1", { email: "ü@x.example" });
    const asUser = await json(await stage.call(at("closed"), { headers: { authorization: token } }));
    expect(asUser.body).toMatchObject({
      user: { id: "u1", email: "ü@x.example" },
      caller: { type: "end_user_jwt", userId: "u1" },
    });
    const named = { authorization: bearer, "x-butterbase-as-user": 'u2"' };
    const asNamed = await json(await stage.call(at("closed"), { headers: named }));
    expect(asNamed.body).toMatchObject({
      user: { id: 'u2"' },
      caller: { type: "service_key", userId: 'u2"' },
    });
    await stage.functions.updateSettings(app.id, "closed", { allowImpersonation: false });
    expect(await json(await stage.call(at("closed"), { headers: named }))).toMatchObject({
      status: 403,
      body: { error: { code: "AUTH_IMPERSONATION_DISABLED" } },
    });
    const forged = { authorization: token, "x-butterbase-as-user": "u2" };
    expect((await stage.call(at("closed"), { headers: forged })).status).toBe(403);
  });

  it("tells its failures to developers in full, in lines of the TypeScript in its log, and to others not", async () => {
    const code =
      "interface A {\n  a: 1;\n}\nexport async function handler(): Promise<A> {\n  console.warn('before');\n  throw new TypeError('secret');\n}";
    await stage.deploy(app, "fails", code, { triggers: http("none") });
    const outside = await json(await stage.call(at("fails")));
    expect(outside.status).toBe(500);
    expect(JSON.stringify(outside.body)).not.toContain("secret");
    const inside = await json(
      await stage.call(at("fails"), { headers: { authorization: stage.key().bearer } }),
    );
    expect(inside.body.error).toBe("secret");
    await expect
      .poll(
        async () => {
          await stage.runtime.flush();
          const query = { appId: app.id, kind: "functions" as const, unit: "fails", limit: 10 };
          const { entries } = await stage.runtime.logs({ ...query, sinceMs: null, level: "all" });
          return entries.find(({ error }) => error !== null)?.error?.stack;
        },
        { timeout: 5_000 },
      )
      .toContain("fails.ts:6");
  });

  it("is given up after its time, with the fields old clients read", async () => {
    const code = "export const handler = () => new Promise((done) => setTimeout(done, 20_000));";
    await stage.deploy(app, "slow", code, { triggers: http("none"), timeoutMs: 200 });
    const { status, body } = await json(await stage.call(at("slow")));
    expect(status).toBe(504);
    expect(body).toMatchObject({
      error: { code: "FUNCTION_TIMEOUT", details: { error: "function_timeout" } },
      duration_ms: expect.any(Number),
    });
    const counters = await stage.runtime.counters(app.id, "functions");
    expect(counters.get("slow")).toMatchObject({ requests: 1, errors: 1 });
  });

  it("answers preflights of pages that may call it", async () => {
    const headers = { origin: "http://localhost:5173", "access-control-request-method": "POST" };
    const preflight = await stage.call(at("closed"), { method: "OPTIONS", headers });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-origin")).toBe("http://localhost:5173");
    const seen = await stage.call(at("echo"), { headers: { origin: "http://localhost:5173" } });
    expect(seen.headers.get("access-control-allow-origin")).toBe("http://localhost:5173");
  });

  it("stops with its app when that is paused", async () => {
    const other = await stage.createApp();
    await stage.deploy(other, "echo", ECHO, { triggers: http("none") });
    const path = `/v1/${other.id}/fn/echo`;
    expect((await stage.call(path)).status).toBe(200);
    await stage.apps.update(other.id, { paused_at: new Date() });
    expect((await stage.call(path)).status).toBe(503);
  });
});

describe("the log as a stream", () => {
  it("tells developers what happens as it happens", async () => {
    await stage.deploy(app, "talks", "export const handler = () => { console.log('hello'); return 1; };", {
      triggers: http("none"),
    });
    const path = `/v1/${app.id}/functions/talks/logs/stream`;
    expect((await stage.call(path)).status).toBe(401);
    const headers = { authorization: stage.key({ role: "viewer" }).bearer };
    const response = await stage.call(path, { headers });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = (await reader.read()).value ?? "";
    expect((await stage.call(at("talks"))).status).toBe(200);
    while (!text.includes("event: log")) text += (await reader.read()).value ?? "";
    await reader.cancel();
    expect(text).toMatch(/id: \d{4}-\d\d-\d\dT/);
    expect(text).toContain('"message":"hello"');
  });
});

function raw(request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const { port } = new URL(stage.url);
    const socket = connect(Number(port), "127.0.0.1", () => socket.write(request));
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.on("close", () => resolve(text));
    socket.on("error", reject);
  });
}
