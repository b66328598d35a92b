import type { AddressInfo } from "node:net";
import { registerOperationRoutes } from "../../../doors/http/operation-routes.ts";
import { createHttpServer } from "../../../doors/http/server.ts";
import { newUuid } from "../../../kernel/ids.ts";
import { createLog } from "../../../kernel/log.ts";
import { createPipeline } from "../../../kernel/pipeline.ts";
import { ANONYMOUS, type KeyPrincipal } from "../../../kernel/principal.ts";
import type { TestPlatform } from "../../../testing/platform.ts";
import { createAudit } from "../../audit/index.ts";
import { createLedger } from "../index.ts";
import type { LedgerService } from "../service.ts";

/** The ledger's operations behind a real HTTP server; what they record goes into the ledger too. */
export interface Doors {
  readonly ledger: LedgerService;
  readonly url: string;
  /** The token of a key with these properties; default an owner's own key for everything. */
  tokenOf(key: Partial<KeyPrincipal>): string;
  // biome-ignore lint/suspicious/noExplicitAny: each route answers something else, and tests say what they expect
  api(method: string, path: string, token: string, body?: object): Promise<{ status: number; body: any }>;
  close(): Promise<void>;
}

export async function openDoors(test: TestPlatform): Promise<Doors> {
  const { feature, service } = createLedger(test.platform);
  const audit = createAudit(test.platform, { ledger: service });
  const keys = new Map<string, KeyPrincipal>();
  const fastify = createHttpServer({
    log: createLog("silent"),
    baseDomain: "localhost",
    trustedProxies: 0,
    publicUrl: () => "http://127.0.0.1:4000",
    findApp: async () => null,
  });
  registerOperationRoutes(fastify, {
    operations: [...feature.operations, ...audit.feature.operations],
    pipeline: createPipeline({ findApp: test.apps.find, record: audit.service.record }),
    resolvePrincipal: async (authorization) => keys.get(authorization?.slice(7) ?? "") ?? ANONYMOUS,
    findApp: test.apps.find,
    clock: Date.now,
  });
  await feature.start!();
  await fastify.listen({ host: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${(fastify.server.address() as AddressInfo).port}`;
  return {
    ledger: service,
    url,
    tokenOf(key) {
      const token = newUuid();
      keys.set(token, {
        ...{ kind: "key", keyId: newUuid(), keyKind: "person", accountId: newUuid(), role: "owner" },
        ...{ organizationId: test.organizationId, scopes: ["*"], expiresAtMs: null },
        ...key,
      });
      return token;
    },
    async api(method, path, token, body) {
      const answer = await fetch(url + path, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body ? { "content-type": "application/json" } : {}),
        },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
      const text = await answer.text();
      const isJson = answer.headers.get("content-type")?.includes("application/json");
      return { status: answer.status, body: isJson ? JSON.parse(text) : text };
    },
    async close() {
      await fastify.close();
      await feature.stop!();
    },
  };
}
