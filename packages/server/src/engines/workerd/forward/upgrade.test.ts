import { createHash } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { eventually } from "../supervisor/testing/fixture.ts";
import { onRequest, openStand, type Stand } from "./testing/stand.ts";

const opened: Stand[] = [];
const open = async (...args: Parameters<typeof openStand>) => {
  const stand = await openStand(...args);
  opened.push(stand);
  return stand;
};
afterEach(async () => {
  await Promise.all(opened.splice(0).map((stand) => stand.stop()));
});

/** A stand-in that speaks WebSocket; `begin` gets each socket. */
function sockets(begin: (ws: WebSocket) => void, protocol?: string): http.Server {
  const server = http.createServer();
  const wss = new WebSocketServer({ server, handleProtocols: () => protocol ?? false });
  wss.on("connection", (ws) => begin(ws));
  return server;
}

const connect = (stand: Stand, protocols: string[] = []) => {
  const ws = new WebSocket(stand.url.replace("http", "ws"), protocols);
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    ws.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  ws.on("error", () => {});
  const open = new Promise<void>((resolve) => ws.on("open", () => resolve()));
  return { ws, closed, open };
};

const ACCEPTED = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

describe("an upgraded socket", () => {
  it("sends nothing after the request before the process has switched, and all of it then", async () => {
    const received: string[] = [];
    const smuggled = "PUT /_do/vault/x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    for (const answer of ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno", ACCEPTED]) {
      const stand = await open((socket) => {
        let text = "";
        let answered = false;
        socket.on("data", (chunk) => {
          text += chunk.toString();
          if (answered) received.push(chunk.toString());
          else if (text.includes("\r\n\r\n")) {
            answered = true;
            received.push(text.slice(text.indexOf("\r\n\r\n") + 4));
            setTimeout(() => socket.write(answer), 50);
          }
        });
      });
      const client = net.connect(stand.port, "127.0.0.1");
      client.on("error", () => {});
      const head = "GET /_do/room/1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
      client.write(head + smuggled);
      setTimeout(() => client.write("later"), 20);
      const [text] = (await once(client, "data")) as [Buffer];
      expect(text.toString().slice(0, 12)).toBe(answer.slice(0, 12));
      if (answer === ACCEPTED) await eventually(() => received.join("") === `${smuggled}later`);
      else {
        await eventually(() => stand.outcomes.length === 1);
        expect(received.splice(0).join("")).toBe("");
      }
      client.destroy();
    }
  });

  it("is answered with the headers the door lets through", async () => {
    const accepted = ACCEPTED.replace("\r\n\r\n", "\r\nSet-Cookie: a=b\r\n\r\n");
    const stand = await open(onRequest((socket) => socket.write(accepted)));
    stand.upgradeOptions = {
      onHeaders: (status, headers) => [
        ...headers.filter((_, i) => headers[i - (i % 2)] !== "Set-Cookie"),
        "X-S",
        `${status}`,
      ],
    };
    const client = net.connect(stand.port, "127.0.0.1");
    client.write("GET /_do/room/1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    const [head] = (await once(client, "data")) as [Buffer];
    client.destroy();
    expect(head.toString()).toContain("\r\nX-S: 101\r\n");
    expect(head.toString()).not.toContain("Set-Cookie");
  });

  it("carries bytes both ways, large and small, and ends with the code of either side", async () => {
    const stand = await open(
      sockets((ws) =>
        ws.on("message", (data, binary) =>
          String(data) === "end" ? ws.close(4001, "enough") : ws.send(data, { binary }),
        ),
      ),
    );
    const { ws, closed, open: ready } = connect(stand);
    await ready;
    for (const size of [0, 1, 125, 126, 70_000, 2_000_000]) {
      const echoed = new Promise<Buffer>((resolve) => ws.once("message", (data) => resolve(data as Buffer)));
      ws.send(Buffer.alloc(size, 5));
      expect((await echoed).equals(Buffer.alloc(size, 5))).toBe(true);
    }
    expect([stand.traffic.sockets, stand.traffic.inFlight]).toEqual([1, 0]);
    ws.send("end");
    expect(await closed).toEqual({ code: 4001, reason: "enough" });
    await eventually(() => stand.outcomes.length === 1);
    expect(stand.outcomes[0]).toMatchObject({ status: 101, end: "answered" });
    expect(stand.outcomes[0]!.bytesIn).toBeGreaterThan(2_070_000);
    expect(stand.outcomes[0]!.bytesOut).toBeGreaterThan(2_070_000);
    expect(stand.traffic.sockets).toBe(0);
  });

  it("holds a fast sender back when the client does not read", async () => {
    let buffered = () => 0;
    const stand = await open(
      sockets((ws) => {
        for (let n = 0; n < 400; n += 1) ws.send(Buffer.alloc(256 * 1024));
        buffered = () => ws.bufferedAmount;
      }),
    );
    const { ws, open: ready } = connect(stand);
    let received = 0;
    ws.on("message", () => {
      received += 1;
    });
    await ready;
    ws.pause();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(buffered()).toBeGreaterThan(50 * 1024 * 1024); // 100 MB in all: most of it waits where it comes from
    ws.resume();
    await eventually(() => received === 400);
    ws.terminate();
  });

  it("the process learns that the client is gone", async () => {
    const codes: number[] = [];
    const stand = await open(sockets((ws) => ws.on("close", (code) => codes.push(code))));
    const { ws, open: ready } = connect(stand);
    await ready;
    ws.terminate();
    await eventually(() => codes.length === 1 && stand.outcomes.length === 1);
    expect(codes).toEqual([1006]);
  });

  it("passes half-close on: what the server sends after the client's end arrives", async () => {
    const stand = await open((socket) => {
      socket.once("data", () => socket.write(ACCEPTED));
      socket.on("end", () => socket.end("\x81\x04late"));
    });
    const client = net.connect({ port: stand.port, host: "127.0.0.1", allowHalfOpen: true });
    client.write("GET /_do/room/1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    let text = "";
    client.on("data", (data) => {
      if (text === "") client.end();
      text += data.toString("latin1");
    });
    await eventually(() => text.endsWith("late"));
  });
});

describe("sub-protocols", () => {
  it("the door's choice is named when user code chose none", async () => {
    const stand = await open(onRequest((socket) => socket.write(ACCEPTED)));
    stand.upgradeOptions = { selectProtocol: "ambit.token" };
    const answer = await handshake(stand);
    expect(answer).toContain("Sec-WebSocket-Protocol: ambit.token\r\n");
  });

  it("user code's choice stays", async () => {
    const stand = await open(sockets(() => {}, "chat"));
    stand.upgradeOptions = { selectProtocol: "ambit.token" };
    const { ws, open: ready } = connect(stand, ["ambit.token", "chat"]);
    await ready;
    expect(ws.protocol).toBe("chat");
    ws.terminate();
  });
});

describe("an upgrade that is refused", () => {
  it("is a plain answer, with the door's headers", async () => {
    const stand = await open(
      onRequest((socket) =>
        socket.write(
          "HTTP/1.1 403 Forbidden\r\nX-Why: a\r\nContent-Security-Policy: none\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
        ),
      ),
    );
    stand.upgradeOptions = {
      onHeaders: (_status, headers) => [
        ...headers.filter((_, at) => !/^content-security/i.test(headers[at - (at % 2)]!)),
        ...["Content-Security-Policy", "sandbox"],
      ],
    };
    const answer = await handshake(stand);
    expect(answer).toContain(
      "HTTP/1.1 403 Forbidden\r\nX-Why: a\r\nContent-Security-Policy: sandbox\r\nConnection: close\r\n\r\nno",
    );
    await eventually(() => stand.traffic.sockets + stand.traffic.inFlight === 0);
  });

  it("a process that says nothing, or goes away, is an error of ours", async () => {
    const stand = await open(
      onRequest((socket, head) => {
        if (head.includes("x-die")) socket.destroy();
      }),
    );
    stand.timeoutMs = 100;
    expect(await handshake(stand)).toContain("504 Gateway Timeout");
    expect(await handshake(stand, "x-die: 1\r\n")).toContain("RUNTIME_STOPPED");
  });
});

describe("when the process goes away", () => {
  it("clients get 1012 between two frames", async () => {
    const stand = await open(sockets((ws) => ws.send("hi")));
    const { closed, open: ready } = connect(stand);
    await ready;
    stand.traffic.closeSockets();
    expect(await closed).toEqual({ code: 1012, reason: "service restart" });
    await eventually(() => stand.outcomes.length === 1);
    expect(stand.outcomes[0]!.end).toBe("process_lost");
  });

  it("a frame under way is completed first", async () => {
    let server: net.Socket | undefined;
    const stand = await open((socket) => {
      server = socket;
      socket.once("data", (data) => {
        const key = /sec-websocket-key: (.*)\r\n/i.exec(data.toString())![1]!;
        socket.write(`${ACCEPTED.slice(0, -2)}Sec-WebSocket-Accept: ${acceptOf(key)}\r\n\r\n`);
        socket.write("\x82\x05ab", "latin1");
      });
    });
    const { ws, closed, open: ready } = connect(stand);
    const messages: string[] = [];
    ws.on("message", (data) => messages.push(String(data)));
    await ready;
    await eventually(() => stand.traffic.sockets === 1);
    stand.traffic.closeSockets();
    expect(messages).toEqual([]);
    server!.write("cde\x82\x01z", "latin1");
    expect((await closed).code).toBe(1012);
    expect(messages[0]).toBe("abcde");
  });

  it("a socket that ends before the loss is known gets 1012 too; one that user code drops does not", async () => {
    const stand = await open(sockets((ws) => setTimeout(() => ws.terminate(), 50)));
    const dropped = connect(stand);
    expect((await dropped.closed).code).toBe(1006);
    const lost = connect(stand);
    await lost.open;
    for (const socket of stand.accepted) socket.destroy();
    stand.traffic.lose();
    expect((await lost.closed).code).toBe(1012);
  });
});

async function handshake(stand: Stand, more = ""): Promise<string> {
  const client = net.connect(stand.port, "127.0.0.1");
  client.write(
    `GET /_do/room/1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${more}\r\n`,
  );
  let text = "";
  client.on("data", (data) => {
    text += data.toString("latin1");
  });
  await Promise.race([
    new Promise((resolve) => client.on("close", resolve)),
    eventually(() => text.startsWith("HTTP/1.1 101") && text.endsWith("\r\n\r\n")).catch(() => {}),
  ]);
  client.destroy();
  return text;
}

function acceptOf(key: string): string {
  return createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
}
