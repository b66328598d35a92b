import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Lane } from "./lane.ts";

const END_OF_HEAD = Buffer.from("\r\n\r\n");
/** As the servers that are measured write it. */
const LENGTH_NAMES = ["content-length: ", "Content-Length: "].map((name) => Buffer.from(`\r\n${name}`));
const ZERO = 48;
const NINE = 57;

/**
 * An HTTP/1.1 connection that is kept open, as cheap as it can be, so that the generator takes little from the servers
 * it shares the machine with: the request is bytes made once, the answer is cut by RFC 9112 §6 and not looked at
 * further than its status.
 */
export class HttpLane implements Lane {
  readonly #socket: Socket;
  readonly #request: Buffer;
  #received: Buffer = Buffer.alloc(0);
  #waiting: { resolve(body: string): void; reject(error: Error): void } | undefined;

  private constructor(socket: Socket, request: string) {
    this.#socket = socket;
    this.#request = Buffer.from(request);
    socket.on("data", (chunk) => this.#take(chunk));
    socket.on("close", () => this.#fail("the server closed the connection"));
    socket.on("error", (error) => this.#fail(error.message));
  }

  static async connect(host: string, port: number, request: string): Promise<HttpLane> {
    const socket = connect({ host, port, noDelay: true });
    await once(socket, "connect");
    return new HttpLane(socket, request);
  }

  call(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(this.#request);
    });
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const answer = readAnswer(this.#received);
    if (answer === null) return;
    this.#received = Buffer.alloc(0);
    if (answer.status === 200) this.#waiting?.resolve(answer.body);
    else this.#fail(`status ${answer.status}: ${answer.body.slice(0, 1_000)}`);
  }

  #fail(problem: string): void {
    this.#waiting?.reject(new Error(problem));
  }
}

/**
 * The answer at the start of `bytes`; null while it is not complete. Throws when its length can't be told. Runs once per
 * request of a load: it looks for the length in the bytes and makes no text of the head.
 */
export function readAnswer(bytes: Buffer): { status: number; body: string } | null {
  const headEnd = bytes.indexOf(END_OF_HEAD);
  if (headEnd === -1) return null;
  const status = (bytes[9]! - ZERO) * 100 + (bytes[10]! - ZERO) * 10 + (bytes[11]! - ZERO);
  const bodyStart = headEnd + 4;
  for (const name of LENGTH_NAMES) {
    const at = bytes.indexOf(name);
    if (at === -1 || at > headEnd) continue;
    let length = 0;
    for (let i = at + name.length; bytes[i]! >= ZERO && bytes[i]! <= NINE; i += 1)
      length = length * 10 + bytes[i]! - ZERO;
    const end = bodyStart + length;
    return bytes.length < end ? null : { status, body: bytes.toString("utf8", bodyStart, end) };
  }
  const head = bytes.toString("latin1", 0, headEnd);
  if (!/\r\ntransfer-encoding: *chunked/i.test(head))
    throw new Error(`an answer of no known length: ${head}`);
  const body = readChunks(bytes, bodyStart);
  return body === null ? null : { status, body };
}

/** RFC 9112 §7.1, without trailers; null while the last chunk is not there. */
function readChunks(bytes: Buffer, start: number): string | null {
  const parts: Buffer[] = [];
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd === -1) return null;
    const size = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
    const end = lineEnd + 2 + size;
    if (bytes.length < end + 2) return null;
    if (size === 0) return Buffer.concat(parts).toString("utf8");
    parts.push(bytes.subarray(lineEnd + 2, end));
    at = end + 2;
  }
}
