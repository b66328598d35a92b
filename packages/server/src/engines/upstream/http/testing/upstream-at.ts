import { createLog } from "../../../../kernel/log.ts";
import type { Upstream } from "../../types.ts";
import { createHttpUpstream, type HttpLimits, type HttpTarget, type HttpUpstreamOptions } from "../index.ts";

export interface Wanted {
  readonly path?: string;
  readonly host?: string;
  readonly headers?: HttpTarget["headers"];
  readonly renew?: HttpTarget["renew"];
  readonly limits?: Partial<HttpLimits>;
  readonly allowPrivate?: readonly string[];
  readonly resolve?: HttpUpstreamOptions["resolve"];
  readonly metrics?: HttpUpstreamOptions["metrics"];
}

/** An upstream at a port of this machine, by leave of the operator. */
export function upstreamAt(port: number, wanted: Wanted = {}): Upstream {
  const { path = "/mcp", host = "127.0.0.1", allowPrivate = [`${host}:${port}`], limits = {} } = wanted;
  const { resolve, metrics } = wanted;
  return createHttpUpstream(
    {
      transport: "http",
      url: `http://${host}:${port}${path}`,
      headers: wanted.headers ?? (async () => ({})),
      renew: wanted.renew ?? (async () => false),
    },
    {
      allowPrivate,
      log: createLog("silent"),
      limits: { resumeMs: 20, sweepMs: 20, ...limits },
      ...(resolve === undefined ? {} : { resolve }),
      ...(metrics === undefined ? {} : { metrics }),
    },
  );
}
