import { readdirSync, readFileSync } from "node:fs";
import { apiAs } from "../../support/api.ts";
import { must } from "../../support/app.ts";
import { addPolicy, addServer, gatewayEnv, type Registered } from "../../support/gateway.ts";
import { postgresPid, type Server, startServer } from "../../support/server.ts";
import type { At } from "./calls.ts";
import type { Upstream } from "./upstream.ts";

/** Ambit with a Postgres of its own, which can both end at any instant. */
export interface Mortal {
  server: Server;
  readonly registered: Registered;
  /** A grant under a policy; where it is used. */
  grant(document: object): Promise<{ at(): At; grant_id: string }>;
  /** SIGKILL for Ambit, Postgres and every one of its processes, in this very instant. */
  killAll(): void;
  restart(): Promise<void>;
}

/** Processes of a Postgres, its children first. */
function postgresPids(dataDir: string): number[] {
  const postmaster = postgresPid(dataDir);
  if (postmaster === null) return [];
  const children = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
        return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === postmaster;
      } catch {
        return false;
      }
    });
  return [...children.map(Number), postmaster];
}

export async function startMortal(upstream: Upstream): Promise<Mortal> {
  const env = gatewayEnv([upstream.port]);
  const server = await startServer(env);
  const api = () => apiAs(mortal.server.apiUrl, server.apiKey);
  let labels = 0;
  const mortal: Mortal = {
    server,
    registered: await addServer(apiAs(server.apiUrl, server.apiKey), {
      transport: "http",
      url: upstream.url,
    }),
    async grant(document) {
      const { server_id } = mortal.registered;
      const policy_id = await addPolicy(api(), server_id, document);
      const body = { label: `mortal ${++labels}`, policy_id };
      const { grant_id, token } = must(await api()("POST", `/v1/gateway/servers/${server_id}/grants`, body));
      return { grant_id, at: () => ({ url: `${mortal.server.apiUrl}/mcp/${server_id}/`, token }) };
    },
    killAll() {
      // Ambit first: it is to tell nobody that its database is gone.
      for (const pid of [mortal.server.pid, ...postgresPids(server.dataDir)]) {
        try {
          process.kill(pid, "SIGKILL");
        } catch {
          // It had ended by itself.
        }
      }
    },
    async restart() {
      await mortal.server.kill();
      const next = await startServer(env, server.dataDir);
      mortal.server = { ...next, apiKey: server.apiKey, agentKey: server.agentKey };
    },
  };
  return mortal;
}
