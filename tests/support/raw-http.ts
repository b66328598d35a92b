import { connect } from "node:net";

export interface RawAnswer {
  /** 0 when the connection was closed without an answer. */
  readonly status: number;
  /** Status line and headers as they came, in lower case. */
  readonly head: string;
  readonly body: string;
}

/**
 * Sends bytes as they are and reads until the other side closes: for request lines and headers that no client library
 * would send. A `connection: close` header is added.
 */
export function rawHttp(
  apiUrl: string,
  requestLine: string,
  headers: readonly string[] = [],
  body = "",
  withinMs = 10_000,
): Promise<RawAnswer> {
  const { hostname, port } = new URL(apiUrl);
  const own = headers.some((line) => /^host:/i.test(line)) ? [] : [`host: ${hostname}:${port}`];
  const length = body === "" ? [] : [`content-length: ${Buffer.byteLength(body)}`];
  const bytes = [requestLine, ...own, ...headers, ...length, "connection: close", "", body].join("\r\n");
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    const socket = connect(Number(port), hostname, () => socket.write(bytes, "latin1"));
    socket.setTimeout(withinMs, () => socket.destroy(new Error(`no answer to ${requestLine.slice(0, 100)}`)));
    socket.on("data", (piece) => pieces.push(piece));
    const done = () => {
      const text = Buffer.concat(pieces).toString("latin1");
      const end = text.indexOf("\r\n\r\n");
      const head = text.slice(0, Math.max(0, end)).toLowerCase();
      const rest = end < 0 ? "" : text.slice(end + 4);
      const body = head.includes("transfer-encoding: chunked") ? withoutChunks(rest) : rest;
      resolve({
        status: Number(/^http\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0),
        head,
        body: Buffer.from(body, "latin1").toString(),
      });
    };
    socket.on("end", done);
    socket.on("close", done);
    socket.on("error", (error: NodeJS.ErrnoException) =>
      error.code === "ECONNRESET" || error.code === "EPIPE" ? done() : reject(error),
    );
  });
}

function withoutChunks(text: string): string {
  let rest = text;
  let whole = "";
  for (;;) {
    const line = rest.indexOf("\r\n");
    const size = Number.parseInt(rest.slice(0, line), 16);
    if (!(size > 0)) return whole;
    whole += rest.slice(line + 2, line + 2 + size);
    rest = rest.slice(line + 4 + size);
  }
}
