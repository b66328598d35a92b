import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { type AccessMode, deployActor } from "../support/actors.ts";
import { type Api, apiAs, type Person, signUp } from "../support/api.ts";
import { must } from "../support/app.ts";
import { rawHttp } from "../support/raw-http.ts";
import { discard, type Server } from "../support/server.ts";
import { sourceOf } from "./bare.ts";
import { bearer, ownHost, type Stand, startStand } from "./stand.ts";

let stand: Stand;
let server: Server;
let owner: Api;
let red: string;
let blue: string;
let ada: Person;
let eve: Person;
let at: Stand["at"];

beforeAll(async () => {
  stand = await startStand();
  ({ server, owner, red, blue, ada, eve, at } = stand);
});
afterAll(() => discard(stand?.server));

describe("who calls can't be forged", () => {
  const NAMES = [
    "caller-user",
    "caller-type",
    "caller-key",
    "internal-caller",
    "loop-depth",
    "anything-new",
    "context",
    "invocation",
    "unit",
    "inspect",
    "waiting",
  ];
  const spellings = [
    "x-butterbase-",
    "X-Butterbase-",
    "X-BUTTERBASE-",
    "x-ambit-",
    "X-Ambit-",
    "x_butterbase_",
    "X_Ambit_",
    "x-butterbase_",
    "x_ambit-",
  ];
  const forged = spellings.flatMap((prefix) =>
    NAMES.flatMap((name) => [
      `${prefix}${prefix.includes("_") ? name.replaceAll("-", "_") : name}: forged`,
      `${prefix}${name}: forged`,
    ]),
  );

  /** Headers user code got under Ambit's names. Others, with underscores, are just other headers. */
  const reserved = (report: any): [string, string][] =>
    report.headers.filter(([name]: [string]) => /^x-(butterbase|ambit)-/i.test(name));

  it.each(["the API host", "the app's host"])("by headers in any spelling, on %s", async (door) => {
    const host = await ownHost(stand);
    const [path, hostHeader] =
      door === "the API host" ? [at("identity"), []] : ["/_do/identity/x", [`host: ${host}`]];
    // Some at a time, so that the number of headers is no reason to refuse.
    for (let n = 0; n < forged.length; n += 40) {
      const some = forged.slice(n, n + 40);
      const anonymous = await rawHttp(server.apiUrl, `GET ${path} HTTP/1.1`, [
        ...hostHeader,
        ...some,
        "x-test-honest: kept",
      ]);
      expect([anonymous.status, anonymous.body]).toEqual([200, expect.stringContaining('"kept"')]);
      const report = JSON.parse(anonymous.body);
      expect(report).toMatchObject({ user: null, loopDepth: 0, caller: null });
      expect(reserved(report)).toEqual([["x-butterbase-caller-type", "anonymous"]]);
      const known = await rawHttp(server.apiUrl, `GET ${path} HTTP/1.1`, [
        ...hostHeader,
        ...some,
        `authorization: Bearer ${ada.token}`,
        ...some,
      ]);
      const told = JSON.parse(known.body);
      expect(told.user).toBe(ada.id);
      expect(JSON.stringify(reserved(told))).not.toContain("forged");
    }
  });

  it("by naming Ambit's own headers as hop-by-hop", async () => {
    const answer = await rawHttp(server.apiUrl, `GET ${at("members")} HTTP/1.1`, [
      `authorization: Bearer ${ada.token}`,
      "connection: x-butterbase-caller-user, x-butterbase-caller-type, x-request-id, host",
    ]);
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body).user).toBe(ada.id);
  });

  it("by choosing the request's id, which is a capability", async () => {
    const answer = await fetch(server.apiUrl + at("identity"), {
      headers: { "x-request-id": "chosen-by-me" },
    });
    expect(JSON.stringify(await answer.json())).not.toContain("chosen-by-me");
  });

  it("and a key never reaches user code", async () => {
    for (const path of [at("identity"), at("members"), at("guarded")]) {
      const answer = await fetch(server.apiUrl + path, { headers: bearer(server.apiKey) });
      const text = await answer.text();
      expect(answer.status).toBe(200);
      expect(text).not.toContain(server.apiKey);
      expect(reserved(JSON.parse(text))).toContainEqual(["x-butterbase-caller-type", "service_key"]);
    }
  });
});

describe("access modes are verified", () => {
  const credentials: Record<string, string | null> = {};
  beforeAll(async () => {
    const mint = async (body: object) => must(await owner("POST", "/api-keys", { name: "suite", ...body }));
    const revoked = await mint({});
    must(await owner("DELETE", `/api-keys/${revoked.id}`));
    must(await owner("PATCH", `/v1/${red}/config/jwt`, { accessTokenTtl: "2s" }));
    const shortLived = await signUp(server.apiUrl, red, "short-lived");
    // Verified tokens are remembered: these two were good, one until now and one at its own app.
    await fetch(server.apiUrl + at("members"), { headers: bearer(shortLived.token) });
    const atHome = await fetch(`${server.apiUrl}/v1/${blue}/do/guarded/x`, { headers: bearer(eve.token) });
    expect(atHome.status).toBe(403);
    must(await owner("PATCH", `/v1/${red}/config/jwt`, { accessTokenTtl: "1h" }));
    const [head, claims, signature] = ada.token.split(".") as [string, string, string];
    const none = Buffer.from(JSON.stringify({ alg: "none", typ: "JWT" })).toString("base64url");
    const other = Buffer.from(
      JSON.stringify({ ...JSON.parse(String(Buffer.from(claims, "base64url"))), sub: eve.id }),
    ).toString("base64url");
    Object.assign(credentials, {
      nobody: null,
      user: `Bearer ${ada.token}`,
      "user, lower-case scheme": `bearer ${ada.token}`,
      "user of another app": `Bearer ${eve.token}`,
      "expired token": `Bearer ${shortLived.token}`,
      "token with another's id": `Bearer ${head}.${other}.${signature}`,
      "token without a signature": `Bearer ${none}.${claims}.`,
      "something that looks like a token": "Bearer a.b.c",
      key: `Bearer ${server.apiKey}`,
      "agent's key": `Bearer ${server.agentKey}`,
      "key of this app": `Bearer ${(await mint({ key_scope: "app", target_app_id: red })).key}`,
      "key of another app": `Bearer ${(await mint({ key_scope: "app", target_app_id: blue })).key}`,
      "read-only key": `Bearer ${(await mint({ read_only: true })).key}`,
      "substrate key": `Bearer ${(await mint({ scope: "substrate" })).key}`,
      "revoked key": `Bearer ${revoked.key}`,
      "something that looks like a key": `Bearer bb_sk_${"0".repeat(40)}`,
      "a basic login": "Basic YWRhOnBhc3N3b3Jk",
    });
    await sleep(2_200);
  });

  const IN = ["user", "user, lower-case scheme", "key", "agent's key", "key of this app"];
  const matrix: [AccessMode, string, (who: string) => boolean][] = [
    ["authenticated", "members", (who) => IN.includes(who)],
    ["service_key", "guarded", (who) => IN.includes(who) && !who.startsWith("user")],
  ];
  it.each(matrix)("%s", async (_mode, name, mayEnter) => {
    for (const [who, authorization] of Object.entries(credentials)) {
      const headers: Record<string, string> = authorization === null ? {} : { authorization };
      const api = await fetch(server.apiUrl + at(name), { headers });
      const body = await api.text();
      if (mayEnter(who)) expect([who, api.status]).toEqual([who, 200]);
      else {
        expect([401, 403], `${who}: ${body}`).toContain(api.status);
        expect(body).not.toContain("x-butterbase");
      }
      const lines = [
        `host: ${await ownHost(stand)}`,
        ...(authorization ? [`authorization: ${authorization}`] : []),
      ];
      const app = await rawHttp(server.apiUrl, `GET /_do/${name}/x HTTP/1.1`, lines);
      expect([who, app.status], "the same on the app's host").toEqual([who, api.status]);
      await expect(
        open(`${at(name)}`, headers).then((socket) => socket.close()),
        who,
      )[mayEnter(who) ? "resolves" : "rejects"].toEqual(mayEnter(who) ? undefined : expect.anything());
    }
  });

  it("public lets everybody in, and takes nobody for somebody else", async () => {
    for (const [who, authorization] of Object.entries(credentials)) {
      const headers: Record<string, string> = authorization === null ? {} : { authorization };
      const answer = await fetch(server.apiUrl + at("identity"), { headers });
      const text = await answer.text();
      if (answer.status !== 200) {
        // A credential that is present and bad may be told so.
        expect([who, answer.status]).toEqual([who, 401]);
        expect(who === "nobody" || IN.includes(who)).toBe(false);
        continue;
      }
      const { user } = JSON.parse(text);
      expect([who, user]).toEqual([who, who.startsWith("user") && IN.includes(who) ? ada.id : null]);
    }
  });

  it("an open door closes: a key that is revoked and a mode that is changed count at once", async () => {
    const { id, key } = must(await owner("POST", "/api-keys", { name: "short" }));
    const ask = async () => (await fetch(server.apiUrl + at("guarded"), { headers: bearer(key) })).status;
    expect(await ask()).toBe(200);
    must(await owner("DELETE", `/api-keys/${id}`));
    expect(await ask()).toBe(401);
    await deployActor(owner, red, "members", sourceOf("identity"), "service_key");
    expect((await fetch(server.apiUrl + at("members"), { headers: bearer(ada.token) })).status).toBe(403);
    await deployActor(owner, red, "members", sourceOf("identity"), "authenticated");
    expect((await fetch(server.apiUrl + at("members"), { headers: bearer(ada.token) })).status).toBe(200);
  });
});

/** Opens a socket to a class of `red`; resolves to what it was told first, rejects with `HTTP <status>`. */
async function open(
  path: string,
  headers: Record<string, string> = {},
  protocols: string[] = [],
): Promise<{ report: any; protocol: string; close(): void }> {
  const socket = new WebSocket(`${server.apiUrl.replace("http", "ws")}${path}`, protocols, { headers });
  return new Promise((resolve, reject) => {
    socket.once("message", (data) =>
      resolve({
        report: JSON.parse(String(data)),
        protocol: socket.protocol,
        close: () => socket.terminate(),
      }),
    );
    socket.once("unexpected-response", (_request, response) =>
      reject(new Error(`HTTP ${response.statusCode}`)),
    );
    socket.once("error", reject);
    socket.once("close", (code) => reject(new Error(`closed ${code}`)));
  });
}

describe("a browser's socket brings its token", () => {
  const ticket = async (body: object = {}, who: Person = ada, app = red): Promise<string> =>
    must(await who.api("POST", `/v1/${app}/durable-objects/tickets`, body)).ticket;

  it("in the query, and neither user code nor the log sees it", async () => {
    const socket = await open(at("members", "x", `?token=${ada.token}&room=5`));
    expect(socket.report.user).toBe(ada.id);
    expect(new URL(socket.report.url).searchParams.get("room")).toBe("5");
    expect(JSON.stringify(socket.report)).not.toContain(ada.token);
    socket.close();
    for (const bad of [eve.token, "a.b.c", ""]) {
      await expect(open(at("members", "x", `?token=${bad}`))).rejects.toThrow(/HTTP 40[13]/);
    }
    expect(server.output()).not.toContain(ada.token);
  });

  it("as a sub-protocol, which is answered with the harmless half", async () => {
    const socket = await open(at("members"), {}, ["bearer", ada.token]);
    expect([socket.report.user, socket.protocol]).toEqual([ada.id, "bearer"]);
    expect(JSON.stringify(socket.report)).not.toContain(ada.token);
    socket.close();
    await expect(open(at("members"), {}, ["bearer", eve.token])).rejects.toThrow(/HTTP 40[13]/);
    await expect(open(at("members"), {}, ["bearer"])).rejects.toThrow(/HTTP 40[013]/);
  });

  it("as a ticket that opens one socket, however many try at once", async () => {
    const one = await ticket();
    const tries = await Promise.allSettled(
      Array.from({ length: 8 }, () => open(at("members", "x", `?ticket=${one}`))),
    );
    const opened = tries.filter((each) => each.status === "fulfilled");
    expect(opened).toHaveLength(1);
    expect(opened[0]!.value.report.user).toBe(ada.id);
    expect(JSON.stringify(opened[0]!.value.report)).not.toContain(one);
    opened[0]!.value.close();
    await expect(open(at("members", "x", `?ticket=${one}`))).rejects.toThrow("HTTP 401");
  });

  it("and a ticket opens only what it is for", async () => {
    await expect(
      open(at("members", "y", `?ticket=${await ticket({ name: "members", instance: "x" })}`)),
    ).rejects.toThrow("HTTP 401");
    await expect(open(at("members", "x", `?ticket=${await ticket({}, eve, blue)}`))).rejects.toThrow(
      "HTTP 401",
    );
    await expect(open(at("guarded", "x", `?ticket=${await ticket()}`))).rejects.toThrow(/HTTP 40[13]/);
    await expect(open(at("members", "x", "?ticket=nonsense"))).rejects.toThrow("HTTP 401");
    const anonymous = await apiAs(server.apiUrl, null)("POST", `/v1/${red}/durable-objects/tickets`, {});
    expect(anonymous.status).toBe(401);
    const foreign = await eve.api("POST", `/v1/${red}/durable-objects/tickets`, {});
    expect(foreign.status).toBe(401);
  });
});
