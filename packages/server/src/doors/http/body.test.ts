import { connect } from "node:net";
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createLog } from "../../kernel/log.ts";
import { createHttpServer } from "./server.ts";

let server: FastifyInstance;
let url: string;

beforeAll(async () => {
  server = createHttpServer({
    log: createLog("silent"),
    baseDomain: "localhost",
    trustedProxies: 0,
    publicUrl: () => "http://127.0.0.1",
    findApp: async () => null,
  });
  server.post("/echo", { bodyLimit: 100 }, async (request) => ({ body: request.body ?? null }));
  url = await server.listen({ host: "127.0.0.1", port: 0 });
});
afterAll(() => server.close());

async function post(body: string | Buffer, contentType?: string) {
  const headers: Record<string, string> = contentType === undefined ? {} : { "content-type": contentType };
  const response = await fetch(`${url}/echo`, { method: "POST", headers, body: Buffer.from(body) });
  return { status: response.status, body: (await response.json()) as any };
}

describe("bodies", () => {
  it("are read as JSON with and without a content type, and as forms", async () => {
    expect((await post('{"a":1}', "application/json")).body).toEqual({ body: { a: 1 } });
    expect((await post('{"a":1}')).body).toEqual({ body: { a: 1 } });
    expect((await post('{"a":1}', "application/x-www-form-urlencoded")).body).toEqual({ body: { a: 1 } });
    expect((await post("a=1&b=x", "application/x-www-form-urlencoded")).body).toEqual({
      body: { a: "1", b: "x" },
    });
    expect((await post("", "application/json")).body).toEqual({ body: null });
  });

  it("are refused when they are no JSON, no UTF-8, or of another type", async () => {
    expect((await post("{", "application/json")).body.error.code).toBe("VALIDATION_INVALID_JSON");
    const broken = Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff]), Buffer.from('"}')]);
    expect((await post(broken, "application/json")).body.error.message).toContain("UTF-8");
    expect((await post("<a/>", "text/xml")).body.error.code).toBe("REQUEST_ERROR");
  });

  it("are refused over the limit, announced or not", async () => {
    expect(await post(`"${"x".repeat(200)}"`, "application/json")).toMatchObject({ status: 413 });
    const answer = await new Promise<string>((resolve) => {
      const { hostname, port } = new URL(url);
      const socket = connect(Number(port), hostname);
      let text = "";
      socket.on("data", (chunk) => {
        text += chunk;
      });
      socket.on("close", () => resolve(text));
      socket.write(
        "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
      );
      for (let n = 0; n < 20; n++) socket.write(`a\r\n${"y".repeat(10)}\r\n`);
      socket.write("0\r\n\r\n");
    });
    expect(answer).toContain("413 Payload Too Large");
    expect(answer).toContain("REQUEST_TOO_LARGE");
  });
});
