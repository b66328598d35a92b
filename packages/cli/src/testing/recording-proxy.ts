import { createServer, type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";

interface Message {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: { readonly requestId?: string | number };
}

/** One HTTP request that passed. */
export interface Passed {
  readonly verb: string;
  /** The message, for POST. */
  readonly message: Message | null;
  readonly headers: IncomingMessage["headers"];
  /** Whether the client ended the exchange before its answer had ended. */
  isBrokenOff: boolean;
}

/** A reverse proxy before a port of this machine that keeps what passes. */
export async function startRecordingProxy(port: number) {
  const passed: Passed[] = [];
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk) => chunks.push(chunk));
    incoming.on("end", () => {
      const body = Buffer.concat(chunks);
      const { method: verb = "", headers, url: path } = incoming;
      const message = body.length === 0 ? null : JSON.parse(body.toString("utf8"));
      const entry: Passed = { verb, message, headers, isBrokenOff: false };
      passed.push(entry);
      const onward = request({ host: "127.0.0.1", port, path, method: verb, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        outgoing.flushHeaders();
        answer.pipe(outgoing);
      });
      onward.on("error", () => outgoing.destroy());
      outgoing.on("close", () => {
        entry.isBrokenOff = !outgoing.writableFinished;
        onward.destroy();
      });
      onward.end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    passed,
    /** Messages with this method that passed. */
    of: (method: string) => passed.filter(({ message }) => message?.method === method),
    /** Sessions that were ended. */
    ended: () =>
      passed.filter(({ verb }) => verb === "DELETE").map(({ headers }) => headers["mcp-session-id"]),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
