import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { bodyOf, sendJson } from "./stage.ts";

/** A service of the inner network, at a port of its own that nobody has allowed. */
export interface InternalServer {
  readonly port: number;
  /** What came in: method, path and body of each request. */
  readonly requests: string[];
  close(): Promise<void>;
}

export async function startInternalServer(): Promise<InternalServer> {
  const requests: string[] = [];
  const server = createServer(async (request, response) => {
    requests.push(`${request.method} ${request.url} ${await bodyOf(request)}`);
    sendJson(response, { AccessKeyId: "AKIA-internal", SecretAccessKey: "secret" });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
