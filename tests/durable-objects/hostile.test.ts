import { readFileSync } from "node:fs";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deployActor, eventually, setActorEnv } from "../support/actors.ts";
import type { Api, Person } from "../support/api.ts";
import { must, newApp } from "../support/app.ts";
import { callTool, connectMcp } from "../support/mcp.ts";
import { rawHttp } from "../support/raw-http.ts";
import { discard, type Server } from "../support/server.ts";
import { sourceOf } from "./bare.ts";
import { HOSTILE_SOURCES } from "./hostile-sources.ts";
import { bearer, ownHost, type Stand, startStand } from "./stand.ts";

const PLANTED = "planted-in-the-environment-of-ambit";
const ALLOWED_TEXT = "the allowed private service";
const FORBIDDEN_TEXT = "the forbidden private service";

let stand: Stand;
let server: Server;
let owner: Api;
let red: string;
let blue: string;
let ada: Person;
let at: Stand["at"];
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
  stand = await startStand({
    AMBIT_ALLOW_PRIVATE_FETCH: `127.0.0.1:${portOf(allowed)}`,
    AMBIT_SUITE_SECRET: PLANTED,
  });
  ({ server, owner, red, blue, ada, at } = stand);
});
afterAll(async () => {
  await discard(stand?.server);
  for (const each of [allowed, forbidden]) each?.close();
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
    const host = await ownHost(stand);
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
        const body = answer.body;
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
      if (answer.status === 200) expect(JSON.parse(answer.body).name).toBe(name);
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
    await eventually(
      async () => must(await owner("GET", `/v1/${blue}/runtime`)).egress.refused > 30,
      "what was refused is counted",
    );
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
  return found?.error?.details?.reason ?? found?.error?.code ?? message.slice(0, 300);
}
