import { instanceNameProblem } from "../../features/durable-objects/service.ts";
import { errors } from "../../kernel/errors.ts";
import { limits } from "./limits.ts";

/** Which instance a URL names, and what user code sees of it. */
export interface ActorPath {
  /** An app id or `~subdomain`. */
  readonly appReference: string;
  readonly className: string;
  /** Decoded. */
  readonly instance: string;
  /** `/_do/<class>/<instance>[/rest]`, without the query: the only paths that may reach the process's router. */
  readonly path: string;
  /** Without its question mark; null when there is none. */
  readonly query: string | null;
}

const FORM = /^\/v1\/((?:app_|~)[a-z0-9_-]{1,80})\/do\/([^/?]{1,200})\/([^/?]{1,3072})([/?].*)?$/s;
/** What a URL parser would resolve or take for a slash. */
const RESOLVED = /[\\#]|(?:^|\/)(?:\.|%2e)/i;

/** Whether the canonical URL is one of an instance: `/v1/<app>/do/<class>/<instance>[/…]`. Quick. */
export function isActorUrl(url: string): boolean {
  if (!url.startsWith("/v1/")) return false;
  const end = url.indexOf("/", 4);
  if (end === -1 || !url.startsWith("/do/", end)) return false;
  const name = url.indexOf("/", end + 4);
  return name > end + 4 && name + 1 < url.length && url[name + 1] !== "/" && url[name + 1] !== "?";
}

/** Reads the URL of an instance. Throws RESOURCE_NOT_FOUND or REQUEST_ERROR. Pure. */
export function readActorUrl(url: string): ActorPath {
  if (url.length > limits.urlChars) {
    throw errors.REQUEST_ERROR({ message: `The URL is longer than ${limits.urlChars} characters.` });
  }
  const match = FORM.exec(url);
  if (match === null) {
    throw errors.RESOURCE_NOT_FOUND({
      message: "There is no such path.",
      remediation:
        "Instances are at /v1/<app_id>/do/<name>/<instance-id>, or /_do/<name>/<instance-id> on the app's host.",
    });
  }
  const [, appReference = "", className = "", encoded = "", tail = ""] = match;
  const instance = decode(encoded);
  const mark = tail.indexOf("?");
  const rest = mark === -1 ? tail : tail.slice(0, mark);
  const query = mark === -1 ? null : tail.slice(mark + 1);
  const path = settle(`/_do/${className}/${encoded}`, rest);
  return { appReference, className, instance, path, query };
}

function decode(encoded: string): string {
  let instance: string;
  try {
    instance = decodeURIComponent(encoded);
  } catch {
    throw errors.REQUEST_ERROR({ message: "The path is not valid percent-encoded UTF-8." });
  }
  const problem = instanceNameProblem(instance);
  if (problem !== null) throw errors.REQUEST_ERROR({ message: problem });
  return instance;
}

/**
 * The path as a URL parser leaves it: whoever reads it behind us must find the instance that was decided about here,
 * so `..` may not lead out of it.
 */
function settle(base: string, rest: string): string {
  if (!RESOLVED.test(base) && !RESOLVED.test(rest)) return base + rest;
  const settled = URL.parse(`http://host${base}${rest}`)?.pathname ?? "";
  if (settled === base || settled.startsWith(`${base}/`)) return settled;
  throw errors.REQUEST_ERROR({ message: "The path leads out of the instance it names." });
}
