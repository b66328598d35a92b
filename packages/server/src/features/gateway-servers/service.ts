import type { ToolDefinition } from "@ambit/policy";
import type { Platform } from "../../engines/platform.ts";
import { endLeftoverPrograms } from "../../engines/upstream/stdio/index.ts";
import { createAddressCheck } from "../../kernel/guarded-fetch.ts";
import type { LedgerService } from "../ledger/service.ts";
import { createBackground } from "./background.ts";
import { createConnect } from "./connect.ts";
import { createLooks } from "./looks.ts";
import { createManagement, type ServerManagement } from "./management.ts";
import { createNaming, type Naming } from "./naming.ts";
import { createRegistry, type Entry } from "./registry.ts";
import { resolveAllowed } from "./stdio-allow.ts";
import { createToolPins, type ToolPins } from "./tool-pins.ts";
import { createToolStates, type ToolStates } from "./tool-states.ts";
import { type ChangeRow, selectChanges } from "./tool-store.ts";
import type { BuiltinFace, GatewayServersService, UpstreamCredentials } from "./types.ts";
import { type Connect, createUpstreams, type Upstreams } from "./upstreams.ts";

export { BUILTIN } from "./builtin.ts";
export * from "./types.ts";
export type { Connect, HttpTarget, StdioTarget, UpstreamOwner } from "./upstreams.ts";

export interface GatewayServersDeps {
  readonly ledger: Pick<LedgerService, "append">;
  /** Ambit's own tools, as the built-in server lists them. */
  builtinTools(face: BuiltinFace): readonly ToolDefinition[];
  /** Default: none beyond static headers. */
  readonly credentials?: UpstreamCredentials;
  /** Default: the real ways, see `createConnect`. */
  readonly connect?: Connect;
  /** Where bare names in AMBIT_STDIO_ALLOW are looked up; default the PATH of this process. */
  readonly path?: string;
}

/** The registry with what its own operations do. */
export interface GatewayServers extends GatewayServersService {
  readonly management: ServerManagement;
  readonly naming: Naming;
  readonly connections: Pick<Upstreams, "stateOf">;
  readonly scan: ToolStates["scan"];
  readonly approve: ToolPins["approve"];
  /** Tools that wait for a review, by name, after a name. */
  changes(entry: Entry, after: string | null, limit: number): Promise<ChangeRow[]>;
  /** Also ends, soon after, what an Ambit that was killed left running. */
  start(): void;
  stop(): Promise<void>;
}

const NO_CREDENTIALS: UpstreamCredentials = { headersOf: async () => ({}), renew: async () => false };

export function createGatewayServersService(platform: Platform, deps: GatewayServersDeps): GatewayServers {
  const { config, database, log, secrets } = platform;
  const { ledger, builtinTools, connect = createConnect(platform), credentials = NO_CREDENTIALS } = deps;
  const allowed = resolveAllowed(config.stdioAllow, deps.path ?? process.env.PATH ?? "", log);
  const checkAddress = createAddressCheck({ allowPrivate: config.allowPrivateFetch });
  const registry = createRegistry(database);
  const naming = createNaming(platform, registry);
  const management = createManagement(platform, { registry, naming, allowed, checkAddress });
  const upstreams = createUpstreams({ registry, connect, credentials, allowed, secrets, log });
  const pins = createToolPins(platform, { registry, ledger });
  const looks = createLooks(platform, { upstreams, pins });
  const background = createBackground(log, { registry, upstreams, looks });
  const states = createToolStates(platform, { registry, looks, pins, builtinTools });
  let clearing: NodeJS.Immediate | undefined;
  const clearLeftovers = () => {
    try {
      endLeftoverPrograms(config.dataDir, log);
    } catch (error) {
      log.error({ err: error }, "what an earlier Ambit may have left running could not be looked for");
    }
  };
  registry.onDeleted((serverId) => {
    looks.forget(serverId);
    pins.memory.forget(serverId);
  });

  return {
    ...{ management, naming, connections: upstreams, ...states, approve: pins.approve },
    find: async (serverId) => (await registry.find(serverId))?.server ?? null,
    named: async (organizationId, reference) => (await naming.named(organizationId, reference)).server,
    builtin: async (organizationId, face) => (await naming.builtin(organizationId, face)).server,
    urlOf: async (serverId) => (await registry.find(serverId))?.row.url ?? null,
    async upstream({ id }) {
      looks.used(id);
      return upstreams.get(registry.peek(id) ?? (await registry.get(id)));
    },
    changes: (entry, after, limit) => selectChanges(database, entry.row.id, after, limit),
    onChanged: (listener) => registry.onChanged((serverId) => listener(serverId)),
    onDeleted: (listener) => registry.onDeleted(listener),
    start() {
      background.start();
      // Looking through the processes takes a while, and nobody waits for it.
      clearing = setImmediate(clearLeftovers);
    },
    async stop() {
      clearImmediate(clearing);
      await Promise.all([background.stop(), looks.stop()]);
      await upstreams.stop();
    },
  };
}
