import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newUuid } from "../../kernel/ids.ts";
import { limits } from "./limits.ts";
import { type AppStage, SERVICE_KEY, Stage } from "./testing/stage.ts";

let stage: Stage;
let app: AppStage;
beforeAll(async () => {
  stage = await Stage.start();
  app = await stage.app(["notes"], "create table notes (id int primary key, body text)");
});
afterAll(() => stage?.stop());

/** The HTTP answer to an upgrade request. */
function upgrade(
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({
      host: "127.0.0.1",
      port: stage.node.port,
      path,
      headers: {
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        ...headers,
      },
    });
    sent.on("response", (response) => {
      let body = "";
      response.on("data", (data) => (body += data));
      response.on("end", () => resolve({ status: response.statusCode!, body }));
    });
    sent.on("upgrade", (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode!, body: "" });
    });
    sent.on("error", reject);
    sent.end();
  });
}

const codeOf = ({ status, body }: { status: number; body: string }) => [
  status,
  body && JSON.parse(body).error.code,
];

describe("the upgrade", () => {
  it("refuses bad credentials, unknown apps and foreign pages with an HTTP status", async () => {
    const path = `/v1/${app.id}/realtime`;
    expect(codeOf(await upgrade(`${path}?token=bb_sk_wrong`))).toEqual([401, "AUTH_INVALID_API_KEY"]);
    expect(codeOf(await upgrade(`${path}?token=garbage`))).toEqual([401, "AUTH_INVALID_TOKEN"]);
    const expired = stage.userToken({ sub: "u" }, Date.now() - 1);
    expect(codeOf(await upgrade(`${path}?token=${expired}`))).toEqual([401, "AUTH_END_USER_JWT_EXPIRED"]);
    expect(codeOf(await upgrade("/v1/app_nothing12345/realtime"))).toEqual([404, "RESOURCE_NOT_FOUND"]);
    expect(codeOf(await upgrade(path, { origin: "https://evil.example" }))).toEqual([
      403,
      "AUTH_INSUFFICIENT_PERMISSIONS",
    ]);
    expect(codeOf(await upgrade(path, { origin: "http://localhost:3000" }))).toEqual([101, ""]);
    expect(codeOf(await upgrade("/realtime", { host: `${app.app.subdomain}.localhost` }))).toEqual([101, ""]);
  });

  it("takes the token from the query, the header or the sub-protocol", async () => {
    const token = stage.userToken({ sub: "u" });
    const opened = [
      stage.open(`${app.url()}?token=${token}`),
      stage.open(app.url(), { headers: { authorization: `Bearer ${token}` } }),
      stage.open(app.url(), { protocols: ["bearer", token] }),
    ];
    for (const client of opened) {
      expect(await client.ofType("connected")).toEqual({
        type: "connected",
        app_id: app.id,
        role: "butterbase_user",
        client_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        epoch: expect.stringMatching(/./),
      });
    }
    expect(opened[2]!.ws.protocol).toBe("bearer");
    const anon = await app.connect(null);
    expect(anon.frames[0]).toMatchObject({ role: "butterbase_anon" });
    const service = await app.connect(SERVICE_KEY);
    expect(service.frames[0]).toMatchObject({ role: "butterbase_service" });
  });

  it("answers what was sent before `connected`, in order", async () => {
    const client = stage.open(app.url());
    client.ws.once("open", () => {
      client.send({ type: "subscribe", table: "notes" });
      client.send({ type: "unsubscribe", table: "notes" });
      client.send({ type: "presence_track" });
    });
    await client.ofType("presence_state");
    expect(client.frames.map((frame) => frame.type)).toEqual([
      "connected",
      "subscribed",
      "unsubscribed",
      "presence_state",
    ]);
  });
});

describe("a connection ends", () => {
  it("at once for anonymous callers of an app for users, with a frame and 1008", async () => {
    const closed = await stage.app([]);
    await stage.world.apps.update(closed.id, { access_mode: "authenticated" });
    const client = stage.open(closed.url());
    expect(await client.closed).toEqual({ code: 1008, reason: "Auth required" });
    expect(client.frames).toEqual([
      { type: "error", message: expect.stringContaining("Authentication required") },
    ]);
  });

  it("when its token expires", async () => {
    const client = await app.connect(stage.userToken({ sub: "u" }, Date.now() + 300));
    expect(await client.closed).toEqual({ code: 1008, reason: "Token expired" });
  });

  it("not when the token was renewed in time, and never for somebody else's token", async () => {
    const client = await app.connect(stage.userToken({ sub: "u" }, Date.now() + 600));
    client.send({ type: "auth", token: stage.userToken({ sub: "v" }) });
    await client.frame((frame) => frame.type === "error" && /somebody else/.test(frame.message));
    client.send({ type: "auth", token: "garbage" });
    await client.frame((frame) => frame.type === "error" && /not one this server issued/.test(frame.message));
    client.send({ type: "auth", token: stage.userToken({ sub: "u" }) });
    await client.ofType("authenticated");
    await sleep(limits.recheckMs + 700);
    expect(client.ws.readyState).toBe(client.ws.OPEN);
  });

  it("when its key is revoked, its session ended on any node, its app paused or deleted", async () => {
    const other = await stage.app([]);
    stage.keys.add("bb_sk_other");
    const keyed = await other.connect("bb_sk_other");
    const sid = newUuid();
    const signedIn = await other.connect(stage.userToken({ sub: "u", sid }));
    const stays = await other.connect(stage.userToken({ sub: "u", sid: newUuid() }));
    await endSession(other.id, sid);
    expect(await signedIn.closed).toEqual({ code: 1008, reason: "Auth failed" });
    stage.revokeKey("bb_sk_other");
    expect(await keyed.closed).toEqual({ code: 1008, reason: "Auth failed" });
    expect(stays.ws.readyState).toBe(stays.ws.OPEN);
    await stage.world.apps.update(other.id, { paused_at: new Date(), paused_reason: "moving" });
    expect(await stays.closed).toEqual({ code: 1013, reason: "App paused" });
    expect(stays.frames.at(-1)).toEqual({ type: "error", message: "App is paused: moving" });
    await stage.world.apps.update(other.id, { paused_at: null });
    const last = await other.connect(null);
    await stage.world.apps.delete(other.id);
    expect(await last.closed).toEqual({ code: 1008, reason: "App not found" });
  });

  it("when the client sends too much or too often", async () => {
    const large = await app.connect(null);
    large.send(JSON.stringify({ type: "event", event: "x", payload: "x".repeat(limits.messageBytes) }));
    expect(await large.closed).toEqual({ code: 1009, reason: "Message too large" });
    expect(large.frames.at(-1)).toMatchObject({ type: "error", code: "REALTIME_MESSAGE_TOO_LARGE" });
    const huge = await app.connect(null);
    huge.send("x".repeat(limits.receivedBytes + 1));
    expect((await huge.closed).code).toBe(1009);
    const many = await app.connect(null);
    for (let i = 0; i <= limits.messagesPerSecond; i++) many.send({ type: "unsubscribe", table: "x" });
    expect(await many.closed).toEqual({ code: 1008, reason: "Too many messages" });
    expect(many.frames.at(-1)).toMatchObject({ type: "error", code: "REALTIME_MESSAGE_RATE_LIMIT" });
    const hits = await stage.node.metrics.registry.getSingleMetricAsString("ambit_limit_hit_total");
    expect(hits).toMatch(/limit="realtime_message_bytes"\} 2/);
    expect(hits).toMatch(/limit="realtime_messages_per_second"\} 1/);
  });

  it("when one user has too many, with what helps; another still gets in", async () => {
    const token = stage.userToken({ sub: "many" });
    const opened = await Promise.all(
      Array.from({ length: limits.connectionsPerUser }, () => app.connect(token)),
    );
    const over = stage.open(`${app.url()}?token=${token}`);
    expect(await over.closed).toEqual({ code: 1013, reason: "Too many connections" });
    expect(over.frames).toEqual([
      {
        ...{ type: "error", code: "REALTIME_CONNECTION_LIMIT" },
        message: expect.stringContaining(`this user (${limits.connectionsPerUser})`),
        remediation: expect.any(String),
      },
    ]);
    await app.connect(stage.userToken({ sub: "other" }));
    opened[0]!.close();
    await opened[0]!.closed;
    await expect
      .poll(async () => {
        const client = stage.open(`${app.url()}?token=${token}`);
        return Promise.race([client.ofType("connected").then(() => "in"), client.closed.then(() => "out")]);
      })
      .toBe("in");
  });

  it("when it does not read, without holding up anybody else", async () => {
    const slow = await app.subscriber("service", "notes");
    const quick = await app.subscriber("service", "notes");
    slow.ws.pause();
    for (let i = 0; i < 30; i++) await app.write(`insert into notes values (${i}, repeat('x', 1000000))`);
    expect(await quick.changesOnceThere(30, "notes", 10_000)).toHaveLength(30);
    slow.ws.resume();
    expect((await slow.closed).code).toBe(1013);
    expect(slow.changes().length).toBeLessThan(30);
    expect(slow.frames.at(-1)).toEqual({ type: "resync", reason: "too_slow" });
  });

  it("with 1001 when the server stops", async () => {
    const node = await stage.startNode();
    const client = await app.connect(null, node);
    await node.stop();
    expect(await client.closed).toEqual({ code: 1001, reason: "Server shutting down" });
  });
});

async function endSession(appId: string, sid: string): Promise<void> {
  const { database } = stage.world.platform;
  const user = newUuid();
  await database.query(
    `insert into ambit.auth_users (id, app_id, email, email_verified, provider, created_at)
     values ($1, $2, 'u@example.com', true, 'email', now())`,
    [user, appId],
  );
  await database.query(
    `insert into ambit.auth_sessions (id, app_id, user_id, method, ip_address, user_agent, created_at, last_used_at, expires_at)
     values ($1, $2, $3, 'email', '', '', now(), now(), now())`,
    [sid, appId, user],
  );
  // As another node would: nothing but the row tells this one.
  await database.query("delete from ambit.auth_users where id = $1", [user]);
}
