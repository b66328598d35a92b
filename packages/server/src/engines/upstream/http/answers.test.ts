import type { Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Metrics } from "../../../kernel/metrics.ts";
import type { Upstream } from "../types.ts";
import { call, hears, inSession, sent } from "./testing/listening.ts";
import { event, type RawServer, reply, result, STREAM_HEAD, startRawServer } from "./testing/raw-server.ts";
import { upstreamAt, type Wanted } from "./testing/upstream-at.ts";

let server: RawServer;
const open: Upstream[] = [];
const at = (wanted?: Wanted) => {
  const upstream = upstreamAt(server.port, wanted);
  open.push(upstream);
  return upstream;
};
beforeAll(async () => {
  server = await startRawServer(() => {});
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((upstream) => upstream.close()));
});
afterAll(() => server.stop());

const asking = inSession(call(1, "t"), { sessionId: "s" });
const telling = inSession({ jsonrpc: "2.0", method: "notifications/x" }, { sessionId: "s" });
/** The server gives the same bytes to everything. */
const gives = (bytes: string | Buffer, end = false) => {
  server.onRequest = (socket: Socket) => (end ? socket.end(bytes) : socket.write(bytes));
};
const json = (text: string | Buffer) => reply(200, "application/json; charset=utf-8", text);

describe("an answer as JSON", () => {
  it("is handed on in the very bytes it came in", async () => {
    const text = '{ "jsonrpc":"2.0","id":1, "result":{"n":12345678901234567890,"t":"\\u00fc ü","a":1.0} }';
    gives(json(text));
    const heard = await sent(at(), asking);
    expect(heard.heads).toEqual([{ status: 200, sessionId: null, streaming: false }]);
    expect(heard.messages).toMatchObject([{ text, eventId: null, parsed: { id: 1 } }]);
    expect([heard.ends, heard.failures]).toEqual([1, []]);
  });

  it.each([
    ["an array", "[]"],
    ["a text", '"x"'],
    ["null", "null"],
    ["nothing", ""],
    ["cut JSON", '{"jsonrpc":"2.0"'],
    ["two messages", "{}{}"],
    ["a byte order mark before it", "\ufeff{}"],
    ["bytes that are no UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
  ])("is refused when it is %s", async (_what, body) => {
    gives(json(body));
    const heard = await sent(at(), asking);
    expect(heard.failures).toMatchObject([{ kind: "body", status: 200, ran: "maybe" }]);
    expect([heard.heads, heard.messages, heard.ends]).toEqual([[], [], 0]);
  });

  it("may be large, but not larger than the limit, which is counted", async () => {
    const metrics = new Metrics();
    const wanted = { limits: { messageBytes: 200_000 }, metrics };
    gives(json(JSON.stringify(result(1, "x".repeat(190_000)))));
    const fits = await sent(at(wanted), asking);
    expect(fits.messages[0]!.text).toHaveLength(190_036);
    gives(json(JSON.stringify(result(1, "x".repeat(200_001)))));
    const heard = await sent(at(wanted), asking);
    expect(heard.failures).toMatchObject([{ kind: "too_large", ran: "maybe" }]);
    const hit = await metrics.limitsHit.get();
    expect(hit.values).toMatchObject([{ labels: { limit: "upstream_message_bytes" }, value: 1 }]);
  });

  it.each(["text/html", "text/plain", "application/json-seq", "application/octet-stream"])(
    "is not one when it is called %s",
    async (type) => {
      gives(reply(200, type, JSON.stringify(result(1))));
      const heard = await sent(at(), asking);
      expect(heard.failures).toMatchObject([{ kind: "body", status: 200 }]);
      expect(heard.messages).toEqual([]);
    },
  );

  it("is not taken packed, and not as 202", async () => {
    gives(reply(200, "application/json", JSON.stringify(result(1)), "content-encoding: gzip\r\n"));
    expect((await sent(at(), asking)).failures).toMatchObject([{ kind: "body" }]);
    gives(reply(202, "", ""));
    expect((await sent(at(), asking)).failures).toMatchObject([{ kind: "body", status: 202 }]);
  });

  it("may be announced, and names a new session", async () => {
    const announced = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
    const opened = reply(200, "application/json", JSON.stringify(result(1)), "Mcp-Session-Id: s-1\r\n");
    gives(Buffer.concat([Buffer.from(announced), opened]));
    expect((await sent(at(), asking)).heads).toMatchObject([{ status: 200, sessionId: "s-1" }]);
  });
});

describe("a notification", () => {
  it.each([
    ["202 without a body", reply(202, "", "")],
    ["202 with a word", reply(202, "text/plain", "Accepted")],
    ["204", Buffer.from("HTTP/1.1 204 No Content\r\n\r\n")],
  ])("is taken with %s, over one connection", async (_how, bytes) => {
    gives(bytes);
    const upstream = at();
    const before = server.connections();
    for (let times = 0; times < 3; times++) {
      const heard = await sent(upstream, telling);
      expect([heard.ends, heard.messages, heard.failures]).toEqual([1, [], []]);
      expect(heard.heads[0]!.status).toBeLessThan(300);
      // The rest of the body comes after the head.
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(server.connections() - before).toBe(1);
  });
});

describe("an answer as an event stream", () => {
  const progress = { jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: "ü€😀" } };
  const bytes = Buffer.from(
    `${STREAM_HEAD}: alive\r\n\r\nid: e1\r\ndata: ${JSON.stringify(progress)}\r\n\r\nevent: other\ndata: no JSON\n\n` +
      `retry: 5\n\nevent: message\nid: e2\ndata: {"jsonrpc":"2.0",\ndata: "id":1,"result":{}}\n\n`,
  );
  const expected = [
    { text: JSON.stringify(progress), eventId: "e1" },
    { text: '{"jsonrpc":"2.0",\n"id":1,"result":{}}', eventId: "e2" },
  ];

  it("is the same wherever the network cuts it", async () => {
    for (let place = 1; place < bytes.length; place++) {
      server.onRequest = (socket) => {
        socket.write(bytes.subarray(0, place));
        setImmediate(() => socket.end(bytes.subarray(place)));
      };
      const heard = hears();
      const upstream = at();
      await sent(upstream, asking, heard);
      expect(heard.messages).toMatchObject(expected);
      expect([heard.ends, heard.failures]).toEqual([1, []]);
      expect(heard.heads).toMatchObject([{ status: 200, streaming: true }]);
      await upstream.close();
    }
  });

  it("has no limit at 64 KB, and one for each message", async () => {
    gives(STREAM_HEAD + event(result(1, "x".repeat(3_000_000))), true);
    expect((await sent(at(), asking)).messages[0]!.text.length).toBeGreaterThan(3_000_000);
    gives(STREAM_HEAD + event({ method: "n" }) + event(result(1, "x".repeat(3_000_000))), true);
    const heard = await sent(at({ limits: { messageBytes: 1_000_000 } }), asking);
    expect(heard.messages).toHaveLength(1);
    expect(heard.failures).toMatchObject([{ kind: "too_large", status: 200, ran: "maybe" }]);
  });

  it("ends when the answer has come, whatever the server does then", async () => {
    gives(STREAM_HEAD + event(result(1)) + event({ method: "too late" }));
    const heard = await sent(at(), asking);
    expect([heard.ends, heard.messages.length]).toEqual([1, 1]);
  });

  it("passes nothing on that is no JSON object", async () => {
    for (const wrong of ["nonsense", "[]", "1"]) {
      gives(STREAM_HEAD + event({ method: "n" }) + event(wrong) + event(result(1)), true);
      const heard = await sent(at(), asking);
      expect(heard.messages.map(({ text }) => text)).toEqual(['{"method":"n"}']);
      expect(heard.failures).toMatchObject([{ kind: "body" }]);
    }
  });

  it("waits for a slow reader, and for its end too", async () => {
    gives(STREAM_HEAD + event({ n: 1 }) + event({ n: 2 }) + event(result(1)), true);
    const order: string[] = [];
    const heard = hears(async ({ text }) => {
      order.push(`begin ${text}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(heard.ends).toBe(0);
      order.push(`end ${text}`);
    });
    await sent(at(), asking, heard);
    const texts = [{ n: 1 }, { n: 2 }, result(1)].map((message) => JSON.stringify(message));
    expect(order).toEqual(texts.flatMap((text) => [`begin ${text}`, `end ${text}`]));
    expect(heard.ends).toBe(1);
  });

  it("does not let a server fill the memory of a gateway whose reader is slow", async () => {
    const large = event({ n: "x".repeat(60_000) });
    let written = 0;
    server.onRequest = (socket) => {
      socket.write(STREAM_HEAD);
      const more = () => {
        while (written < 2_000 && !socket.destroyed) {
          written += 1;
          if (!socket.write(large)) return void socket.once("drain", more);
        }
        if (!socket.destroyed) socket.end(event(result(1)));
      };
      more();
    };
    const { promise: gate, resolve: go } = Promise.withResolvers<void>();
    const heard = hears(() => gate);
    const done = sent(at(), asking, heard);
    await expect.poll(() => heard.messages.length).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(written).toBeLessThan(500);
    expect(heard.messages).toHaveLength(1);
    go();
    await done;
    expect(heard.messages).toHaveLength(2_001);
  });
});
