import { isIP, type LookupFunction, type Socket } from "node:net";
import { buildConnector } from "undici";
import { isPublicAddress } from "../../../kernel/guarded-fetch.ts";
import { checkedLookup, RefusedError, type Resolve } from "./checked-lookup.ts";
import { limits } from "./limits.ts";
import { type Destination, hostPort, notPublic } from "./rules.ts";

/** Every way out: plain or TLS, only to addresses user code may reach. */
export interface Dial {
  /** For undici's agents. */
  readonly connector: buildConnector.connector;
  open(destination: Destination): Promise<Socket>;
}

/** `allowPrivate` names `host:port` pairs that are resolved as the operator's system does, and not checked. */
export function createDial(
  allowPrivate: ReadonlySet<string>,
  resolve: Resolve,
  resolveAllowed?: LookupFunction,
): Dial {
  const common = { timeout: limits.connectMs, allowH2: false, keepAlive: true };
  const checked = buildConnector({ ...common, lookup: checkedLookup(resolve) });
  const unchecked = buildConnector({
    ...common,
    ...(resolveAllowed === undefined ? {} : { lookup: resolveAllowed }),
  });
  const connector: buildConnector.connector = (options, callback) => {
    const host = options.hostname.replace(/^\[|\]$/g, "");
    const port = Number(options.port || (options.protocol === "https:" ? 443 : 80));
    if (allowPrivate.has(hostPort({ host: host.replace(/\.$/, ""), port })))
      return unchecked(options, callback);
    // A socket looks an address up nowhere, so it would pass unchecked.
    if (isIP(host) !== 0 && !isPublicAddress(host)) return callback(new RefusedError(notPublic(host)), null);
    checked(options, callback);
  };
  return {
    connector,
    open: ({ host, port, secure }) =>
      new Promise((resolved, reject) => {
        const protocol = secure ? "https:" : "http:";
        connector({ hostname: host, host, protocol, port: String(port) }, (error, socket) => {
          if (error !== null) reject(error);
          else resolved(socket as Socket);
        });
      }),
  };
}
