import type { Platform } from "../../engines/platform.ts";
import { createHttpUpstream } from "../../engines/upstream/http/index.ts";
import { createStdioUpstream } from "../../engines/upstream/stdio/index.ts";
import type { Connect } from "./upstreams.ts";

/** The real ways to servers: over HTTP, to checked addresses only, and to programs of this host. */
export function createConnect({ config, log, metrics }: Platform): Connect {
  return {
    http: (target) => createHttpUpstream(target, { allowPrivate: config.allowPrivateFetch, log, metrics }),
    stdio: (target, { serverId }) =>
      createStdioUpstream(target, {
        ...{ serverId, dataDir: config.dataDir, log },
        onLimit: (limit) => metrics.limitsHit.inc({ limit }),
      }),
  };
}
