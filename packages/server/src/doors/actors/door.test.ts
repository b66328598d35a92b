import { request } from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { App } from "../../kernel/operation.ts";
import { type DoorStage, doorStage, KEY, MIRROR } from "./testing/door.ts";

let door: DoorStage;
let app: App;
beforeAll(async () => {
  door = await doorStage();
  app = await door.on.createApp();
  for (const [name, access_mode] of [
    ["open", "public"],
    ["members", "authenticated"],
    ["keys", "service_key"],
  ]) {
    await door.on.run("deploy", { app_id: app.id, name, code: MIRROR, access_mode });
  }
});
afterAll(() => door.stop());

const at = (name: string, rest = "one") => `/v1/${app.id}/do/${name}/${rest}`;
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const codeOf = (text: string) => JSON.parse(text).error.code;

describe("HTTP", () => {
  it("reaches an instance, with path, query and body as they are, under the app's own host name", async () => {
    const sent = { method: "POST", body: "hé", headers: { "x-own": "1" } };
    const { status, text, headers } = await door.http(`${at("open", "a%20b")}/x//y?token=mine&z=%41`, sent);
    expect(status).toBe(200);
    const seen = JSON.parse(text);
    const host = `${app.subdomain}.localhost:${door.port}`;
    expect(seen).toMatchObject({
      url: `http://${host}/_do/open/a%20b/x//y?token=mine&z=%41`,
      method: "POST",
      name: "a b",
      body: "hé",
    });
    expect(seen.headers).toMatchObject({
      "x-own": "1",
      host,
      "x-butterbase-caller-type": "anonymous",
      "x-request-id": headers["x-request-id"],
    });
    const own = await door.http("/_do/open/a%20b/x//y?token=mine&z=%41", { headers: { host } });
    expect(JSON.parse(own.text).url).toBe(seen.url);
  });

  it("asks for what the class's mode asks for", async () => {
    const user = bearer(door.userToken(app.id, "u1"));
    const other = bearer(door.userToken("app_other", "u1"));
    const expired = bearer(door.userToken(app.id, "u1", Date.now() - 1));
    const statuses = async (name: string) => [
      (await door.http(at(name))).status,
      (await door.http(at(name), { headers: bearer("nonsense") })).status,
      (await door.http(at(name), { headers: other })).status,
      (await door.http(at(name), { headers: expired })).status,
      (await door.http(at(name), { headers: user })).status,
      (await door.http(at(name), { headers: bearer("bb_sk_unknown") })).status,
      (await door.http(at(name), { headers: bearer(KEY) })).status,
    ];
    expect(await statuses("open")).toEqual([200, 200, 200, 200, 200, 200, 200]);
    expect(await statuses("members")).toEqual([401, 401, 401, 401, 200, 401, 200]);
    expect(await statuses("keys")).toEqual([401, 401, 401, 401, 403, 401, 200]);
  });

  it("vouches for the caller, and lets no outsider do so", async () => {
    const forged = {
      "x-butterbase-caller-user": "victim",
      "x-butterbase-internal-caller": "fn",
      "x-ambit-unit": "open",
    };
    const user = { ...forged, ...bearer(door.userToken(app.id, "u1")) };
    const asUser = JSON.parse((await door.http(at("members"), { headers: user })).text).headers;
    expect(asUser).toMatchObject({
      "x-butterbase-caller-type": "end_user_jwt",
      "x-butterbase-caller-user": "u1",
    });
    const key = { ...forged, ...bearer(KEY), cookie: "session=1" };
    const { text } = await door.http(at("keys"), { headers: key });
    expect(JSON.parse(text).headers).toMatchObject({ "x-butterbase-caller-type": "service_key" });
    expect(text).not.toMatch(/victim|internal-caller|x-ambit-unit|bb_sk_|session=1/);
  });

  it("lets no answer act for another origin than the app's own", async () => {
    const foreign = [`127.0.0.1:${door.port}`, `other.localhost:${door.port}`];
    for (const host of foreign) {
      const { headers } = await door.http(at("open", "one/page"), { headers: { host } });
      expect(headers["content-security-policy"], host).toBe("sandbox");
      expect(headers["x-content-type-options"]).toBe("nosniff");
      expect(headers["set-cookie"]).toBeUndefined();
      expect(headers["clear-site-data"]).toBeUndefined();
    }
    const own = await door.http("/_do/open/one/page", { headers: { host: `${app.subdomain}.localhost` } });
    expect(own.headers["content-security-policy"]).toBeUndefined();
    expect(own.headers["set-cookie"]).toEqual(["a=b"]);
    expect(own.headers["x-content-type-options"]).toBe("nosniff");
  });

  it("tells pages what the app's CORS settings say, once", async () => {
    const headers = { origin: "http://localhost:5173" };
    const { headers: told } = await door.http(at("open", "one/page"), { headers });
    expect(told["access-control-allow-origin"]).toBe("http://localhost:5173");
    const preflight = await door.http(at("members"), {
      method: "OPTIONS",
      headers: { ...headers, "access-control-request-method": "POST" },
    });
    expect(preflight.status).toBe(204);
  });

  it("says what is missing", async () => {
    const unknown = await door.http(at("nothing"));
    expect([unknown.status, codeOf(unknown.text)]).toEqual([404, "RESOURCE_NOT_FOUND"]);
    expect((await door.http("/v1/app_none/do/open/one")).status).toBe(404);
    expect((await door.http(at("open", "one/../../../_ambit/health"))).status).toBe(400);
    expect((await door.http(at("open", "%"))).status).toBe(400);
    await door.on.apps.update(app.id, { paused_at: new Date(), paused_reason: "rest" });
    const paused = await door.http(at("open"));
    await door.on.apps.update(app.id, { paused_at: null, paused_reason: null });
    expect([paused.status, codeOf(paused.text)]).toEqual([503, "APP_PAUSED"]);
  });

  it("counts what went through, and knows the instances by name", async () => {
    await door.http(at("open", "counted"));
    const found = await door.on.run<{ instances: { name: string }[] }>("list_instances", {
      app_id: app.id,
      name: "open",
    });
    expect(found.instances.map(({ name }) => name)).toContain("counted");
    const usage = await door.on.run<{ do_requests: number }>("usage", { app_id: app.id, name: "open" });
    expect(usage.do_requests).toBeGreaterThan(0);
  });

  // On a machine that is busy beyond measure the watchdog may end the process just then.
  it("streams both ways at once", { retry: 2 }, async () => {
    const sent = request({ port: door.port, path: at("open", "one/stream"), method: "POST", agent: false });
    const heard: string[] = [];
    const over = new Promise((resolve) =>
      sent.on("response", (response) => {
        response.on("data", (chunk) => heard.push(String(chunk)));
        response.on("end", resolve);
      }),
    );
    for (const part of ["first ", "second ", "third"]) {
      sent.write(part);
      await expect.poll(() => heard.join(""), { timeout: 5_000 }).toContain(part);
    }
    sent.end();
    await over;
    expect(heard.join("")).toBe("first second third");
  });

  it("keeps keys out of user code wherever they are put", async () => {
    const { text } = await door.http(`${at("open")}?a=1&key=${KEY}&k%65y=%62b_sk_x&b=%20`);
    expect(JSON.parse(text).url).toMatch(/\?a=1&b=%20$/);
  });

  it("serves bytes of clients that speak no proper HTTP, or leave", async () => {
    const raw = (text: string) =>
      new Promise<string>((resolve) => {
        const socket = connect(door.port, "127.0.0.1", () => socket.write(text));
        let heard = "";
        socket.on("data", (chunk) => {
          heard += chunk;
        });
        socket.on("close", () => resolve(heard));
        socket.on("error", () => resolve(heard));
      });
    const line = `GET ${at("open", "x\\..\\..\\_ambit")} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`;
    expect(await raw(line)).toMatch(/^HTTP\/1.1 400/);
    const gone = connect(door.port, "127.0.0.1");
    gone.write(`POST ${at("open")} HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nhalf`);
    gone.on("error", () => {});
    await new Promise((resolve) => setTimeout(resolve, 50));
    gone.destroy();
    expect((await door.http(at("open"))).status).toBe(200);
  });
});

describe("WebSockets", () => {
  const seenBy = async (socket: { heard: string[] }) => {
    await expect.poll(() => socket.heard.length, { timeout: 5_000 }).toBeGreaterThan(0);
    return JSON.parse(socket.heard[0]!);
  };

  it("talk to the instance", async () => {
    const socket = await door.socket(at("open", "talk")).open();
    expect(await seenBy(socket)).toMatchObject({ name: "talk" });
    socket.ws.send("hello");
    await expect.poll(() => socket.heard[1]).toBe("echo hello");
    socket.ws.close(1000);
    expect(await socket.closed).toBeDefined();
  });

  it("bring a token as header, sub-protocol, ticket or parameter, none of which user code sees", async () => {
    const token = door.userToken(app.id, "u1");
    const { ticket } = await door.on.run<{ ticket: string }>(
      "create_ticket",
      { app_id: app.id, name: "members" },
      {
        headers: bearer(token),
        principal: {
          kind: "user",
          appId: app.id,
          userId: "u1",
          claims: {},
          expiresAtMs: Date.now() + 60_000,
        },
      },
    );
    const sockets = {
      protocol: door.socket(at("members"), { protocols: ["bearer", token] }),
      chat: door.socket(at("members"), { protocols: ["chat", "bearer", token] }),
      ticket: door.socket(`${at("members")}?ticket=${ticket}&a=1`),
      parameter: door.socket(`${at("members")}?a=1&token=${token}`),
      header: door.socket(at("members"), { headers: bearer(token) }),
    };
    for (const [how, socket] of Object.entries(sockets)) {
      const seen = await seenBy(await socket.open());
      expect(seen.headers["x-butterbase-caller-user"], how).toBe("u1");
      if (how !== "header") expect(JSON.stringify(seen), how).not.toContain(token);
      expect(seen.url).not.toMatch(/token|ticket/);
    }
    expect(sockets.protocol.ws.protocol).toBe("bearer");
    expect(sockets.chat.ws.protocol).toBe("chat");
    expect(await door.socket(`${at("members")}?ticket=${ticket}`).refused).toBe(401);
  });

  it("are refused with a status", async () => {
    expect(await door.socket(at("members")).refused).toBe(401);
    expect(await door.socket(at("members"), { protocols: ["bearer", "nonsense"] }).refused).toBe(401);
    expect(await door.socket(at("keys"), { headers: bearer(door.userToken(app.id, "u")) }).refused).toBe(403);
    expect(await door.socket(at("nothing")).refused).toBe(404);
    const headers = { origin: "https://evil.example" };
    expect(await door.socket(at("open"), { headers }).refused).toBe(403);
  });

  it("end when the token expires, the session ends, the key is revoked, the class or the app goes", async () => {
    const soon = door.userToken(app.id, "u2", Date.now() + 1_500);
    const expiring = await door.socket(`${at("open")}?token=${soon}`).open();
    const session = await door.socket(`${at("members")}?token=${door.userToken(app.id, "u3")}`).open();
    const key = await door.socket(at("keys"), { headers: bearer(KEY) }).open();
    const stays = await door.socket(at("open")).open();
    door.endSession("session-u3");
    door.revoke(KEY);
    for (const socket of [expiring, session, key]) expect([1006, 1008]).toContain(await socket.closed);
    expect(stays.ws.readyState).toBe(stays.ws.OPEN);
    const other = await door.on.createApp();
    await door.on.run("deploy", { app_id: other.id, name: "open", code: MIRROR, access_mode: "public" });
    const doomed = await door.socket(`/v1/${other.id}/do/open/one`).open();
    await door.on.apps.update(other.id, { paused_at: new Date() });
    expect([1006, 1008, 1012]).toContain(await doomed.closed);
    await door.on.run("delete", { app_id: app.id, name: "open" });
    expect([1006, 1008, 1012]).toContain(await stays.closed);
  });
});
