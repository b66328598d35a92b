import { readFileSync } from "node:fs";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { type AccessMode, deployActor, setActorEnv } from "../support/actors.ts";
import { type Api, apiAs, type Person, signUp } from "../support/api.ts";
import { must, newApp } from "../support/app.ts";
import { callTool, connectMcp } from "../support/mcp.ts";
import { rawHttp } from "../support/raw-http.ts";
import { discard, type Server, startServer } from "../support/server.ts";
import { sourceOf } from "./bare.ts";
import { HOSTILE_SOURCES } from "./hostile-sources.ts";

const PLANTED = "planted-in-the-environment-of-ambit";
const ALLOWED_TEXT = "the allowed private service";
const FORBIDDEN_TEXT = "the forbidden private service";

let server: Server;
let owner: Api;
let red: string;
let blue: string;
let ada: Person;
let eve: Person;
let allowed: HttpServer;
let forbidden: HttpServer;
let forbiddenHits = 0;

const portOf = (each: HttpServer) => (each.address() as AddressInfo).port;
const listen = (each: HttpServer) => new Promise<void>((resolve) => each.listen(0, "127.0.0.1", resolve));

beforeAll(async () => {
  allowed = createServer((request, response) => {
    if (request.url !== "/to-forbidden") return void response.end(ALLOWED_TEXT);
    response.writeHead(302, { location: `http://127.0.0.1:${portOf(forbidden)}/` }).end();
  });
  forbidden = createServer((_request, response) => {
    forbiddenHits += 1;
    response.end(FORBIDDEN_TEXT);
  });
  await Promise.all([listen(allowed), listen(forbidden)]);
  server = await startServer({
    AMBIT_ALLOW_PRIVATE_FETCH: `127.0.0.1:${portOf(allowed)}`,
    AMBIT_SUITE_SECRET: PLANTED,
  });
  owner = apiAs(server.apiUrl, server.apiKey);
  [red, blue] = [await newApp(owner), await newApp(owner)];
  [ada, eve] = [await signUp(server.apiUrl, red, "ada"), await signUp(server.apiUrl, blue, "eve")];
  await deployActor(owner, red, "identity", sourceOf("identity"), "public");
  await deployActor(owner, red, "members", sourceOf("identity"), "authenticated");
  await deployActor(owner, red, "guarded", sourceOf("identity"), "service_key");
  await deployActor(owner, blue, "guarded", sourceOf("identity"), "service_key");
});
afterAll(async () => {
  await discard(server);
  for (const each of [allowed, forbidden]) each?.close();
});

const at = (name: string, instance = "x", rest = "") => `/v1/${red}/do/${name}/${instance}${rest}`;
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

async function subdomainHost(): Promise<string> {
  const { url } = must(await owner("GET", "/apps")).apps.find((app: any) => app.id === red);
  return new URL(url).host;
}

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

  /** Headers user code got that look like Ambit's own in any spelling. */
  const reserved = (report: any): [string, string][] =>
    report.headers.filter(([name]: [string]) => /^x[-_](butterbase|ambit)[-_]/i.test(name));

  it.each(["the API host", "the app's host"])("by headers in any spelling, on %s", async (door) => {
    const host = await subdomainHost();
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
      const report = JSON.parse(bodyOf(anonymous));
      expect(JSON.stringify(report)).not.toContain("forged");
      expect(report).toMatchObject({ user: null, loopDepth: 0, caller: null });
      expect(reserved(report)).toEqual([["x-butterbase-caller-type", "anonymous"]]);
      const known = await rawHttp(server.apiUrl, `GET ${path} HTTP/1.1`, [
        ...hostHeader,
        ...some,
        `authorization: Bearer ${ada.token}`,
        ...some,
      ]);
      const told = JSON.parse(bodyOf(known));
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
    expect(JSON.parse(bodyOf(answer)).user).toBe(ada.id);
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

/** The body without chunk sizes. */
function bodyOf({ head, body }: { head: string; body: string }): string {
  if (!head.includes("transfer-encoding: chunked")) return body;
  let rest = body;
  let whole = "";
  for (;;) {
    const line = rest.indexOf("\r\n");
    const size = Number.parseInt(rest.slice(0, line), 16);
    if (!(size > 0)) return whole;
    whole += rest.slice(line + 2, line + 2 + size);
    rest = rest.slice(line + 4 + size);
  }
}

describe("access modes are verified", () => {
  const credentials: Record<string, string | null> = {};
  beforeAll(async () => {
    const mint = async (body: object) => must(await owner("POST", "/api-keys", { name: "suite", ...body }));
    const revoked = await mint({});
    must(await owner("DELETE", `/api-keys/${revoked.id}`));
    must(await owner("PATCH", `/v1/${red}/config/jwt`, { accessTokenTtl: "1s" }));
    const shortLived = await signUp(server.apiUrl, red, "short-lived");
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
    await sleep(1_200);
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
        `host: ${await subdomainHost()}`,
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

describe("answers of user code", () => {
  it("on the API host are in a sandbox, are what they say, and set no cookies", async () => {
    for (const path of [at("identity"), at("identity", "y", "/page.html")]) {
      const { headers } = await fetch(server.apiUrl + path);
      expect(headers.get("content-security-policy")).toMatch(/(^|[,;] ?)sandbox($|[,;])/);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("set-cookie")).toBeNull();
      expect(headers.get("x-ambit-waiting")).toBeNull();
      expect(headers.get("x-test-kept")).toBe("kept");
    }
  });

  it("on the app's own host keep their cookies and policies", async () => {
    const host = await subdomainHost();
    const answer = await rawHttp(server.apiUrl, "GET /_do/identity/x HTTP/1.1", [`host: ${host}`]);
    expect(answer.status).toBe(200);
    expect(answer.head).toContain("set-cookie: session=stolen");
    expect(answer.head).toContain("content-security-policy: default-src *");
    expect(answer.head).not.toContain("sandbox");
  });
});

describe("paths lead nowhere else", () => {
  const UP = ["..", "%2e%2e", "%2E%2E", ".%2e", "%2e.", "..;", "%252e%252e", "..%2f..", "..%5c..", "..\\.."];
  const targets = () =>
    UP.flatMap((up) => [
      `/v1/${red}/do/identity/${up}/guarded/x`,
      `/v1/${red}/do/identity/x/${up}/${up}/guarded/x`,
      `/v1/${red}/do/identity/x/${up}/${up}/${up}/_ambit/health`,
      `/v1/${red}/do/identity/${up}/${up}/_ambit/inspect/identity/name/x`,
      `/v1/${red}/do/${up}/${up}/${blue}/do/guarded/x`,
      `/v1/${red}/do/identity/x/${up}/${up}/${up}/${blue}/do/guarded/x`,
      `/v1/${blue}/${up}/${red}/do/guarded/x`,
    ]);

  it("with dots, slashes and their encodings", async () => {
    for (const path of [
      ...targets(),
      `/v1/${red}/do//guarded/x`,
      `/v1/${red}/do/identity//guarded/x`,
      `//v1/${red}/do/guarded/x`,
      `/v1/${red}/do/guarded\\x`,
      `/v1/${red}/do/guarded%2fx`,
      `/v1/${red}/do/Guarded/x`,
      `/v1/${red}/do/%67uarded/x`,
      `http://evil.example/v1/${red}/do/guarded/x`,
    ]) {
      for (const method of ["GET", "POST", "REPORT"]) {
        const answer = await rawHttp(server.apiUrl, `${method} ${path} HTTP/1.1`);
        const body = bodyOf(answer);
        // `identity` may answer, as an instance of some odd name; nobody else may.
        const report = answer.status === 200 ? parsed(body) : null;
        if (report?.url !== undefined) {
          expect(new URL(report.url).pathname, path).toMatch(/^\/_do\/identity\//);
        } else {
          expect([path, body]).not.toEqual([path, "ok"]);
          expect(answer.status, `${method} ${path}: ${body.slice(0, 200)}`).toBeGreaterThanOrEqual(300);
        }
      }
    }
  });

  it("and instance names of any kind are names, or refused", async () => {
    const fine: [string, string][] = [
      ["a%2Fb", "a/b"],
      ["__proto__", "__proto__"],
      ["%00", "\0"],
      ["%F0%9F%98%80", "😀"],
      ["n".repeat(1_000), "n".repeat(1_000)],
      ["%2e%2e%2f%2e%2e%2fetc", "../../etc"],
    ];
    for (const [spelling, name] of fine) {
      const answer = await rawHttp(server.apiUrl, `GET ${at("identity", spelling)} HTTP/1.1`);
      if (answer.status === 200) expect(JSON.parse(bodyOf(answer)).name).toBe(name);
      else expect([spelling, answer.status]).toEqual([spelling, 400]);
    }
    for (const spelling of [
      "%zz",
      "%",
      "%ff",
      "%c0%af",
      "n".repeat(2_000),
      "n".repeat(200_000),
      "%20".repeat(30_000),
    ]) {
      const answer = await rawHttp(server.apiUrl, `GET ${at("identity", spelling)} HTTP/1.1`);
      expect([400, 404, 413, 414, 431], `${spelling.slice(0, 20)}: ${answer.body.slice(0, 100)}`).toContain(
        answer.status,
      );
    }
    for (const name of ["__proto__", "constructor", "toString", "env", "nothing", ""]) {
      const answer = await rawHttp(server.apiUrl, `GET ${at(name)} HTTP/1.1`);
      expect([name, answer.status]).toEqual([name, 404]);
    }
    for (const line of [`GET ${at("identity")}\0 HTTP/1.1`, `GET ${at("identity")} x HTTP/1.1`]) {
      expect([0, 400]).toContain((await rawHttp(server.apiUrl, line)).status);
    }
    expect((await fetch(server.apiUrl + at("identity"))).status).toBe(200);
  });
});

function parsed(text: string): any {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

describe("user code", () => {
  it("reaches no private address, in no spelling and by no detour", { timeout: 120_000 }, async () => {
    await deployActor(owner, blue, "reach", sourceOf("reach"));
    const reach = async (targets: string[]): Promise<[string, string][]> => {
      const answer = await fetch(`${server.apiUrl}/v1/${blue}/do/reach/x`, {
        method: "POST",
        body: JSON.stringify(targets),
      });
      expect(answer.status).toBe(200);
      return (await answer.json()) as [string, string][];
    };
    const open = `http://127.0.0.1:${portOf(allowed)}/`;
    expect(await reach([open]), "the way out works at all").toEqual([[open, `200 ${ALLOWED_TEXT}`]]);
    const port = portOf(forbidden);
    const api = new URL(server.apiUrl).port;
    const targets = [
      ...[
        "127.0.0.1",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "foo.localhost",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:0:0:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "127.0.0.1.",
        "127.0.0.2",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
      ].map((host) => `http://${host}:${port}/`),
      ...[
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "198.18.0.1",
        "203.0.113.1",
        "192.0.2.1",
        "240.0.0.1",
        "255.255.255.255",
        "224.0.0.1",
        "0.1.2.3",
        "[fd00::1]",
        "[fc00::1]",
        "[ff02::1]",
        "metadata.google.internal",
      ].map((host) => `http://${host}/latest/meta-data/`),
      `http://user:password@127.0.0.1:${port}/`,
      `https://127.0.0.1:${port}/`,
      `http://127.0.0.1:${api}/health`,
      `http://127.0.0.1:${portOf(allowed)}/to-forbidden`,
      "http://ambit.sock/db/query",
      "http://ambit/",
      "http://unix:/run/ambit/ambit.sock:/",
      "file:///etc/passwd",
      "http://ambit.internal/inspect",
      "http://internal.butterbase/",
      "data:text/plain,hello",
      "ftp://127.0.0.1/",
    ];
    const results = await reach(targets);
    expect(results).toHaveLength(targets.length);
    expect(forbiddenHits).toBe(0);
    for (const [target, result] of results) {
      if (target.startsWith("data:")) continue;
      expect(result, target).toMatch(/^(threw|[45]\d\d)/);
      expect(result, target).not.toContain(FORBIDDEN_TEXT);
    }
    const { egress } = must(await owner("GET", `/v1/${blue}/runtime`));
    expect(egress.refused).toBeGreaterThan(30);
    must(await owner("PUT", `/v1/${blue}/runtime/egress`, { allow: [] }));
    await sleep(2_500);
    expect((await reach([open]))[0]![1]).not.toContain(ALLOWED_TEXT);
  });

  it("sees no secret of the platform, however it looks", { timeout: 60_000 }, async () => {
    await setActorEnv(owner, blue, "MY_OWN", "mine to see");
    await deployActor(owner, blue, "spy", sourceOf("spy"));
    const answer = await fetch(`${server.apiUrl}/v1/${blue}/do/spy/x`, { headers: bearer(server.apiKey) });
    expect(answer.status).toBe(200);
    const report = (await answer.json()) as { env: string[]; imported: string[]; found: string[] };
    const everything = report.found.join("\n");
    expect(everything).toContain("mine to see");
    const credentials = JSON.parse(readFileSync(join(server.dataDir, "credentials.json"), "utf8"));
    const secrets = [
      PLANTED,
      server.apiKey,
      server.agentKey,
      server.dataDir,
      ada.token,
      "postgres://",
      "BEGIN PRIVATE",
      ...Object.values(credentials).filter((each) => typeof each === "string" && /^bb_sk_/.test(each)),
    ] as string[];
    for (const secret of secrets)
      expect(everything.includes(secret), `user code found ${secret}`).toBe(false);
    for (const name of ["DATABASE_URL", "AMBIT_SUITE_SECRET", "AMBIT_DATA_DIR", "AMBIT_MASTER_KEY"]) {
      expect(everything).not.toContain(name);
    }
    const own = (name: string) =>
      ["SPY", "GUARDED", "REACH", "MY_OWN"].includes(name) || name.startsWith("BUTTERBASE_");
    expect(report.env.filter((name) => !own(name))).toEqual([]);
    // The anonymous key is public; every other key is not.
    expect(everything.match(/bb_sk_[A-Za-z0-9]{8,}/g) ?? []).toEqual([]);
  });

  it("of thirty hostile kinds is refused over MCP, each with its reason, and nothing of it stays", {
    timeout: 180_000,
  }, async () => {
    const app = await newApp(owner);
    await deployActor(owner, app, "evil", "export class Good { fetch() { return new Response('good'); } }");
    const agent = await connectMcp(server.mcpUrl, server.agentKey);
    expect(HOSTILE_SOURCES.length).toBeGreaterThanOrEqual(30);
    const verdicts: [string, string | RegExp][] = [];
    for (const [what, code] of HOSTILE_SOURCES) {
      const reason = await callTool(agent, "manage_durable_objects", {
        app_id: app,
        action: "deploy",
        name: "evil",
        code,
      }).then(
        () => "deployed",
        (error: Error) => reasonOf(error.message),
      );
      verdicts.push([what, reason]);
    }
    await agent.close();
    const expected = HOSTILE_SOURCES.map(([what, , reason]) => [
      what,
      typeof reason === "string" ? reason : expect.stringMatching(reason),
    ]);
    expect(verdicts).toEqual(expected);
    const answer = await fetch(`${server.apiUrl}/v1/${app}/do/evil/x`);
    expect([answer.status, await answer.text()]).toEqual([200, "good"]);
  });

  it.each([
    ["Chat_Room", "INVALID_NAME"],
    ["../x", "INVALID_NAME"],
    ["env", "INVALID_NAME"],
    ["-x", "INVALID_NAME"],
    ["x--y", "INVALID_NAME"],
    ['x" (', "INVALID_NAME"],
    ["butterbase-x", "INVALID_NAME"],
    ["x".repeat(200), "INVALID_NAME"],
    ["", "INVALID_NAME"],
  ])("is not deployed as %j", async (name, reason) => {
    const answer = await owner("POST", `/v1/${blue}/durable-objects`, {
      name,
      code: "export class A { fetch() {} }",
    });
    expect([answer.status, answer.body.error.details?.reason]).toEqual([400, reason]);
  });
});

/** `details.reason` of an error body as the tool gives it. */
function reasonOf(message: string): string {
  const found = parsed(message);
  return found?.error?.details?.reason ?? found?.details?.reason ?? message.slice(0, 300);
}
