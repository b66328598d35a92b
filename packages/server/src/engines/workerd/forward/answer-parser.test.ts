import { describe, expect, it } from "vitest";
import type { AnswerHead } from "./answer-head.ts";
import { AnswerParser } from "./answer-parser.ts";

interface Read {
  head: AnswerHead | null;
  body: string;
  ended: boolean;
  last: boolean;
}

function parse(bytes: string, cut: number, method = "GET", closes = false): Read {
  const parser = new AnswerParser();
  const read: Read = { head: null, body: "", ended: false, last: false };
  parser.expect(method, {
    onHead: (head) => {
      read.head = head;
    },
    onBody: (chunk) => {
      read.body += chunk.toString("latin1");
    },
    onEnd: (last) => {
      read.ended = true;
      read.last = last;
    },
    onUpgrade: (head, rest) => {
      read.head = head;
      read.body += rest.toString("latin1");
    },
  });
  const all = Buffer.from(bytes, "latin1");
  for (let at = 0; at < all.length; at += cut) parser.push(Buffer.from(all.subarray(at, at + cut)));
  if (closes) parser.end();
  return read;
}

/** Each answer is read whole, and cut into pieces of every small size. */
const cuts = [1, 2, 3, 5, 7, 64, 100_000];
const each = (bytes: string, check: (read: Read) => void, method?: string, closes?: boolean) => {
  for (const cut of cuts) check(parse(bytes, cut, method, closes));
};

describe("an answer, cut anywhere", () => {
  it("with a length", () => {
    each("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello", (read) => {
      expect(read).toMatchObject({ body: "hello", ended: true, last: false });
      expect(read.head).toMatchObject({ status: 200, headers: ["Content-Length", "5", "X-A", "b"] });
    });
  });

  it("in chunks, with extensions and trailers", () => {
    const bytes =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n5;a=b\r\nhello\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n";
    each(bytes, (read) => {
      expect(read).toMatchObject({ body: "hello0123456789", ended: true, last: false });
      expect(read.head!.headers).toEqual([]);
    });
  });

  it("without a body: HEAD, 204, 304, length 0", () => {
    each("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", (read) => expect(read.ended).toBe(true), "HEAD");
    each("HTTP/1.1 204 No Content\r\n\r\n", (read) => expect(read.ended).toBe(true));
    each("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", (read) => expect(read.ended).toBe(true));
    each("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", (read) => expect(read.ended).toBe(true));
  });

  it("after interim answers", () => {
    each(
      "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!",
      (read) => expect(read).toMatchObject({ body: "!", ended: true }),
    );
  });

  it("until the connection closes", () => {
    each(
      "HTTP/1.1 200 OK\r\n\r\nrest",
      (read) => expect(read).toMatchObject({ body: "rest", ended: true, last: true }),
      "GET",
      true,
    );
  });

  it("that switches protocols: what follows is not read as HTTP", () => {
    const read = parse(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n\x81\x01a",
      1e6,
    );
    expect(read.head!.headers).toEqual(["Sec-WebSocket-Accept", "x"]);
    expect(read.body).toBe("\x81\x01a");
  });
});

describe("what is the hop's own is taken out", () => {
  it("with names the answer nominates, and the mark of waitUntil", () => {
    const head =
      "HTTP/1.1 200 OK\r\nConnection: close, X-Own\r\nX-Own: 1\r\nKeep-Alive: t\r\nx-ambit-waiting: 1\r\nX-User: 2\r\nContent-Length: 0\r\n\r\n";
    each(head, (read) => {
      expect(read.head).toMatchObject({ close: true, waiting: true });
      expect(read.head!.headers).toEqual(["X-User", "2", "Content-Length", "0"]);
      expect(read.last).toBe(true);
    });
  });
});

describe("what node's server would refuse to write", () => {
  it("becomes spaces, in values and in the reason", () => {
    const bytes = "HTTP/1.1 200 O\x01K\r\nX-A: a\x01b\x7fc\nd\re\r\nX-B: \xe9\t\r\nContent-Length: 0\r\n\r\n";
    each(bytes, ({ head }) => {
      expect(head!.reason).toBe("O K");
      expect(head!.headers).toEqual(["X-A", "a b c d e", "X-B", "\xe9", "Content-Length", "0"]);
    });
  });
});

describe("nonsense is refused, never guessed at", () => {
  it.each([
    ["no HTTP", "SSH-2.0-OpenSSH\r\n\r\n"],
    ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"],
    ["length and chunks", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ["negative length", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"],
    ["unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"],
    ["bad chunk size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n"],
    ["bad chunk end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n"],
    ["bytes behind the end", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab"],
    ["header without colon", "HTTP/1.1 200 OK\r\nhello\r\n\r\n"],
    ["endless head", `HTTP/1.1 200 OK\r\nX: ${"a".repeat(200_000)}`],
  ])("%s", (_name, bytes) => {
    expect(() => parse(bytes, 70_000)).toThrow();
  });
});
