import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import pino from "pino";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { App } from "../../kernel/operation.ts";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import type { FunctionDoorDeps } from "./deps.ts";
import { limits } from "./limits.ts";
import { createLogStreamLane } from "./log-stream-lane.ts";

const app = { id: "app_a", organizationId: "o1", allowedOrigins: [] } as unknown as App;
const principal = { kind: "key", organizationId: "o1", role: "owner", scopes: ["*"], expiresAtMs: null };
/** Looking an app up takes until this is called. */
let answer = () => {};
let looked = Promise.resolve();
let listeners = 0;

const lane = createLogStreamLane({
  functions: {
    find: async () => {
      await looked;
      return { app, revision: "1", byEvent: new Map(), byName: new Map([["f", { app, name: "f" }]]) };
    },
  },
  runtime: {
    onLog: () => {
      listeners += 1;
      return () => {
        listeners -= 1;
      };
    },
  },
  resolvePrincipal: async () => principal as unknown as KeyPrincipal,
  clock: Date.now,
  log: pino({ level: "silent" }),
  baseDomain: "localhost",
  trustedProxies: 0,
  publicUrl: () => "http://localhost",
} as unknown as FunctionDoorDeps);
let closed = 0;
const server = createServer((request, response) => {
  response.once("close", () => {
    closed += 1;
  });
  lane.handle(request, response, request.url!);
});
beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
afterAll(() => {
  lane.close();
  server.close();
});
const port = () => (server.address() as AddressInfo).port;
const path = "/v1/app_a/functions/f/logs/stream";

it("keeps nothing of readers who left before they were let in", async () => {
  looked = new Promise((resolve) => {
    answer = resolve;
  });
  for (let reader = 0; reader < limits.logStreamsPerApp; reader += 1) {
    const socket = connect(port(), "127.0.0.1", () =>
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`, () => socket.destroy()),
    );
  }
  await expect.poll(() => closed).toBe(limits.logStreamsPerApp);
  answer();
  await looked;
  const response = await fetch(`http://127.0.0.1:${port()}${path}`);
  expect(response.status).toBe(200);
  expect(listeners).toBe(1);
  await response.body!.cancel();
  await expect.poll(() => listeners).toBe(0);
});
