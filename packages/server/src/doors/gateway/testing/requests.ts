import { connect } from "node:net";
import { TOKEN } from "./stand.ts";

export const VERSION = "2026-07-28";
const PREFIX = "io.modelcontextprotocol";

export const envelope = (capabilities: object = {}) => ({
  [`${PREFIX}/protocolVersion`]: VERSION,
  [`${PREFIX}/clientCapabilities`]: capabilities,
});

/** A request of the stateless era. */
export const stateless = (method: string, params: object = {}, capabilities: object = {}) => ({
  jsonrpc: "2.0",
  id: 7,
  method,
  params: { ...params, _meta: envelope(capabilities) },
});

/** The headers it needs. */
export const repeats = (method: string, name?: string): Record<string, string> => ({
  "mcp-protocol-version": VERSION,
  "mcp-method": method,
  ...(name === undefined ? {} : { "mcp-name": name }),
});

/** A request of the era with sessions. */
export const legacy = (method: string, params?: object) => ({
  jsonrpc: "2.0",
  id: "a1",
  method,
  ...(params === undefined ? {} : { params }),
});

export const callOf = (name: string, args?: object) => ({
  name,
  ...(args === undefined ? {} : { arguments: args }),
});

/** One POST; `body` is sent as it is when it is a text or bytes. */
export function post(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
  init: RequestInit = {},
): Promise<Response> {
  return fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      authorization: `Bearer ${TOKEN}`,
      ...headers,
    },
    body: typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body),
    ...init,
  } as RequestInit);
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
type Whatever = any;

export async function json(
  answer: Response | Promise<Response>,
): Promise<{ status: number; body: Whatever }> {
  const response = await answer;
  return { status: response.status, body: await response.json() };
}

/** Events of a stream, as a client reads them. */
export async function* eventsOf(response: Response): AsyncGenerator<{ id: string | null; data: Whatever }> {
  let pending = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body!) {
    pending += decoder.decode(chunk as Uint8Array, { stream: true });
    for (let end = pending.indexOf("\n\n"); end !== -1; end = pending.indexOf("\n\n")) {
      const lines = pending.slice(0, end).split("\n");
      pending = pending.slice(end + 2);
      const data = lines.filter((line) => line.startsWith("data: ")).map((line) => line.slice(6));
      if (data.length === 0) continue;
      const id = lines.find((line) => line.startsWith("id: "))?.slice(4) ?? null;
      yield { id, data: JSON.parse(data.join("\n")) };
    }
  }
}

export async function allEvents(response: Response) {
  const all = [];
  for await (const event of eventsOf(response)) all.push(event);
  return all;
}

/**
 * What comes back for exactly these bytes, written in these pieces, until the other side closes; `ends`: this side says
 * after them that it sends no more.
 */
export function raw(port: number, pieces: readonly (string | Uint8Array)[], ends = false): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    let got = "";
    socket.setTimeout(15_000, () => socket.destroy(new Error("no answer")));
    socket.on("data", (chunk) => {
      got += chunk.toString("latin1");
    });
    socket.on("error", (error) => (got === "" ? reject(error) : resolve(got)));
    socket.on("end", () => socket.end());
    socket.on("close", () => resolve(got));
    socket.on("connect", () => {
      socket.setNoDelay(true);
      const write = (at: number) => {
        if (at === pieces.length) {
          if (ends) socket.end();
        } else socket.write(pieces[at]!, () => setImmediate(write, at + 1));
      };
      write(0);
    });
  });
}
