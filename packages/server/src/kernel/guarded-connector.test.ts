import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Client } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createGuardedConnector } from "./guarded-connector.ts";

/** The same port at two addresses of this machine, so that one sees which of them was called. */
let servers: Server[];
let port: number;

async function serveAt(host: string, wanted: number): Promise<Server> {
  const server = createServer(
    (_request, response) => void response.setHeader("connection", "close").end(host),
  );
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(wanted, host, resolve));
  return server;
}
beforeAll(async () => {
  const first = await serveAt("127.0.0.1", 0);
  port = (first.address() as AddressInfo).port;
  servers = [first, await serveAt("127.0.0.2", port)];
});
afterAll(() => Promise.all(servers.map((server) => new Promise((done) => server.close(done)))));

const at = (address: string) => ({ address, family: 4 });

async function called(url: string, connect: ReturnType<typeof createGuardedConnector>): Promise<string> {
  const client = new Client(url, { connect, allowH2: false });
  try {
    const response = await client.request({ path: "/", method: "GET" });
    return await response.body.text();
  } finally {
    await client.destroy();
  }
}

describe("connections that are kept", () => {
  it("go to the address that was looked up for them, in one lookup each", async () => {
    const answers = [at("127.0.0.1"), at("127.0.0.2")];
    let asked = 0;
    const connect = createGuardedConnector({
      allowPrivate: [`APP.test:${port}`],
      connectMs: 1_000,
      resolve: async () => [answers[asked++ % 2]!],
    });
    expect(await called(`http://app.test:${port}`, connect)).toBe("127.0.0.1");
    expect(await called(`http://app.test:${port}`, connect)).toBe("127.0.0.2");
    expect(asked).toBe(2);
  });

  it.each(["127.0.0.1", "[::1]", "app.test"])("never go to %s by themselves", async (host) => {
    const connect = createGuardedConnector({
      allowPrivate: [`${host}:1`],
      connectMs: 1_000,
      resolve: async () => [at("1.1.1.1"), at("127.0.0.1")],
    });
    await expect(called(`http://${host}:${port}`, connect)).rejects.toMatchObject({
      code: "EXTERNAL_ADDRESS_REFUSED",
    });
  });

  it("are given up when the lookup fails, or takes too long", async () => {
    const failing = createGuardedConnector({
      allowPrivate: [],
      connectMs: 1_000,
      resolve: () => Promise.reject(Object.assign(new Error("no such name"), { code: "ENOTFOUND" })),
    });
    await expect(called("http://app.test", failing)).rejects.toMatchObject({ code: "ENOTFOUND" });
    const none = createGuardedConnector({ allowPrivate: [], connectMs: 1_000, resolve: async () => [] });
    await expect(called("http://app.test", none)).rejects.toThrow();
    const slow = createGuardedConnector({
      allowPrivate: [],
      connectMs: 50,
      resolve: () => new Promise(() => {}),
    });
    await expect(called("http://app.test", slow)).rejects.toMatchObject({ code: "UND_ERR_CONNECT_TIMEOUT" });
  });
});
