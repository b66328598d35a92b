import WebSocket from "ws";

export type Frame = { type: string; [field: string]: any };

/** A real WebSocket client that keeps every frame it got. */
export interface RealtimeClient {
  readonly frames: Frame[];
  /** Set once the socket is closed. */
  readonly closed: { code: number; reason: string } | undefined;
  send(frame: object | string): void;
  /** The first frame, past or future, for which `test` holds. */
  waitFor(test: (frame: Frame) => boolean, withinMs?: number): Promise<Frame>;
  /** Changes of a table so far. */
  changes(table?: string): Frame[];
  subscribe(table: string, filter?: object): Promise<void>;
  waitClosed(withinMs?: number): Promise<{ code: number; reason: string }>;
  close(): Promise<void>;
}

/** Connects to an app's realtime endpoint; rejects with the HTTP status when the upgrade is refused. */
export async function connectRealtime(
  apiUrl: string,
  appId: string,
  token: string | null,
  options: { header?: boolean } = {},
): Promise<RealtimeClient> {
  const query = token === null || options.header ? "" : `?token=${encodeURIComponent(token)}`;
  const url = `${apiUrl.replace("http", "ws")}/v1/${appId}/realtime${query}`;
  const socket = new WebSocket(url, options.header ? { headers: { authorization: `Bearer ${token}` } } : {});
  const frames: Frame[] = [];
  const watchers = new Set<() => void>();
  let closed: { code: number; reason: string } | undefined;
  const wake = () => {
    for (const watcher of [...watchers]) watcher();
  };
  socket.on("message", (data) => {
    frames.push(JSON.parse(String(data)));
    wake();
  });
  socket.on("close", (code, reason) => {
    closed = { code, reason: String(reason) };
    wake();
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("open", () => resolve());
    socket.once("unexpected-response", (_request, response) =>
      reject(new Error(`HTTP ${response.statusCode}`)),
    );
    socket.once("error", reject);
  });
  socket.on("error", () => {});
  const until = <T>(look: () => T | undefined, what: string, withinMs: number) =>
    new Promise<T>((resolve, reject) => {
      const check = () => {
        const found = look();
        if (found === undefined) return;
        watchers.delete(check);
        clearTimeout(timer);
        resolve(found);
      };
      const timer = setTimeout(() => {
        watchers.delete(check);
        reject(new Error(`no ${what} within ${withinMs} ms; got ${JSON.stringify(frames).slice(0, 2_000)}`));
      }, withinMs);
      watchers.add(check);
      check();
    });
  const client: RealtimeClient = {
    frames,
    get closed() {
      return closed;
    },
    send: (frame) => socket.send(typeof frame === "string" ? frame : JSON.stringify(frame)),
    waitFor: (test, withinMs = 10_000) => until(() => frames.find(test), "such frame", withinMs),
    changes: (table) =>
      frames.filter((frame) => frame.type === "change" && (table === undefined || frame.table === table)),
    async subscribe(table, filter) {
      const seen = frames.length;
      client.send({ type: "subscribe", table, ...(filter ? { filter } : {}) });
      await until(
        () => frames.slice(seen).find((frame) => frame.type === "subscribed" && frame.table === table),
        "subscribed frame",
        10_000,
      );
    },
    waitClosed: (withinMs = 10_000) => until(() => closed, "close", withinMs),
    async close() {
      if (closed === undefined) {
        socket.close(1000);
        await until(() => closed, "close", 5_000).catch(() => socket.terminate());
      }
    },
  };
  return client;
}
