import { afterAll, expect, it } from "vitest";
import { z } from "zod";
import { limits } from "../../kernel/limits.ts";
import { createLog } from "../../kernel/log.ts";
import { type AnyOperation, platformOperation } from "../../kernel/operation.ts";
import type { Pipeline } from "../../kernel/pipeline.ts";
import { ANONYMOUS, type KeyPrincipal } from "../../kernel/principal.ts";
import { registerOperationRoutes } from "./operation-routes.ts";
import { createHttpServer } from "./server.ts";

const echo = (name: string, right: "public" | "view"): AnyOperation =>
  platformOperation({
    name: `test.${name}`,
    title: "Echo",
    summary: "Answers what the pipeline was given.",
    input: z.object({}),
    output: z.looseObject({}),
    right,
    risk: "read",
    idempotent: true,
    http: { method: "POST", path: `/${name}/:id` },
    run: async () => ({}),
  });

let asked: Record<string, unknown>[] = [];
const pipeline: Pipeline = async (_operation, call, input) => {
  asked.push(input);
  return { kind: call.principal.kind };
};
const fastify = createHttpServer({
  log: createLog("silent"),
  baseDomain: "localhost",
  trustedProxies: 0,
  publicUrl: () => "http://127.0.0.1:4000",
  findApp: async () => null,
});
registerOperationRoutes(fastify, {
  operations: [echo("open", "public"), echo("closed", "view")],
  pipeline,
  resolvePrincipal: async (authorization) =>
    authorization === undefined ? ANONYMOUS : ({ kind: "key", keyId: "k" } as KeyPrincipal),
  findApp: async () => null,
  clock: () => 0,
});
afterAll(() => fastify.close());

async function post(url: string, payload: string, headers: Record<string, string> = {}) {
  asked = [];
  return fastify.inject({
    method: "POST",
    url,
    payload,
    headers: { "content-type": "application/json", ...headers },
  });
}
const key = { authorization: "Bearer bb_sk_x" };

it("takes __proto__ for a field like any other, in bodies and in queries", async () => {
  for (const query of ["", "?__proto__=q"]) {
    await post(`/open/1${query}`, '{"__proto__": {"name": "hidden"}, "constructor": 1}');
    const [input] = asked;
    expect(input!.name).toBeUndefined();
    expect(Object.keys(input!).sort()).toEqual(["__proto__", "constructor", "id"]);
  }
});

it("lets the path decide over body and query", async () => {
  await post("/open/1?id=2", '{"id": 3}');
  expect(asked[0]!.id).toBe("1");
});

it("asks who calls before it reads a body, and takes small bodies only where anyone may call", async () => {
  expect((await post("/closed/1", "not json")).statusCode).toBe(401);
  expect((await post("/closed/1", "not json", key)).statusCode).toBe(400);
  const large = JSON.stringify({ text: "x".repeat(limits.publicBodyBytes) });
  expect((await post("/open/1", large)).statusCode).toBe(413);
  expect((await post("/closed/1", large, key)).statusCode).toBe(200);
});
