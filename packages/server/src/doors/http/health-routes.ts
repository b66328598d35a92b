import type { FastifyInstance } from "fastify";
import { decideAccess } from "../../kernel/access.ts";
import type { Metrics } from "../../kernel/metrics.ts";
import type { ResolvePrincipal } from "../principal.ts";

/** What is asked before the server calls itself ready; each resolves to null, or to what is wrong. */
export type Checks = Readonly<Record<string, () => Promise<string | null>>>;

/** `/health` (the process lives), `/health/ready` (it can do its work), `/metrics` (for a key's eyes). */
export function registerHealthRoutes(
  fastify: FastifyInstance,
  deps: { checks: Checks; metrics: Metrics; resolvePrincipal: ResolvePrincipal; clock(): number },
): void {
  fastify.get("/health", async () => ({ status: "ok", service: "ambit" }));
  fastify.get("/health/ready", async (_request, reply) => {
    const checks: Record<string, string> = {};
    for (const [name, check] of Object.entries(deps.checks)) {
      checks[name] = (await check().catch((error: Error) => error.message)) ?? "ok";
    }
    const ready = Object.values(checks).every((state) => state === "ok");
    return reply
      .status(ready ? 200 : 503)
      .send({ status: ready ? "ready" : "not_ready", service: "ambit", checks });
  });
  fastify.get("/metrics", async (request, reply) => {
    const principal = await deps.resolvePrincipal(request.headers.authorization, null, request.ip);
    const refusal = decideAccess({
      principal,
      right: "view",
      personOnly: false,
      app: null,
      organizationId: null,
      nowMs: deps.clock(),
    });
    if (refusal !== null) throw refusal;
    return reply.type(deps.metrics.registry.contentType).send(await deps.metrics.registry.metrics());
  });
}
