import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { call, inSession, sent } from "./testing/listening.ts";
import { type RawServer, reply, result, startRawServer } from "./testing/raw-server.ts";
import { upstreamAt } from "./testing/upstream-at.ts";

let server: RawServer;
beforeAll(async () => {
  server = await startRawServer((socket) => {
    socket.write(reply(200, "application/json", JSON.stringify(result(1))));
  });
});
beforeEach(() => {
  server.requests.length = 0;
});
afterAll(() => server.stop());

const asking = inSession(call(1, "t"), { sessionId: "s" });
const loopback = { address: "127.0.0.1", family: 4 };

describe("which addresses are called", () => {
  it.each(["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0.0.0.0", "169.254.169.254"])(
    "never %s, unless the operator names it",
    async (host) => {
      const upstream = upstreamAt(server.port, { host, allowPrivate: [] });
      const heard = await sent(upstream, asking);
      expect(heard.failures).toMatchObject([{ kind: "connect", status: null, ran: "no" }]);
      expect(heard.failures[0]!.message).toContain("not a public address");
      expect(server.requests).toEqual([]);
      await upstream.close();
    },
  );

  it("never one that a name leads to, not even beside public ones", async () => {
    for (const others of [[], [{ address: "93.184.216.34", family: 4 }]]) {
      const resolve = async () => [...others, loopback];
      const upstream = upstreamAt(server.port, { host: "app.test", allowPrivate: [], resolve });
      expect((await sent(upstream, asking)).failures).toMatchObject([{ kind: "connect", ran: "no" }]);
      await upstream.close();
    }
    expect(server.requests).toEqual([]);
  });

  it("checked anew for every connection: a name server that changes its answer gains nothing", async () => {
    let asked = 0;
    const resolve = async () => {
      asked += 1;
      return asked === 1 ? [{ address: "203.0.113.1", family: 4 }] : [loopback];
    };
    const upstream = upstreamAt(server.port, { host: "app.test", allowPrivate: [], resolve });
    for (let times = 0; times < 2; times++) {
      expect((await sent(upstream, asking)).failures).toMatchObject([{ kind: "connect", ran: "no" }]);
    }
    expect(asked).toBe(2);
    expect(server.requests).toEqual([]);
    await upstream.close();
  });

  it("only the port that the operator named", async () => {
    const upstream = upstreamAt(server.port, { allowPrivate: [`127.0.0.1:${server.port + 1}`, "127.0.0.1"] });
    expect((await sent(upstream, asking)).failures).toMatchObject([{ kind: "connect", ran: "no" }]);
    await upstream.close();
  });
});

describe("connections", () => {
  it("are kept and used again, and the name is looked up for new ones alone", async () => {
    let asked = 0;
    const resolve = async () => {
      asked += 1;
      return [loopback];
    };
    const before = server.connections();
    const upstream = upstreamAt(server.port, { host: "app.test", resolve });
    for (let times = 0; times < 5; times++) expect((await sent(upstream, asking)).ends).toBe(1);
    // Two, because one is not free again in the very moment its answer ends.
    expect(server.connections() - before).toBeLessThanOrEqual(2);
    expect(server.connections() - before).toBe(asked);
    await Promise.all([1, 2, 3].map(() => sent(upstream, asking)));
    expect(server.connections() - before).toBe(asked);
    expect(asked).toBeLessThanOrEqual(4);
    expect(server.requests[0]!.headers.host).toBe(`app.test:${server.port}`);
    await upstream.close();
  });
});

describe("what is sent", () => {
  it("says what the message says, and nothing of the client's own headers", async () => {
    const upstream = upstreamAt(server.port, {
      path: "/mcp?tenant=1",
      headers: async () => ({
        Authorization: "Bearer of-the-server",
        "X-Api-Key": "k",
        Host: "evil.test",
        "Content-Length": "1",
        "Mcp-Session-Id": "evil",
        "Transfer-Encoding": "chunked",
      }),
    });
    const headers = {
      authorization: "Bearer of-the-client",
      cookie: "c=1",
      "x-forwarded-for": "10.0.0.1",
      forwarded: "for=x",
      "mcp-method": "tools/list",
      "mcp-protocol-version": "2025-11-25",
      "mcp-param-region": "eu",
    };
    await sent(upstream, { ...asking, headers });
    const request = server.requests[0]!;
    expect(request).toMatchObject({
      method: "POST",
      path: "/mcp?tenant=1",
      body: JSON.stringify(asking.message),
    });
    expect(request.headers).toEqual({
      host: `127.0.0.1:${server.port}`,
      connection: "keep-alive",
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      "accept-encoding": "identity",
      "user-agent": "Ambit",
      "mcp-protocol-version": "2025-11-25",
      "mcp-session-id": "s",
      "mcp-param-region": "eu",
      authorization: "Bearer of-the-server",
      "x-api-key": "k",
      "content-length": String(Buffer.byteLength(request.body)),
    });
    await upstream.close();
  });
});
