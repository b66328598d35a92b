import type { buildConnector } from "undici";
import { createGuardedConnector } from "../../../kernel/guarded-connector.ts";
import type { GuardedFetchOptions } from "../../../kernel/guarded-fetch.ts";
import type { Log } from "../../../kernel/log.ts";
import type { Metrics } from "../../../kernel/metrics.ts";
import type { UpstreamTarget } from "../types.ts";
import { limits as defaults, type HttpLimits } from "./limits.ts";

/** A server behind a URL. */
export type HttpTarget = Extract<UpstreamTarget, { transport: "http" }>;

export interface HttpUpstreamOptions {
  /** `host:port` pairs, spelt as in the URL, that may be private. */
  readonly allowPrivate: readonly string[];
  readonly log: Log;
  readonly limits?: Partial<HttpLimits>;
  /** Counts what limits turned away. */
  readonly metrics?: Pick<Metrics, "limitsHit">;
  /** All addresses of a name; the system's resolver by default. */
  readonly resolve?: GuardedFetchOptions["resolve"];
}

/** How a server is reached: options with everything decided. */
export interface Via {
  readonly connect: buildConnector.connector;
  readonly limits: HttpLimits;
  readonly log: Log;
  readonly metrics: Pick<Metrics, "limitsHit"> | null;
  onToolsChanged(): void;
  /** The server refused a message for its protocol version. */
  onVersionRefused(): void;
}

export function viaOf(
  options: HttpUpstreamOptions,
  hears: Pick<Via, "onToolsChanged" | "onVersionRefused">,
): Via {
  const limits = { ...defaults, ...options.limits };
  const { allowPrivate, resolve } = options;
  return {
    connect: createGuardedConnector({
      allowPrivate,
      connectMs: limits.connectMs,
      ...(resolve === undefined ? {} : { resolve }),
    }),
    limits,
    log: options.log,
    metrics: options.metrics ?? null,
    ...hears,
  };
}
