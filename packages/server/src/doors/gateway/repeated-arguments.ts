import type { IncomingHttpHeaders } from "node:http";
import { LRUCache } from "lru-cache";
import type { RepeatedArgument } from "../../engines/upstream/param-headers.ts";
import type { GatewayServer } from "../../features/gateway-servers/service.ts";
import { limits } from "./limits.ts";
import { paramHeaderProblem, repeatedByTool } from "./param-headers.ts";
import type { ToolCall } from "./tool-call.ts";
import type { GatewayDoorDeps } from "./types.ts";

interface Known {
  readonly byTool: ReadonlyMap<string, readonly RepeatedArgument[]>;
  readonly sinceMs: number;
}

type Check = { readonly call: ToolCall; readonly headers: IncomingHttpHeaders };

const NOTHING: Known["byTool"] = new Map();

/**
 * Compares headers that repeat arguments with the body, by what is known of each server's tools. Once a server is known it
 * costs no wait: it is looked up again behind the calls, and before one is refused.
 */
export class RepeatedArguments {
  readonly #servers: GatewayDoorDeps["servers"];
  readonly #clock: GatewayDoorDeps["clock"];
  readonly #log: GatewayDoorDeps["log"];
  readonly #known = new LRUCache<string, Known>({ max: limits.knownServers });
  readonly #loading = new Map<string, Promise<Known>>();

  constructor({ servers, clock, log }: Pick<GatewayDoorDeps, "servers" | "clock" | "log">) {
    this.#servers = servers;
    this.#clock = clock;
    this.#log = log;
    servers.onChanged((serverId) => void this.#known.delete(serverId));
  }

  /** What is wrong with a call's headers; null when nothing is. A promise only when it has to be looked up. */
  problem(server: GatewayServer, check: Check): Promise<string | null> | string | null {
    if (server.transport === "builtin") return null;
    const known = this.#known.get(server.id);
    if (known === undefined) return this.#load(server).then((loaded) => problemIn(loaded, check));
    if (this.#clock() - known.sinceMs >= limits.toolsKnownMs) void this.#load(server);
    if (problemIn(known, check) === null) return null;
    return this.#load(server).then((loaded) => problemIn(loaded, check));
  }

  /** Never rejects: where the tools are not to be had, the judge has the last word. */
  #load(server: GatewayServer): Promise<Known> {
    const loading = this.#loading.get(server.id);
    if (loading !== undefined) return loading;
    const started = this.#servers
      .tools(server)
      .then(repeatedByTool, (error) => {
        this.#log.debug({ err: error, serverId: server.id }, "the tools of a server are not known");
        return this.#known.get(server.id)?.byTool ?? NOTHING;
      })
      .then((byTool) => {
        const known = { byTool, sinceMs: this.#clock() };
        this.#known.set(server.id, known);
        this.#loading.delete(server.id);
        return known;
      });
    this.#loading.set(server.id, started);
    return started;
  }
}

function problemIn({ byTool }: Known, { call, headers }: Check): string | null {
  const repeated = byTool.get(call.tool);
  return repeated === undefined ? null : paramHeaderProblem(repeated, call.args, headers);
}
