import { type AmbitError, errors } from "../../kernel/errors.ts";
import { approveErrors } from "./errors.ts";

/** Where a request came to, and from which page. */
export interface Place {
  /** The host as the client named it; what a trusted proxy says of it counts. */
  readonly host: string | undefined;
  /** The `Origin` header. */
  readonly origin: string | undefined;
  /** The `Sec-Fetch-Site` header; browsers send it to https and to this machine. */
  readonly fetchSite: string | undefined;
  /** The port the request came in on. */
  readonly localPort: number | undefined;
  /** Base of every URL handed out. */
  readonly publicUrl: string;
}

/**
 * Whether the page may be shown here. Pure; the error to throw, or null. Only on the API's own name, or this machine's:
 * apps run code of others on their names, and any other name may have been made to point here.
 */
export function placeRefusal(place: Place): AmbitError | null {
  if (ownOrigins(place).length > 0) return null;
  return errors.RESOURCE_NOT_FOUND({
    message: "Approvals are not decided at this address.",
    remediation: `They are at ${place.publicUrl}/approve/<id>. Behind a proxy: have it pass the Host header on, and set AMBIT_PUBLIC_URL.`,
  });
}

/**
 * Whether a form that was sent here came from this very page. Pure; the error to throw, or null. A browser says so on
 * every form; SameSite alone does not keep apps out, whose names may be of the same site.
 */
export function formRefusal(place: Place): AmbitError | null {
  const sameOrigin = place.fetchSite === undefined || place.fetchSite === "same-origin";
  const own = place.origin !== undefined && ownOrigins(place).includes(place.origin);
  return sameOrigin && own ? null : approveErrors.APPROVE_FOREIGN_FORM();
}

/** Origins a page of ours has when it came to this host; none when the host is not ours. */
function ownOrigins({ host, localPort, publicUrl }: Place): string[] {
  const ours = new URL(publicUrl);
  // A host in a URL can hold more than a host: only what is one is compared.
  if (host === undefined || !/^[a-z0-9.-]+(:\d+)?$|^\[[0-9a-f:]+\](:\d+)?$/i.test(host)) return [];
  if (new URL(`${ours.protocol}//${host}`).host === ours.host) return [ours.origin];
  const here = ["localhost", "127.0.0.1", "[::1]"].map((name) => new URL(`http://${name}:${localPort}`));
  const local = here.find((each) => each.host === new URL(`http://${host}`).host);
  // A proxy on this machine may ask for this machine's name on behalf of the public one.
  return local === undefined ? [] : [local.origin, ours.origin];
}
