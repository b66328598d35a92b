import { lookup as dnsLookup } from "node:dns/promises";
import { isIP, type LookupFunction } from "node:net";
import { buildConnector } from "undici";
import { fetchErrors, type GuardedFetchOptions, isPublicAddress, pinned } from "./guarded-fetch.ts";

export interface GuardedConnectorOptions extends GuardedFetchOptions {
  /** From the name lookup to the end of the TLS handshake. */
  readonly connectMs: number;
}

/**
 * What opens connections that are kept and used again, by the rules of `createGuardedFetch`. For each new connection the
 * name is resolved, every address is checked, and the socket goes to exactly what was checked. For undici's `connect`:
 * fails with EXTERNAL_ADDRESS_REFUSED for anything but a public address that is not named in `allowPrivate`, and with the
 * socket's own error when nobody answers there. HTTP/1.1 only.
 */
export function createGuardedConnector(options: GuardedConnectorOptions): buildConnector.connector {
  const resolve = options.resolve ?? ((hostname: string) => dnsLookup(hostname, { all: true }));
  const allowed = new Set(options.allowPrivate.map((entry) => entry.toLowerCase()));
  const common = { timeout: options.connectMs, allowH2: false, keepAlive: true };
  // Two, because each keeps the TLS sessions that let the next handshake be a short one.
  const guarded = buildConnector({ ...common, lookup: lookupBy(resolve, isPublicAddress) });
  const open = buildConnector({ ...common, lookup: lookupBy(resolve, () => true) });
  return (target, callback) => {
    const host = target.hostname.replace(/^\[|\]$/g, "").toLowerCase();
    const port = target.port || (target.protocol === "https:" ? "443" : "80");
    if (allowed.has(`${host.includes(":") ? `[${host}]` : host}:${port}`)) return open(target, callback);
    // A socket looks an address up nowhere, so it would pass unchecked.
    if (isIP(host) !== 0 && !isPublicAddress(host)) return callback(notPublic(host), null);
    guarded(target, callback);
  };
}

function lookupBy(
  resolve: NonNullable<GuardedFetchOptions["resolve"]>,
  passes: (address: string) => boolean,
): LookupFunction {
  return (hostname, asked, callback) => {
    resolve(hostname).then(
      (addresses) => {
        // One private address among public ones is refused too: which of them is called is not ours to decide.
        if (addresses.every(({ address }) => passes(address))) pinned(addresses)(hostname, asked, callback);
        else callback(notPublic(hostname), "", 0);
      },
      (error) => callback(error, "", 0),
    );
  };
}

const notPublic = (host: string) =>
  fetchErrors.EXTERNAL_ADDRESS_REFUSED({ message: `${host} is not a public address.` });
