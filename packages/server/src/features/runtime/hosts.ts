import { isIP } from "node:net";
import { runtimeErrors } from "./errors.ts";

const NAME =
  /^(\*\.)?(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/;

/** One spelling of every entry, each once; throws VALIDATION_INVALID_HOST for what names no host. Pure. */
export function readHosts(entries: readonly string[]): string[] {
  const read = entries.map((entry) => {
    const wild = entry.startsWith("*.") ? "*." : "";
    const name = entry.slice(wild.length).replace(/^\[|\]$/g, "");
    const literal = isIP(name) === 6 ? `[${name}]` : name;
    const url = `http://${literal}/`;
    if (/[\s:/?#@\\%]/.test(isIP(name) === 6 ? "" : name) || !URL.canParse(url)) throw invalid(entry);
    const host = new URL(url).hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
    if (isIP(host) !== 0 ? wild !== "" : !NAME.test(wild + host)) throw invalid(entry);
    return wild + host;
  });
  return [...new Set(read)];
}

function invalid(entry: string): Error {
  return runtimeErrors.VALIDATION_INVALID_HOST({
    message: `${JSON.stringify(entry)} is not a host name.`,
    details: { entry },
  });
}
