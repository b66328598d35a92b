import { createHash } from "node:crypto";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import WebSocket from "ws";

/** Where the classes of one app answer: bare workerd, or Ambit. */
export interface Host {
  /** `http://127.0.0.1:4711` */
  readonly origin: string;
  /** What stands before `<class>/<instance>`: `/_do/` or `/v1/<app>/do/`. */
  readonly prefix: string;
  /** `host:port` user code is told; where requests go by the app's own name, also what is sent. */
  readonly told: string;
  readonly byOwnName: boolean;
  /** Ends the process that runs the user code without warning, and sees to it that requests are answered again. */
  crash(): Promise<void>;
}

/** A whole answer. */
export interface Reply {
  readonly status: number;
  /** By lower-case name; several of one name are joined with `, `, `set-cookie` with `\n`. */
  readonly headers: Record<string, string>;
  readonly body: Buffer;
  readonly text: string;
  json<T = any>(): T;
}

export interface Options {
  readonly method?: string;
  readonly headers?: Record<string, string | string[]>;
  /** A body, or its pieces, each sent when it is due. */
  readonly body?: string | Buffer | AsyncIterable<string | Buffer>;
  /** What goes into the transcript. `status` where Ambit words the body its own way; `nothing` where order is chance. */
  readonly compare?: "all" | "status" | "nothing";
}

/** An answer whose body is read piece by piece. */
export interface Stream {
  readonly status: number;
  readonly headers: Record<string, string>;
  /** Reads on until the body so far contains `text`; resolves to everything so far. */
  until(text: string): Promise<string>;
  /** Reads to the end. */
  rest(): Promise<Buffer>;
  /** Goes away in the middle. */
  abort(): void;
}

/** One WebSocket; every frame asked for goes into the transcript under the socket's label. */
export interface Socket {
  readonly protocol: string;
  send(frame: string | Buffer): void;
  /** The next frame that came. */
  next(withinMs?: number): Promise<string | Buffer>;
  close(code?: number, reason?: string): void;
  /** How the socket ended; frames nobody asked for are written down before. */
  closed(withinMs?: number): Promise<{ code: number; reason: string }>;
}

/** What a program is driven with; the same on both sides. */
export interface Client {
  /** `path` is `<class>/<instance>[/rest][?query]`, sent byte for byte. */
  fetch(path: string, options?: Options): Promise<Reply>;
  stream(path: string, options?: Options): Promise<Stream>;
  /** Rejects with `HTTP <status>` when the upgrade is refused. */
  connect(path: string, options?: { label?: string; protocols?: string[] }): Promise<Socket>;
  /** Writes down something that is neither an answer nor a frame. */
  note(what: string, value: unknown): void;
  /** Asks until `done` holds for the answer; only the last answer is written down. */
  poll(path: string, done: (reply: Reply) => boolean, withinMs?: number): Promise<Reply>;
  wait(ms: number): Promise<void>;
  crash(): Promise<void>;
  /** Everything that happened, one line each; what names the side is replaced. */
  readonly transcript: readonly string[];
}

/** Headers that belong to the program; the rest belong to whoever carries the answer. */
const COMPARED = ["content-type", "location", "etag", "content-encoding", "cache-control", "content-length"];
const LONG = 400;

/** A client of one app, with an empty transcript. */
export function createClient(host: Host): Client {
  const lines: string[] = [];
  const write = (line: string) => lines.push(neutral(line, host));
  const record = (path: string, options: Options, reply: Pick<Reply, "status" | "headers" | "body">) => {
    const what = `${options.method ?? "GET"} ${path} → ${reply.status}`;
    if (options.compare === "nothing") return;
    if (options.compare === "status") write(what);
    else write(`${what} ${JSON.stringify(chosen(reply.headers))} ${show(reply.body)}`);
  };
  const client: Client = {
    transcript: lines,
    note: (what, value) => void write(`${what}: ${JSON.stringify(value)}`),
    wait: (ms) => sleep(ms),
    crash: () => host.crash(),
    async fetch(path, options = {}) {
      const reply = await exchange(host, path, options);
      record(path, options, reply);
      return reply;
    },
    async stream(path, options = {}) {
      const response = await send(host, path, options);
      const headers = flatten(response);
      write(
        `${options.method ?? "GET"} ${path} → ${response.statusCode} ${JSON.stringify(chosen(headers))} …`,
      );
      return streamOf(response, headers);
    },
    connect: (path, options = {}) => connect(host, path, options, write),
    async poll(path, done, withinMs = 15_000) {
      const deadline = Date.now() + withinMs;
      for (;;) {
        const reply = await exchange(host, path, {}).catch(() => null);
        if (reply !== null && done(reply)) {
          record(path, {}, reply);
          return reply;
        }
        if (Date.now() > deadline)
          throw new Error(`${path} never became so; last: ${reply?.status} ${reply?.text}`);
        await sleep(20);
      }
    },
  };
  return client;
}

/** Takes out what must differ: the address, and ids that hang on the class's generated key. */
function neutral(line: string, host: Host): string {
  return line
    .replaceAll(host.origin.replace("http://", ""), "HOST")
    .replaceAll(host.told, "HOST")
    .replace(/\b[0-9a-f]{64}\b/g, "ID")
    .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, "UUID");
}

function chosen(headers: Record<string, string>): Record<string, string> {
  const names = Object.keys(headers).filter((name) => COMPARED.includes(name) || name.startsWith("x-test-"));
  return Object.fromEntries(names.sort().map((name) => [name, headers[name]!]));
}

function show(body: Buffer): string {
  const text = body.toString("utf8");
  if (body.length <= LONG && Buffer.from(text, "utf8").equals(body)) return JSON.stringify(text);
  return `${body.length} bytes sha256:${createHash("sha256").update(body).digest("hex").slice(0, 32)}`;
}

async function exchange(host: Host, path: string, options: Options): Promise<Reply> {
  const response = await send(host, path, options);
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece as Buffer);
  const body = Buffer.concat(pieces);
  const text = body.toString("utf8");
  const parse = () => JSON.parse(text);
  return { status: response.statusCode!, headers: flatten(response), body, text, json: parse };
}

function send(host: Host, path: string, options: Options): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const { hostname, port } = new URL(host.origin);
  const request = httpRequest(
    {
      hostname,
      port,
      path: host.prefix + path,
      method: options.method ?? "GET",
      headers: { ...(host.byOwnName ? { host: host.told } : {}), ...options.headers },
      // One connection per request: a process that was killed leaves no half-dead one behind.
      agent: false,
    },
    resolve,
  );
  request.on("error", reject);
  const { body } = options;
  if (body === undefined || typeof body === "string" || Buffer.isBuffer(body)) request.end(body);
  else void pump(body, request).catch(reject);
  return promise;
}

async function pump(
  body: AsyncIterable<string | Buffer>,
  request: ReturnType<typeof httpRequest>,
): Promise<void> {
  for await (const piece of body) {
    if (!request.write(piece)) await new Promise((resolve) => request.once("drain", resolve));
  }
  request.end();
}

function flatten(response: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers))
    headers[name] = Array.isArray(value) ? value.join("\n") : (value ?? "");
  return headers;
}

function streamOf(response: IncomingMessage, headers: Record<string, string>): Stream {
  const pieces: Buffer[] = [];
  const iterator = response[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const soFar = () => Buffer.concat(pieces);
  return {
    status: response.statusCode!,
    headers,
    async until(text) {
      while (!soFar().includes(text)) {
        const { value, done } = await iterator.next();
        if (done) throw new Error(`the body ended without "${text}": ${soFar()}`);
        pieces.push(value);
      }
      return soFar().toString("utf8");
    },
    async rest() {
      for (;;) {
        const { value, done } = await iterator.next();
        if (done) return soFar();
        pieces.push(value);
      }
    },
    abort: () => response.destroy(),
  };
}

async function connect(
  host: Host,
  path: string,
  options: { label?: string; protocols?: string[] },
  write: (line: string) => void,
): Promise<Socket> {
  const url = `${host.origin.replace("http", "ws")}${host.prefix}${path}`;
  const label = options.label ?? path;
  const headers = host.byOwnName ? { host: host.told } : {};
  const socket = new WebSocket(url, options.protocols ?? [], { headers });
  const waiting: (string | Buffer)[] = [];
  let ended: { code: number; reason: string } | undefined;
  let wake = () => {};
  socket.on("message", (data, binary) => {
    waiting.push(binary ? (data as Buffer) : String(data));
    wake();
  });
  socket.on("close", (code, reason) => {
    ended = { code, reason: String(reason) };
    wake();
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("unexpected-response", (_request, response) => {
      write(`connect ${label} → ${response.statusCode}`);
      reject(new Error(`HTTP ${response.statusCode}`));
    });
    socket.once("error", reject);
  });
  socket.on("error", () => {});
  write(`connect ${label} → open ${socket.protocol}`);
  const until = async (ready: () => boolean, what: string, withinMs: number) => {
    const deadline = Date.now() + withinMs;
    while (!ready()) {
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`${label}: no ${what} within ${withinMs} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  };
  const take = () => {
    const frame = waiting.shift()!;
    write(`${label} < ${typeof frame === "string" ? show(Buffer.from(frame)) : `binary ${show(frame)}`}`);
    return frame;
  };
  return {
    protocol: socket.protocol,
    send: (frame) => socket.send(frame),
    close: (code, reason) => socket.close(code, reason),
    async next(withinMs = 10_000) {
      await until(() => waiting.length > 0 || ended !== undefined, "frame", withinMs);
      if (waiting.length === 0) throw new Error(`${label}: closed with ${ended!.code} ${ended!.reason}`);
      return take();
    },
    async closed(withinMs = 10_000) {
      await until(() => ended !== undefined, "close", withinMs);
      while (waiting.length > 0) take();
      write(`${label} closed ${ended!.code} ${JSON.stringify(ended!.reason)}`);
      return ended!;
    },
  };
}
