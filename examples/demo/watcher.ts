import WebSocket from "ws";

/** How long the demo waits for a change before it gives up. */
const PATIENCE_MS = 10_000;

/** Someone who watches a table over a WebSocket. */
export interface Watcher {
  /** Forgets what was seen so far. */
  forget(): void;
  /** Resolves when something was seen since. */
  next(): Promise<void>;
  /** What was seen since, e.g. `UPDATE` or `INSERT enter`; `–` for nothing. */
  saw(): string;
  close(): void;
}

/** Connects and subscribes to `notes`; `token` is an access token, a key, or null for a guest. */
export async function watch(apiUrl: string, appId: string, token: string | null): Promise<Watcher> {
  const query = token === null ? "" : `?token=${encodeURIComponent(token)}`;
  const socket = new WebSocket(`${apiUrl.replace(/^http/, "ws")}/v1/${appId}/realtime${query}`);
  let seen: string[] = [];
  let wake = () => {};
  await new Promise<void>((resolve, reject) => {
    socket.on("error", reject);
    socket.on("open", () => socket.send(JSON.stringify({ type: "subscribe", table: "notes" })));
    socket.on("message", (data) => {
      const frame = JSON.parse(String(data));
      if (frame.type === "subscribed") resolve();
      if (frame.type !== "change") return;
      seen.push(frame.reason === undefined ? frame.op : `${frame.op} ${frame.reason}`);
      wake();
    });
  });
  return {
    forget: () => {
      seen = [];
    },
    saw: () => (seen.length === 0 ? "–" : seen.join(", ")),
    next: () =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error("no change arrived")), PATIENCE_MS);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
        if (seen.length > 0) wake();
      }),
    close: () => socket.close(),
  };
}
