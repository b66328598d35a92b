import WebSocket from "ws";

/** An open stream of the substrate, or one that was closed at once. */
export interface Stream {
  readonly frames: any[];
  /** When it was closed, by `performance.now()`. */
  readonly closed: Promise<{ code: number; reason: string; atMs: number }>;
  waitFor(test: (frame: any) => boolean, withinMs?: number): Promise<any>;
  close(): void;
}

/** How the caller shows who it is. */
export type Credential =
  | { readonly token: string }
  | { readonly ticket: string }
  | { readonly bearer: string };

/** Opens `/v1/me/substrate/stream`. Every upgrade is taken; who may not listen is sent a close frame. */
export async function openStream(apiUrl: string, credential: Credential): Promise<Stream> {
  const { bearer, ...query } = { bearer: undefined, ...credential } as Record<string, string | undefined>;
  const url = `${apiUrl.replace("http", "ws")}/v1/me/substrate/stream?${new URLSearchParams(query as never)}`;
  const headers = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
  const socket = new WebSocket(url, { headers });
  const frames: any[] = [];
  const watchers = new Set<() => void>();
  socket.on("message", (data) => {
    frames.push(JSON.parse(String(data)));
    for (const watcher of [...watchers]) watcher();
  });
  const closed = new Promise<{ code: number; reason: string; atMs: number }>((resolve) =>
    socket.on("close", (code, reason) => resolve({ code, reason: String(reason), atMs: performance.now() })),
  );
  await new Promise<void>((resolve, reject) => {
    socket.once("open", () => resolve());
    socket.once("error", reject);
  });
  return {
    frames,
    closed,
    waitFor: (test, withinMs = 10_000) =>
      new Promise((resolve, reject) => {
        const check = () => {
          const frame = frames.find(test);
          if (frame === undefined) return;
          clearTimeout(timer);
          watchers.delete(check);
          resolve(frame);
        };
        const timer = setTimeout(() => {
          watchers.delete(check);
          reject(new Error(`no such frame within ${withinMs} ms; got ${JSON.stringify(frames)}`));
        }, withinMs);
        watchers.add(check);
        check();
      }),
    close: () => socket.close(),
  };
}

/** A stream that shows something already. */
export async function listening(apiUrl: string, credential: Credential): Promise<Stream> {
  const stream = await openStream(apiUrl, credential);
  await Promise.race([stream.waitFor((frame) => frame.type === "hello"), refusedBy(stream)]);
  return stream;
}

async function refusedBy(stream: Stream): Promise<never> {
  const { code, reason } = await stream.closed;
  throw new Error(`the stream was closed: ${code} ${reason}`);
}
