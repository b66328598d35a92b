import { randomBytes } from "node:crypto";
import type { AddressInfo } from "node:net";
import { Writable } from "node:stream";
import type { PolicyDocument, ToolDefinition } from "@ambit/policy";
import { pino } from "pino";
import type { Upstream, UpstreamListener } from "../../../engines/upstream/types.ts";
import { Metrics } from "../../../kernel/metrics.ts";
import { Secrets } from "../../../kernel/secrets.ts";
import { createLaneServer } from "../../http/lanes.ts";
import { type BuiltinRequest, createGatewayLane } from "../index.ts";
import { TestGateway } from "./test-gateway.ts";
import { TestUpstream } from "./test-upstream.ts";

export const SERVER_ID = "0a1b2c3d-0000-4000-8000-00000000abcd";
export const BUILTIN_ID = "0a1b2c3d-0000-4000-8000-0000000000ff";
export const VERBS_ID = "0a1b2c3d-0000-4000-8000-0000000000fe";
export const TOKEN = "amb_gr_alice";
export const OTHER_TOKEN = "amb_gr_bob";
export const EMPTY_TOKEN = "amb_gr_without_policy";
export const BUILTIN_TOKEN = "amb_gr_builtin";
export const VERBS_TOKEN = "amb_gr_verbs";

export const POLICY: PolicyDocument = {
  version: "1",
  default: "allow",
  hide: ["secret"],
  tools: { pay: { deny_if: [{ conditions: [{ path: "args.amount", op: "gt", value: 100 }] }] } },
};

/** The lane on a real port, before an in-memory judge and the given upstream. */
export async function startStand({ upstream = new TestUpstream() as Upstream } = {}) {
  let logged = "";
  const sink = new Writable({
    write(chunk, _encoding, done) {
      logged += chunk;
      done();
    },
  });
  const log = pino({ level: "debug" }, sink);
  const gateway = new TestGateway();
  gateway.add(TOKEN, SERVER_ID, POLICY);
  gateway.add(OTHER_TOKEN, SERVER_ID, POLICY);
  gateway.add(EMPTY_TOKEN, SERVER_ID, null);
  gateway.add(BUILTIN_TOKEN, BUILTIN_ID, POLICY, "merged");
  gateway.add(VERBS_TOKEN, VERBS_ID, POLICY, "verbs");
  const metrics = new Metrics();
  const builtinRequests: { grantId: string; request: BuiltinRequest }[] = [];
  const stand = {
    /** What the server's name stands for, and how it is got. */
    reached: upstream,
    reach: async (): Promise<Upstream> => stand.reached,
    /** How far the lane's clock is ahead. */
    skewMs: 0,
    /** The tools of the server, as they were last seen. */
    tools: [] as readonly ToolDefinition[],
    onBuiltin: (_request: BuiltinRequest, _listener: UpstreamListener): void => {},
  };
  let url = "";
  const lane = createGatewayLane({
    gateway,
    servers: {
      upstream: () => stand.reach(),
      tools: async () => stand.tools,
      onChanged: () => {},
    },
    builtin: {
      send(grant, request, listener) {
        builtinRequests.push({ grantId: grant.id, request });
        stand.onBuiltin(request, listener);
      },
    },
    secrets: new Secrets(randomBytes(32)),
    clock: () => Date.now() + stand.skewMs,
    log,
    metrics,
    trustedProxies: 0,
    trustedOrigins: ["https://console.example"],
    publicUrl: () => url,
  });
  const server = createLaneServer(
    {
      lanes: () => [lane.http],
      canonicalUrl: (request) => request.url ?? "/",
      requestTimeoutMs: 20_000,
    },
    (_request, response) => response.writeHead(404).end("not the lane's"),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  url = `http://127.0.0.1:${port}`;
  return Object.assign(stand, {
    gateway,
    upstream,
    lane,
    url,
    port,
    proxyUrl: `${url}/mcp/${SERVER_ID}/`,
    builtinRequests,
    logged: () => logged,
    async limitsHit(limit: string): Promise<number> {
      const { values } = await metrics.limitsHit.get();
      return values.find(({ labels }) => labels.limit === limit)?.value ?? 0;
    },
    async stop() {
      await lane.close();
      server.closeAllConnections();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  });
}

export type Stand = Awaited<ReturnType<typeof startStand>>;
