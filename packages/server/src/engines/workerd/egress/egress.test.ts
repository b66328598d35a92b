import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type LookupFunction,
  type Socket,
} from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { EgressRules, EgressUse } from "../types.ts";
import type { Resolve } from "./checked-lookup.ts";
import { createEgressProxy, type EgressProxy } from "./index.ts";
import { limits } from "./limits.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const directory = mkdtempSync(join(tmpdir(), "ambit-egress-"));
const path = join(directory, "egress.sock");
let upstream: Server;
let port: number;
let seen: { url: string; headers: IncomingMessage["headers"] }[];
let handler: Handler;
let answers: Record<string, string[]>;
let rules: EgressRules;
let uses: EgressUse[];
let server: Server;
let proxy: EgressProxy;

const family = (address: string) => (address.includes(":") ? 6 : 4);
const resolve: Resolve = async (name) =>
  (answers[name] ?? []).map((address) => ({ address, family: family(address) }));
const toThisMachine: LookupFunction = (_name, options, callback) =>
  options.all ? callback(null, [{ address: "127.0.0.1", family: 4 }]) : callback(null, "127.0.0.1", 4);

beforeAll(async () => {
  upstream = createServer((request, response) => {
    seen.push({ url: request.url!, headers: request.headers });
    handler(request, response);
  });
  await new Promise<void>((done) => upstream.listen(0, () => done()));
  port = (upstream.address() as AddressInfo).port;
});
beforeEach(async () => {
  seen = [];
  uses = [];
  answers = {};
  rules = { allow: null };
  handler = (_request, response) => void response.end("ok");
  proxy = createEgressProxy({
    rules: () => rules,
    allowPrivate: [`app.test:${port}`, `other.test:${port}`],
    onUse: (use) => uses.push(use),
    resolve,
    resolveAllowed: toThisMachine,
  });
  server = createServer();
  proxy.handle(server);
  await new Promise<void>((done) => server.listen(path, () => done()));
});
afterEach(async () => {
  proxy.close();
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  upstream.removeAllListeners("upgrade");
});
afterAll(async () => {
  upstream.closeAllConnections();
  await new Promise((done) => upstream.close(done));
  rmSync(directory, { recursive: true });
});

interface Got {
  status: number;
  headers: IncomingMessage["headers"];
  body: string;
}
/** One request in absolute form, as workerd makes it. */
function ask(
  url: string,
  options: { method?: string; headers?: Record<string, string>; body?: string } = {},
) {
  return new Promise<Got>((resolve, reject) => {
    const outgoing = request(
      {
        agent: false,
        socketPath: path,
        path: url,
        method: options.method ?? "GET",
        headers: { host: "x", ...options.headers },
      },
      (response) => {
        text(response).then(
          (body) => resolve({ status: response.statusCode!, headers: response.headers, body }),
          reject,
        );
      },
    );
    outgoing.on("error", reject);
    outgoing.end(options.body);
  });
}
/** Sends CONNECT; resolves to the socket and the head of the answer. */
function tunnel(authority: string) {
  return new Promise<{ status: number; socket: Socket; head: string }>((resolve, reject) => {
    const socket = connect(path, () =>
      socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`),
    );
    socket.once("error", reject);
    socket.once("data", (data) => {
      const head = data.toString();
      resolve({ status: Number(head.split(" ")[1]), socket, head });
    });
  });
}
const refusedHeader = { "x-ambit-egress": "refused" };

/** Each leads to this machine or another place nobody outside may reach; `P` is a port where something listens. */
const FORBIDDEN = [
  "http://127.0.0.1:P/",
  "http://127.0.0.2:P/",
  "http://127.1:P/",
  "http://127.0.1:P/",
  "http://2130706433:P/",
  "http://0x7f000001:P/",
  "http://0x7f.0.0.1:P/",
  "http://0177.0.0.1:P/",
  "http://017700000001:P/",
  "http://0x7f.1:P/",
  "http://127.0.0.1.:P/",
  "http://0:P/",
  "http://0.0.0.0:P/",
  "http://0.1.2.3:P/",
  "http://①②⑦.⓪.⓪.①:P/",
  "http://１２７.０.０.１:P/",
  "http://127。0。0。1:P/",
  "http://%31%32%37.0.0.1:P/",
  "http://localhost:P/",
  "http://LOCALHOST:P/",
  "http://localhost.:P/",
  "http://ⓛocalhost:P/",
  "http://a.localhost:P/",
  "http://[::1]:P/",
  "http://[::]:P/",
  "http://[0:0:0:0:0:0:0:1]:P/",
  "http://[::ffff:127.0.0.1]:P/",
  "http://[::ffff:7f00:1]:P/",
  "http://[::127.0.0.1]:P/",
  "http://[64:ff9b::7f00:1]:P/",
  "http://[64:ff9b::8.8.8.8]:P/",
  "http://[2002:7f00:1::]:P/",
  "http://[fe80::1]:P/",
  "http://[fc00::1]:P/",
  "http://[fd00:ec2::254]/latest/meta-data/",
  "http://[ff02::1]:P/",
  "http://[2001:db8::1]:P/",
  "http://10.0.0.1/",
  "http://172.16.0.1/",
  "http://192.168.1.1/",
  "http://100.64.0.1/",
  "http://169.254.169.254/latest/meta-data/",
  "http://2852039166/latest/meta-data/",
  "http://168.63.129.16/",
  "http://192.0.2.1/",
  "http://198.18.0.1/",
  "http://198.19.255.255/",
  "http://203.0.113.5/",
  "http://224.0.0.1/",
  "http://240.0.0.1/",
  "http://255.255.255.255/",
  "https://127.0.0.1:P/",
  "https://[::1]:P/",
  "http://user:word@127.0.0.1:P/",
  "http://user@app.test:P/",
  "http://app.test@127.0.0.1:P/",
  "http://app.test\\@127.0.0.1:P/",
  "http://app.test:0/",
  "http://app.test:25/",
  "http://8.8.8.8:25/",
  "ftp://app.test:P/",
  "file:///etc/passwd",
  "/only/a/path",
  "*",
];
const PRIVATE_NAMES: [string, string[]][] = [
  ["loopback.test", ["127.0.0.1"]],
  ["six.test", ["::1"]],
  ["mapped.test", ["::ffff:127.0.0.1"]],
  ["nat64.test", ["64:ff9b::7f00:1"]],
  ["zero.test", ["0.0.0.0"]],
  ["mixed.test", ["8.8.8.8", "127.0.0.1"]],
  ["metadata.test", ["169.254.169.254"]],
];

describe("where user code can't go", () => {
  it.each(FORBIDDEN)("%s", async (url) => {
    const raw = Buffer.from(url.replace(":P/", `:${port}/`)).toString("latin1");
    const got = await ask(raw).catch((error: NodeJS.ErrnoException) => error);
    if (!(got instanceof Error)) {
      expect([400, 403]).toContain(got.status);
      // The HTTP parser itself answers 400 to what is no request line.
      if (got.status === 403) {
        expect(got.headers).toMatchObject(refusedHeader);
        expect(got.body.length).toBeGreaterThan(10);
      }
    } else expect(got.message).toMatch(/unescaped characters/);
    expect(seen).toEqual([]);
  });

  it.each(FORBIDDEN.filter((url) => /^http:\/\/[^@\\]*$/.test(url)))("by CONNECT %s", async (url) => {
    const authority = url.replace(":P/", `:${port}/`).replace(/^http:\/\/([^/]*)\/.*$/, "$1");
    const { status, head, socket } = await tunnel(/:\d+$/.test(authority) ? authority : `${authority}:80`);
    expect([400, 403]).toContain(status);
    // The HTTP parser itself answers 400 to what is no request line.
    if (status === 403) expect(head).toContain("x-ambit-egress: refused");
    socket.destroy();
  });

  it.each(PRIVATE_NAMES)("a name that means %s", async (name, addresses) => {
    answers[name] = addresses;
    expect(await ask(`http://${name}:${port}/`)).toMatchObject({ status: 403, headers: refusedHeader });
    expect(await ask(`https://${name}:${port}/`)).toMatchObject({ status: 403, headers: refusedHeader });
    const { status, socket } = await tunnel(`${name}:${port}`);
    expect(status).toBe(403);
    socket.destroy();
    expect(seen).toEqual([]);
  });

  it("a redirect's target, when user code follows it", async () => {
    handler = (_request, response) =>
      void response.writeHead(302, { location: `http://127.0.0.1:${port}/` }).end();
    const first = await ask(`http://app.test:${port}/start`);
    expect(first.status).toBe(302);
    expect(await ask(first.headers.location!)).toMatchObject({ status: 403, headers: refusedHeader });
    expect(seen).toHaveLength(1);
  });

  it("another port of a host the operator allows", async () => {
    answers["app.test"] = ["127.0.0.1"];
    expect((await ask(`http://app.test:${port + 1}/`)).status).toBe(403);
  });

  it("a host that is not on the app's list, whatever header it brings", async () => {
    rules = { allow: ["other.test", "*.api.test"] };
    const headers = { host: `other.test:${port}` };
    const got = await ask(`http://app.test:${port}/`, { headers });
    expect(got).toMatchObject({ status: 403, headers: refusedHeader });
    expect(got.body).toContain("allowed hosts");
    expect((await ask(`http://other.test:${port}/`)).status).toBe(200);
    rules = { allow: [] };
    expect((await ask(`http://other.test:${port}/`)).status).toBe(403);
  });
});

describe("requests", () => {
  it("arrive with method, path, body and headers, under the name of the URL", async () => {
    handler = async (request, response) => {
      response.writeHead(201, "Made", {
        "x-ambit-egress": "forged",
        "x-one": "1",
        "set-cookie": ["a=1", "b=2"],
        connection: "keep-alive",
      });
      response.end(`${request.method} ${await text(request)}`);
    };
    const headers = { host: "evil", "x-two": "2", "x-hop": "3", connection: "x-hop", te: "trailers" };
    const got = await ask(`http://app.test:${port}/a/b?c=%20d`, { method: "PUT", body: "héllo", headers });
    expect(got).toMatchObject({ status: 201, body: "PUT héllo", headers: { "x-one": "1" } });
    expect(got.headers).not.toHaveProperty("x-ambit-egress");
    expect(got.headers["set-cookie"]).toEqual(["a=1", "b=2"]);
    expect(seen[0]).toMatchObject({
      url: "/a/b?c=%20d",
      headers: { host: `app.test:${port}`, "x-two": "2" },
    });
    expect(seen[0]!.headers).not.toHaveProperty("x-hop");
    expect(seen[0]!.headers).not.toHaveProperty("te");
  });

  it("need no Host beside their URL", async () => {
    const got = await new Promise<string>((done) => {
      const socket = connect(path, () => {
        socket.write(`GET http://app.test:${port}/ HTTP/1.1\r\nConnection: close\r\n\r\n`);
      });
      text(socket).then(done);
    });
    expect(got).toMatch(/^HTTP\/1.1 200 OK/);
  });

  it("use a connection again", async () => {
    let connections = 0;
    const count = () => (connections += 1);
    upstream.on("connection", count);
    for (let i = 0; i < 5; i++) expect((await ask(`http://app.test:${port}/`)).body).toBe("ok");
    upstream.off("connection", count);
    expect(connections).toBe(1);
  });

  it("say who could not be reached", async () => {
    answers["gone.test"] = [];
    const got = await ask("http://gone.test/");
    expect(got).toMatchObject({ status: 502, headers: { "x-ambit-egress": "failed" } });
    expect(got.body).toContain("gone.test");
  });

  it.each(["before", "during"])(
    "end at the other server when user code goes away %s the answer",
    async (when) => {
      const closed = new Promise<void>((done) => {
        handler = (_request, response) => {
          if (when === "during") response.write("first");
          else outgoing.destroy();
          response.on("close", () => done());
        };
      });
      const outgoing = request(
        { agent: false, socketPath: path, path: `http://app.test:${port}/` },
        (response) => {
          response.once("data", () => outgoing.destroy());
        },
      );
      outgoing.on("error", () => {});
      outgoing.end();
      await closed;
    },
  );

  it("break when the answer breaks", async () => {
    handler = (_request, response) => {
      response.write("half", () => setTimeout(() => response.destroy(), 20));
    };
    await expect(ask(`http://app.test:${port}/`)).rejects.toThrow();
  });

  it("go only as fast as they are taken", async () => {
    let sent = 0;
    handler = (_request, response) => {
      const more = () => {
        while (sent < 64 * 1024 * 1024 && !response.destroyed) {
          sent += 65_536;
          if (!response.write(Buffer.alloc(65_536))) return void response.once("drain", more);
        }
      };
      more();
    };
    const outgoing = request({ agent: false, socketPath: path, path: `http://app.test:${port}/` });
    outgoing.on("error", () => {});
    const response = await new Promise<IncomingMessage>((done) => outgoing.on("response", done).end());
    response.pause();
    let before = -1;
    while (before !== sent) {
      before = sent;
      await new Promise((done) => setTimeout(done, 100));
    }
    expect(sent).toBeLessThan(32 * 1024 * 1024);
    outgoing.destroy();
  });

  it("beyond the limit are told so", async () => {
    const held: ServerResponse[] = [];
    handler = (_request, response) => void held.push(response);
    const turnedAway: Got[] = [];
    const outgoing = Array.from({ length: limits.requests + 3 }, async (_, i) => {
      const got = await ask(`http://${i % 2 ? "app" : "other"}.test:${port}/`);
      if (got.status === 429) turnedAway.push(got);
      return got.status;
    });
    while (turnedAway.length < 3) await new Promise((done) => setTimeout(done, 5));
    expect(turnedAway[0]!.headers).toMatchObject({ "x-ambit-egress": "limited" });
    handler = (_request, response) => void response.end();
    while (seen.length < limits.requests) {
      for (const response of held.splice(0)) response.end();
      await new Promise((done) => setTimeout(done, 5));
    }
    for (const response of held) response.end();
    const statuses = await Promise.all(outgoing);
    expect(statuses.filter((status) => status === 429)).toHaveLength(3);
  });

  it("are counted with their bytes", async () => {
    const body = "x".repeat(10_000);
    handler = (request, response) => request.pipe(response);
    await ask(`http://app.test:${port}/`, { method: "POST", body });
    await ask("http://127.0.0.1/");
    proxy.close();
    const total = uses.reduce((sum, use) => ({
      requests: sum.requests + use.requests,
      refused: sum.refused + use.refused,
      bytesIn: sum.bytesIn + use.bytesIn,
      bytesOut: sum.bytesOut + use.bytesOut,
    }));
    expect(total).toMatchObject({ requests: 2, refused: 1 });
    for (const bytes of [total.bytesIn, total.bytesOut]) {
      expect(bytes).toBeGreaterThan(10_000);
      expect(bytes).toBeLessThan(12_000);
    }
  });
});

describe("sockets", () => {
  it("carry bytes both ways, and what was sent before an end arrives", async () => {
    const echo = createTcpServer((socket) => {
      socket.once("data", (data) => socket.end(Buffer.concat([data, Buffer.alloc(300_000, "z")])));
    });
    await new Promise<void>((done) => echo.listen(0, "127.0.0.1", () => done()));
    const { port: echoPort } = echo.address() as AddressInfo;
    const own = createEgressProxy({
      rules: () => rules,
      allowPrivate: [`127.0.0.1:${echoPort}`],
      onUse: (use) => uses.push(use),
      resolve,
    });
    const ownServer = createServer();
    own.handle(ownServer);
    const ownPath = join(directory, "own.sock");
    await new Promise<void>((done) => ownServer.listen(ownPath, () => done()));
    const got = await new Promise<string>((done) => {
      const socket = connect(ownPath, () =>
        socket.write(`CONNECT 127.0.0.1:${echoPort} HTTP/1.1\r\n\r\nhello`),
      );
      text(socket).then(done);
    });
    expect(got).toMatch(/^HTTP\/1.1 200 OK\r\n\r\nhellozzz/);
    expect(got.length).toBe("HTTP/1.1 200 OK\r\n\r\nhello".length + 300_000);
    own.close();
    expect(uses[0]!.bytesIn).toBeGreaterThan(300_000);
    await Promise.all([echo, ownServer].map((each) => new Promise((done) => each.close(done))));
  });

  it("switch protocols, and end with either side", async () => {
    upstream.on("upgrade", (request, socket) => {
      const name = request.headers.upgrade;
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${name}\r\n\r\nhi `);
      socket.once("data", (data: Buffer) => socket.end(data.toString().toUpperCase()));
    });
    const got = await new Promise<string>((done) => {
      const socket = connect(path, () => {
        socket.write(`GET http://app.test:${port}/ws?a=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n`);
        socket.write("Upgrade: websocket\r\nSec-WebSocket-Key: abc\r\n\r\n");
        setTimeout(() => socket.write("hello"), 50);
      });
      text(socket).then(done);
    });
    expect(got).toMatch(/^HTTP\/1.1 101 Switching Protocols\r\n/);
    expect(got).toMatch(/upgrade: websocket\r\n\r\nhi HELLO$/i);
  });

  it("whose switch is declined get the answer, and the connection carries nothing more", async () => {
    handler = (_request, response) => void response.writeHead(403).end("no");
    const got = await new Promise<string>((done) => {
      const socket = connect(path, () => {
        const head = `GET http://app.test:${port}/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
        socket.write(head);
        setTimeout(() => socket.write(`GET http://app.test:${port}/second HTTP/1.1\r\nHost: x\r\n\r\n`), 50);
      });
      socket.on("error", () => {});
      text(socket).then(done, () => done(""));
    });
    expect(got).toMatch(/^HTTP\/1.1 403 Forbidden\r\n[\s\S]*connection: close/i);
    expect(got).toMatch(/no$/);
    expect(seen).toHaveLength(1);
  });

  it("are refused like requests", async () => {
    const got = await ask("http://127.0.0.1:9/ws", {
      headers: { connection: "upgrade", upgrade: "websocket" },
    });
    expect(got).toMatchObject({ status: 403, headers: refusedHeader });
  });
});
