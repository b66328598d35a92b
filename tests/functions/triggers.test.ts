import { createHmac, randomUUID } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { eventually } from "../support/actors.ts";
import { apiAs, type Person, signUp } from "../support/api.ts";
import { applySchema, must, newApp } from "../support/app.ts";
import { deployFunction, type Nodes, refusal, startNodes } from "../support/functions.ts";
import { callTool } from "../support/mcp.ts";
import { connectRealtime } from "../support/realtime.ts";

/** Keeps what it is called with; fails as long as the body asks for that. */
const KEEPER = `let failures = 0;
export async function handler(req: Request, ctx: any) {
  const body = await req.text();
  await ctx.db.asService().query("insert into runs (kind, body, who, user_id, role) select $1, $2, $3, $4, current_user_id()",
    [ctx.trigger, body, ctx.caller.type, ctx.user?.id ?? null]);
  const role = (await ctx.db.query("select current_user::text as role")).rows[0].role;
  if (body.includes("fail once") && failures++ === 0) return new Response("not now", { status: 503 });
  if (body.includes("throw once") && failures++ === 0) throw new Error("not now");
  return { kept: body, role: role.replace(/^.*_/, "") };
}`;

let nodes: Nodes;
let appId: string;
let ada: Person;

beforeAll(async () => {
  nodes = await startNodes(inject("postgres"));
  appId = await newApp(nodes.owner);
  await applySchema(nodes.owner, appId, {
    runs: {
      columns: {
        id: { type: "serial", primaryKey: true },
        kind: { type: "text" },
        body: { type: "text" },
        who: { type: "text" },
        user_id: { type: "text" },
        role: { type: "text" },
      },
    },
  });
  ada = await signUp(nodes.server.apiUrl, appId, "ada");
});
afterAll(() => nodes?.close());

const deploy = (name: string, triggers: object[], code = KEEPER) =>
  deployFunction(nodes.agent, appId, name, code, { triggers, run_as: "service" });
const runs = async (text: string): Promise<any[]> =>
  must(await nodes.owner("GET", `/v1/${appId}/runs?order=id.asc`)).filter(({ body }: any) =>
    body.includes(text),
  );

describe("webhooks", () => {
  const secret = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0";
  const hex = (text: string, key = secret) => createHmac("sha256", key).update(text).digest("hex");
  const seconds = (offset = 0) => Math.floor(Date.now() / 1_000) + offset;
  type Sign = (body: string, id: string, key?: string, at?: number) => Record<string, string>;
  /** Real signatures, as the senders make them. */
  const senders: Record<string, { config: object; sign: Sign; idInBody?: true }> = {
    stripe: {
      config: {},
      sign: (body, _id, key = secret, at = seconds()) => ({
        "stripe-signature": `t=${at},v1=${hex(`${at}.${body}`, key)},v0=old`,
      }),
      idInBody: true,
    },
    github: {
      config: {},
      sign: (body, id, key = secret) => ({
        "x-hub-signature-256": `sha256=${hex(body, key)}`,
        "x-github-delivery": id,
      }),
    },
    custom: {
      config: { signature_header: "X-Acme-Signature", idempotency_key_header: "X-Acme-Id" },
      sign: (body, id, key = secret) => ({ "x-acme-signature": hex(body, key), "x-acme-id": id }),
    },
    standard: {
      config: {},
      sign: (body, id, key = secret, at = seconds()) => ({
        "webhook-id": id,
        "webhook-timestamp": String(at),
        "webhook-signature": new Webhook(key).sign(id, new Date(at * 1_000), body),
      }),
    },
  };
  const wrongKey = "whsec_d3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmc=";
  const send = async (name: string, body: string, headers: Record<string, string>) => {
    const answer = await fetch(`${nodes.server.apiUrl}/v1/${appId}/webhook/${name}`, {
      method: "POST",
      body,
      headers,
    });
    const text = await answer.text();
    return {
      status: answer.status,
      duplicate: answer.headers.get("x-butterbase-duplicate"),
      body: text.startsWith("{") ? JSON.parse(text) : text,
    };
  };
  const event = (provider: string, what: string) => {
    const id = `evt_${randomUUID()}`;
    const body = JSON.stringify({ id: senders[provider]!.idInBody ? id : undefined, type: what, ü: "☃" });
    return { id, body, ...senders[provider]! };
  };

  describe.each(Object.keys(senders))("of %s", (provider) => {
    const name = `from-${provider}`;
    beforeAll(() =>
      deploy(name, [{ type: "webhook", config: { provider, secret, ...senders[provider]!.config } }]),
    );

    it("run once with a real signature, as nobody, and a replay says duplicate", async () => {
      const { id, body, sign } = event(provider, `${provider} plain`);
      const headers = sign(body, id);
      const first = await send(name, body, headers);
      expect(first).toEqual({ status: 200, duplicate: null, body: { kept: body, role: "anon" } });
      for (const again of [headers, sign(body, id)])
        expect(await send(name, body, again)).toEqual({
          status: 200,
          duplicate: "1",
          body: { ok: true, duplicate: true },
        });
      expect(await runs(`${provider} plain`)).toMatchObject([
        { kind: "webhook", body, who: "anonymous", user_id: null },
      ]);
    });

    it("are refused with a wrong secret, a changed body, no signature, another's signature", async () => {
      const { id, body, sign } = event(provider, `${provider} forged`);
      const attempts: [string, Record<string, string>][] = [
        [body, sign(body, id, wrongKey)],
        [`${body} `, sign(body, id)],
        [body, {}],
        [body, sign("", id)],
        [body, Object.fromEntries(Object.keys(sign(body, id)).map((header) => [header, ""]))],
        [body, { authorization: `Bearer ${nodes.server.apiKey}` }],
      ];
      for (const [text, headers] of attempts) {
        const answer = await send(name, text, headers);
        expect([answer.status, answer.body.error.code]).toEqual([401, "WEBHOOK_SIGNATURE_INVALID"]);
      }
      if (provider === "stripe" || provider === "standard")
        for (const at of [seconds(-400), seconds(400)])
          expect((await send(name, body, sign(body, id, secret, at))).status).toBe(401);
      expect(await runs(`${provider} forged`)).toEqual([]);
    });

    it("are taken again after a failed run, and then not any more", async () => {
      const { id, body, sign } = event(provider, `${provider} fail once`);
      expect((await send(name, body, sign(body, id))).status).toBe(503);
      expect(await send(name, body, sign(body, id))).toMatchObject({ status: 200, duplicate: null });
      expect((await send(name, body, sign(body, id))).duplicate).toBe("1");
      expect(await runs(`${provider} fail once`)).toHaveLength(2);
    });
  });

  it("that throw are taken again, and tell the sender nothing", async () => {
    await deploy("throwing", [{ type: "webhook", config: { provider: "github", secret } }]);
    const { id, body, sign } = event("github", "throw once");
    const failed = await send("throwing", body, sign(body, id));
    expect([failed.status, JSON.stringify(failed.body)]).toEqual([
      500,
      expect.not.stringContaining("not now"),
    ]);
    expect((await send("throwing", body, sign(body, id))).status).toBe(200);
  });

  it("sent many times at once run once", async () => {
    const { id, body, sign } = event("github", "at once");
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => send("from-github", body, sign(body, id))),
    );
    expect(answers.filter(({ status, duplicate }) => status === 200 && duplicate === null)).toHaveLength(1);
    for (const { status } of answers) expect(status).toBeOneOf([200, 409]);
    expect(await runs("at once")).toHaveLength(1);
  });

  it("keep apart: a signature for one function is nothing to another, and there is no other way in", async () => {
    await deploy("other-secret", [{ type: "webhook", config: { provider: "github", secret: "another" } }]);
    const { id, body, sign } = event("github", "astray");
    expect((await send("other-secret", body, sign(body, id))).status).toBe(401);
    expect((await send("nowhere", body, sign(body, id))).status).toBe(404);
    expect(
      (await apiAs(nodes.server.apiUrl, nodes.server.apiKey)("POST", `/v1/${appId}/fn/from-github`, {}))
        .status,
    ).toBe(404);
    expect((await fetch(`${nodes.server.apiUrl}/v1/${appId}/webhook/from-github`)).status).toBe(404);
    expect(await runs("astray")).toEqual([]);
  });
});

describe("websocket events", () => {
  beforeAll(() => deploy("on-move", [{ type: "websocket", config: { event: "move" } }]));
  const move = async (token: string | null, x: string) => {
    const socket = await connectRealtime(nodes.server.apiUrl, appId, token);
    socket.send({ type: "event", event: "move", payload: { x } });
    const frame = await socket.waitFor(({ type }) => type === "event_response" || type === "error");
    return { socket, frame };
  };

  it("run as whoever sent them, and the answer comes back on the socket", async () => {
    const users = await move(ada.token, "ada");
    expect(users.frame).toMatchObject({ type: "event_response", event: "move", data: { role: "user" } });
    expect(JSON.parse(users.frame.data.kept)).toEqual({ event: "move", payload: { x: "ada" } });
    const nobodys = await move(null, "nobody");
    expect(nobodys.frame.data.role).toBe("anon");
    expect([...(await runs('"ada"')), ...(await runs('"nobody"'))]).toMatchObject([
      { kind: "websocket", who: "end_user_jwt", user_id: ada.id },
      { kind: "websocket", who: "anonymous", user_id: null },
    ]);
    await users.socket.close();
    await nobodys.socket.close();
  });

  it("nobody handles are told so, and the socket goes on", async () => {
    const socket = await connectRealtime(nodes.server.apiUrl, appId, ada.token);
    socket.send({ type: "event", event: "wave" });
    const error = await socket.waitFor(({ type }) => type === "error");
    expect(error.message).toMatch(/^No handler for event: wave/);
    socket.send({ type: "event", event: "move", payload: { x: "after" } });
    await socket.waitFor(({ type }) => type === "event_response");
    await socket.close();
  });

  it("that fail tell the sender nothing of the code", async () => {
    await deploy(
      "on-crash",
      [{ type: "websocket", config: { event: "crash" } }],
      "export function handler() { throw new Error('inner secret'); }",
    );
    const socket = await connectRealtime(nodes.server.apiUrl, appId, ada.token);
    socket.send({ type: "event", event: "crash" });
    const frame = await socket.waitFor(({ type }) => type === "event_response" || type === "error");
    expect(JSON.stringify(frame)).toContain("failed");
    expect(JSON.stringify(frame)).not.toContain("inner secret");
    await socket.close();
  });
});

describe("the auth hook", () => {
  it("is called at sign-up and log-in, by Ambit, and a failing one keeps nobody out", async () => {
    await deploy("welcome", [{ type: "http", config: { auth: "required" } }]);
    must(await nodes.owner("PATCH", `/v1/${appId}/config/auth-hooks`, { post_auth_function: "welcome" }));
    const person = await signUp(nodes.server.apiUrl, appId, "hooked");
    const told = await eventually(async () => {
      const found = await runs("hooked@example.com");
      return found.length >= 2 && found;
    }, "both calls of the hook");
    const events = told.map(({ body, kind, who }) => ({ kind, who, ...JSON.parse(body) }));
    expect(events.map(({ event }) => event).sort()).toEqual(["login", "signup"]);
    for (const each of events) {
      expect(each).toMatchObject({
        kind: "hook",
        who: "loopback",
        user: { id: person.id, email: person.email },
      });
      expect(each.isNewUser).toBe(each.event === "signup");
    }
    expect(JSON.stringify(told)).not.toContain(person.password);
    expect(JSON.stringify(told)).not.toContain(person.token);
    await deploy(
      "welcome",
      [{ type: "http", config: { auth: "required" } }],
      "export function handler() { throw new Error('no'); }",
    );
    await signUp(nodes.server.apiUrl, appId, "still-in");
    must(await nodes.owner("PATCH", `/v1/${appId}/config/auth-hooks`, { post_auth_function: "not-there" }));
    await signUp(nodes.server.apiUrl, appId, "still-in-too");
  });
});

describe("triggers that could not work", () => {
  it.each([
    ["a schedule of nonsense", [{ type: "cron", config: { schedule: "every minute" } }], "INVALID_SCHEDULE"],
    [
      "a schedule that never comes",
      [{ type: "cron", config: { schedule: "0 0 31 2 *" } }],
      "INVALID_SCHEDULE",
    ],
    [
      "an unknown time zone",
      [{ type: "cron", config: { schedule: "* * * * *", timezone: "Mars/Base" } }],
      "INVALID_SCHEDULE",
    ],
    [
      "a webhook without its secret",
      [{ type: "webhook", config: { provider: "github" } }],
      "INVALID_TRIGGER",
    ],
    [
      "a provider nobody knows",
      [{ type: "webhook", config: { provider: "acme", secret: "x" } }],
      "INVALID_TRIGGER",
    ],
    ["an http auth nobody knows", [{ type: "http", config: { auth: "sometimes" } }], "INVALID_TRIGGER"],
    ["a socket without its event", [{ type: "websocket" }], "INVALID_TRIGGER"],
    ["two of one type", [{ type: "http" }, { type: "http" }], "DUPLICATE_TRIGGER"],
    ["files, which there are none of", [{ type: "s3_upload" }], "TRIGGER_NOT_AVAILABLE"],
  ])("%s: refused at the deploy", async (_what, triggers, reason) => {
    const error = await refusal(deploy("misfit", triggers as object[]));
    expect(error).toMatchObject({
      code: "VALIDATION_ERROR",
      remediation: expect.any(String),
      details: { reason },
    });
    await expect(
      callTool(nodes.agent, "manage_function", { app_id: appId, action: "get", function_name: "misfit" }),
    ).rejects.toThrow("FUNCTION_NOT_FOUND");
  });
});
