import type { Names } from "../kernel/app-host.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Config } from "../kernel/config.ts";
import type { Log } from "../kernel/log.ts";
import type { Metrics } from "../kernel/metrics.ts";
import type { Secrets } from "../kernel/secrets.ts";
import type { Database } from "./postgres/database.ts";

/** What every feature stands on; made by `main`, handed to each feature's factory. */
export interface Platform {
  readonly config: Config;
  readonly log: Log;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly secrets: Secrets;
  readonly database: Database;
  /** Base of every URL handed out, e.g. `http://127.0.0.1:4000`; known once the server listens. */
  publicUrl(): string;
}

/** Under which names this server is reached now. */
export const namesOf = ({ config, publicUrl }: Pick<Platform, "config" | "publicUrl">): Names => ({
  baseDomain: config.baseDomain,
  publicUrl: publicUrl(),
});
