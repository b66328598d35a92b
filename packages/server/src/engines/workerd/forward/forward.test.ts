import { createHash, randomBytes } from "node:crypto";
import http from "node:http";
import net from "node:net";
import { Readable } from "node:stream";
import { afterEach, describe, expect, it } from "vitest";
import { eventually } from "../supervisor/testing/fixture.ts";
import { onRequest, openStand, type Stand } from "./testing/stand.ts";

const hash = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
const opened: Stand[] = [];
const open = async (...args: Parameters<typeof openStand>) => {
  const stand = await openStand(...args);
  opened.push(stand);
  return stand;
};
afterEach(async () => {
  await Promise.all(opened.splice(0).map((stand) => stand.stop()));
});

const echo = () =>
  http.createServer((request, response) => {
    response.setHeader("x-method", request.method!);
    response.setHeader(
      "x-framing",
      request.headers["transfer-encoding"] ?? request.headers["content-length"] ?? "none",
    );
    if (request.headers["x-length"]) response.setHeader("content-length", request.headers["x-length"]);
    request.pipe(response);
  });

describe("bodies", () => {
  it.each([0, 1, 1_000, 65_536, 3_000_000])(
    "%i bytes, both ways, with a length and in chunks",
    async (size) => {
      const stand = await open(echo());
      const body = randomBytes(size);
      const plain = await fetch(stand.url, { method: "POST", body, headers: { "x-length": String(size) } });
      expect(plain.headers.get("x-framing")).toBe(String(size));
      expect(hash(Buffer.from(await plain.arrayBuffer()))).toBe(hash(body));
      const init = { method: "PUT", body: Readable.toWeb(Readable.from([body])), duplex: "half" };
      const chunked = await fetch(stand.url, init as RequestInit);
      if (size > 0) expect(chunked.headers.get("x-framing")).toBe("chunked");
      expect(hash(Buffer.from(await chunked.arrayBuffer()))).toBe(hash(body));
      await eventually(() => stand.outcomes.length === 2);
      for (const outcome of stand.outcomes) {
        expect(outcome).toMatchObject({ status: 200, end: "answered", bytesIn: size, bytesOut: size });
      }
    },
  );

  it("HEAD, 204 and 304 have none, and leave the connection usable", async () => {
    const stand = await open(
      http.createServer((request, response) => {
        const status = Number(request.headers["x-status"] ?? 200);
        response.writeHead(status, status === 200 ? { "content-length": "7" } : {});
        response.end(request.method === "HEAD" || status !== 200 ? undefined : "1234567");
      }),
    );
    const head = await fetch(stand.url, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length")]).toEqual([200, "7"]);
    expect((await fetch(stand.url, { headers: { "x-status": "204" } })).status).toBe(204);
    expect((await fetch(stand.url, { headers: { "x-status": "304" } })).status).toBe(304);
    expect(await (await fetch(stand.url)).text()).toBe("1234567");
    expect(stand.accepted.length).toBe(1);
  });

  it("streams while both sides still talk, and holds a fast side back", async () => {
    const stand = await open(echo());
    let sent = 0;
    const chunk = Buffer.alloc(64 * 1024, 7);
    const source = new Readable({
      read() {
        sent += 1;
        this.push(sent > 1_600 ? null : chunk);
      },
    });
    const request = http.request(stand.url, { method: "POST" });
    source.pipe(request);
    const response = await new Promise<http.IncomingMessage>((resolve) => request.on("response", resolve));
    response.pause();
    let before = -1;
    await eventually(async () => {
      const still = sent === before;
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 150));
      return still;
    });
    expect(sent).toBeLessThan(800); // 100 MB in all: most of it waits where it comes from
    let received = 0;
    for await (const part of response) received += part.length;
    expect(received).toBe(1_600 * chunk.length);
  });
});

describe("headers", () => {
  it("of user code arrive as they are, but for the hop's and those the door has set", async () => {
    const answer =
      "HTTP/1.1 207 My Own Words\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nX-Utf: \xc3\xa9\r\nVary: a\r\nContent-Security-Policy: none\r\nKeep-Alive: 1\r\nx-ambit-waiting: 1\r\nContent-Length: 2\r\n\r\nok";
    const stand = await open(onRequest((socket) => socket.write(answer, "latin1")));
    stand.answerHeaders = { "Content-Security-Policy": "sandbox", Vary: "Origin" };
    const response = await new Promise<http.IncomingMessage>((resolve) => http.get(stand.url, resolve));
    response.resume();
    expect([response.statusCode, response.statusMessage]).toEqual([207, "My Own Words"]);
    expect(response.headers).toMatchObject({
      "set-cookie": ["a=1", "b=2"],
      "x-utf": "\xc3\xa9",
      vary: "Origin, a",
      "content-security-policy": "sandbox",
    });
    expect(response.headers).not.toHaveProperty("x-ambit-waiting");
    await eventually(() => stand.outcomes.length === 1);
    expect(stand.outcomes[0]!.waiting).toBe(true);
  });
});

describe("an answer that comes in pieces", () => {
  it("costs only itself when its head can't be written, also when that shows late", async () => {
    const stand = await open(
      onRequest((socket, request) => {
        // A head in a read of its own: it is written when the read is over.
        const name = request.includes("/bad ") ? "b@d" : "good";
        socket.write(`HTTP/1.1 200 OK\r\n${name}: a\x01b\r\nContent-Length: 2\r\n\r\n`, "latin1");
        setTimeout(() => socket.write("ok"), 30);
      }),
    );
    await expect(fetch(`${stand.url}/bad`)).rejects.toThrow();
    const answer = await fetch(`${stand.url}/good`);
    expect(answer.headers.get("good")).toBe("a b");
    expect(await answer.text()).toBe("ok");
  });

  it("its headers do not wait for its body, nor its pieces for each other", async () => {
    let server: net.Socket | undefined;
    const stand = await open(
      onRequest((socket, head) => {
        server = socket;
        const framing = head.includes("x-chunked") ? "Transfer-Encoding: chunked" : "Content-Length: 2";
        socket.write(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n`);
      }),
    );
    const sized = await fetch(stand.url);
    server!.write("ok");
    expect(await sized.text()).toBe("ok");
    const chunked = await fetch(stand.url, { headers: { "x-chunked": "1" } });
    const reader = chunked.body!.getReader();
    for (const piece of ["data: 1", "data: 2"]) {
      server!.write(`7\r\n${piece}\r\n`);
      expect(Buffer.from((await reader.read()).value!).toString()).toBe(piece);
    }
    server!.write("0\r\n\r\n");
    expect((await reader.read()).done).toBe(true);
  });
});

describe("connections", () => {
  it("are used again, one request at a time", async () => {
    const stand = await open(echo());
    for (let n = 0; n < 20; n += 1)
      expect(await (await fetch(stand.url, { method: "POST", body: `${n}` })).text()).toBe(`${n}`);
    expect(stand.accepted.length).toBe(1);
    await Promise.all(Array.from({ length: 5 }, () => fetch(stand.url).then((answer) => answer.text())));
    expect(stand.accepted.length).toBeLessThanOrEqual(5);
  });

  it("are never used again after nonsense, and the next request is none the wiser", async () => {
    const stand = await open(
      onRequest((socket, head) => {
        if (head.includes("x-bad: 1")) socket.write("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n");
        else if (head.includes("x-bad: 2"))
          socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n");
        else socket.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine");
      }),
    );
    const first = await fetch(stand.url, { headers: { "x-bad": "1" } });
    expect([first.status, ((await first.json()) as any).error.code]).toEqual([502, "RUNTIME_STOPPED"]);
    await fetch(stand.url, { headers: { "x-bad": "2" } }).then(
      (answer) => answer.text(),
      () => "",
    );
    expect(await (await fetch(stand.url)).text()).toBe("fine");
    expect(stand.accepted.length).toBe(3);
  });

  it("closed while idle are replaced without the caller noticing", async () => {
    const stand = await open(echo());
    await (await fetch(stand.url)).text();
    stand.accepted[0]!.destroy();
    expect((await fetch(stand.url)).status).toBe(200);
  });

  it("a request that may have arrived is never sent twice", async () => {
    let requests = 0;
    const stand = await open(
      onRequest((socket) => {
        requests += 1;
        if (requests === 2) socket.destroy();
        else socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      }),
    );
    await fetch(stand.url);
    expect((await fetch(stand.url)).status).toBe(502);
    expect(requests).toBe(2);
  });

  it("an answer to a body that nobody reads is not lost with the connection", async () => {
    // Answers the head, and closes with the body unread, as workerd does.
    const stand = await open((socket) => {
      socket.once("readable", () => {
        socket.read(1);
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", () =>
          socket.destroy(),
        );
      });
    });
    for (let time = 0; time < 20; time += 1) {
      const pieces = Readable.from([Buffer.alloc(100_000), Buffer.alloc(100_000), Buffer.alloc(100_000)]);
      const init = { method: "POST", body: Readable.toWeb(pieces), duplex: "half" };
      const answer = await fetch(stand.url, init as RequestInit);
      expect([answer.status, await answer.text()]).toEqual([200, "ok"]);
    }
  });

  it("with nobody listening the answer is that the app does not run", async () => {
    const stand = await open(echo());
    const { traffic } = stand;
    const gone = Object.assign(stand, {
      traffic: new (traffic.constructor as any)({ actors: [], functions: [] }, "/nowhere"),
    });
    const answer = await fetch(gone.url);
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
    traffic.cut();
  });
});

describe("what goes wrong", () => {
  it("no answer in time is a 504; one that stops half way is cut", async () => {
    const stand = await open(
      onRequest((socket, head) => {
        if (head.includes("/_do/room/1/half"))
          socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
      }),
    );
    stand.timeoutMs = 100;
    const late = await fetch(stand.url);
    expect([late.status, ((await late.json()) as any).error.code]).toEqual([504, "RUNTIME_TIMEOUT"]);
    const half = await fetch(`${stand.url}/half`);
    await expect(half.text()).rejects.toThrow();
    await eventually(() => stand.outcomes.length === 2);
    expect(stand.outcomes.map(({ end, status }) => [end, status])).toEqual([
      ["timeout", 504],
      ["timeout", 200],
    ]);
    await eventually(() => stand.accepted.every((socket) => socket.destroyed || socket.readableEnded));
  });

  it("the process is told when its caller goes away", async () => {
    let closed = false;
    const stand = await open(
      http.createServer((_request, response) => {
        response.on("close", () => {
          closed = true;
        });
        response.write("begin");
      }),
    );
    const abort = new AbortController();
    const answer = await fetch(stand.url, { signal: abort.signal });
    expect(answer.status).toBe(200);
    abort.abort();
    await eventually(() => closed && stand.outcomes.length === 1);
    expect(stand.outcomes[0]).toMatchObject({ end: "caller_gone", status: 200 });
    expect(stand.traffic.inFlight).toBe(0);
  });

  it("a caller that announces more than it sends does not make the process wait", async () => {
    const stand = await open(echo());
    const socket = net.connect(stand.port, "127.0.0.1");
    socket.write("POST /_do/room/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf");
    await eventually(() => stand.accepted.length === 1);
    socket.destroy();
    await eventually(() => stand.outcomes.length === 1 && stand.accepted[0]!.destroyed);
    expect(stand.outcomes[0]!.end).not.toBe("answered");
  });

  it("an answer before the body is complete reaches the caller", async () => {
    const stand = await open(
      onRequest((socket) => socket.write("HTTP/1.1 413 No\r\nContent-Length: 3\r\n\r\nbig")),
    );
    const socket = net.connect(stand.port, "127.0.0.1");
    socket.write("POST /_do/room/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf");
    const answer = await new Promise<string>((resolve) =>
      socket.on("data", (data) => resolve(data.toString())),
    );
    expect(answer).toMatch(/^HTTP\/1.1 413 No\r\n/);
    expect(answer).toMatch(/\r\n\r\nbig$/);
    expect((await fetch(stand.url)).status).toBe(413);
    socket.destroy();
    expect(stand.accepted.length).toBe(2);
  });

  it("paths of Ambit's own inside the process can't be reached", async () => {
    let requests = 0;
    const stand = await open(
      onRequest(() => {
        requests += 1;
      }),
    );
    const forged = (path: string, host: string) =>
      new Promise<string>((resolve) => {
        const socket = net.connect(stand.port, "127.0.0.1");
        socket.on("data", (data) => resolve(data.toString().slice(9, 12)));
        socket.write(`POST ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      });
    expect(await forged("/_ambit/inspect/room/name/1", "x")).toBe("400");
    expect(await forged("/_do/room/1", "x/_ambit/inspect/room/name/1?")).toBe("400");
    expect(requests).toBe(0);
  });
});

describe("request, for callers inside Ambit", () => {
  const exchange = (path: string) => ({
    requestId: "q",
    method: "GET",
    path,
    headers: ["host", "x"],
    body: null,
    timeoutMs: 5_000,
  });
  const target = { kind: "actor", unit: "room" } as const;

  it("gives head and body, and can be given up", async () => {
    const stand = await open(
      http.createServer((request, response) => {
        if (request.url!.endsWith("/wait")) return;
        response.end("hello");
      }),
    );
    const answer = await stand.traffic.request(target, exchange("/_do/room/1"));
    const chunks = await answer.body.toArray();
    expect([answer.status, Buffer.concat(chunks).toString()]).toEqual([200, "hello"]);
    const abort = new AbortController();
    const waiting = stand.traffic.request(target, exchange("/_do/room/1/wait"), abort.signal);
    setTimeout(() => abort.abort(), 20);
    await expect(waiting).rejects.toMatchObject({ code: "REQUEST_CANCELLED" });
    expect(stand.traffic.inFlight).toBe(0);
  });
});
