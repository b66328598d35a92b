import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

/** Everything an HTTP server of the library is on: one address of this machine, a path for each. */
export class Stage {
  readonly #server: Server;
  readonly #handlers = new Map<string, Handler>();
  #mounted = 0;

  private constructor(server: Server) {
    this.#server = server;
    server.on("request", (request, response) => {
      const name = (request.url ?? "").split(/[/?]/)[1] ?? "";
      const handler = this.#handlers.get(name);
      if (handler === undefined) response.writeHead(404).end();
      else handler(request, response);
    });
  }

  static async open(): Promise<Stage> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new Stage(server);
  }

  /** As in AMBIT_ALLOW_PRIVATE_FETCH. */
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Serves everything below a path of its own; the answer is its URL without a slash at the end. */
  mount(name: string, handler: Handler): string {
    this.#mounted += 1;
    const path = `${name}-${this.#mounted}`;
    this.#handlers.set(path, handler);
    return `http://${this.host}/${path}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** The whole body of a request. */
export async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

/** Answers with JSON. */
export function sendJson(
  response: ServerResponse,
  value: unknown,
  status = 200,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(typeof value === "string" ? value : JSON.stringify(value));
}
