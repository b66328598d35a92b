import { isSubstrateVerb, type SubstrateVerb } from "./substrate.ts";

/** What a callback asks for. */
export type CallbackPath =
  | { readonly kind: "query" }
  | { readonly kind: "claim" }
  | { readonly kind: "substrate"; readonly verb: SubstrateVerb }
  | { readonly kind: "function"; readonly name: string; readonly rest: string }
  | {
      readonly kind: "actor";
      readonly className: string;
      readonly instance: string;
      /** `/<class>/<instance>[/rest][?query]`, as it was written. */
      readonly path: string;
    };

const SUBSTRATE = "/substrate/";
const FUNCTION = /^\/fn\/([^/?]+)(.*)$/s;
const ACTOR = /^\/do(\/([^/?]+)\/([^/?]+).*)$/s;

/** Reads the URL of a callback; null when it asks for nothing there is. Pure. */
export function readPath(url: string, method: string): CallbackPath | null {
  if (url === "/db/query") return method === "POST" ? { kind: "query" } : null;
  if (url === "/idempotency/claim") return method === "POST" ? { kind: "claim" } : null;
  if (url.startsWith(SUBSTRATE)) {
    const verb = url.slice(SUBSTRATE.length);
    return method === "POST" && isSubstrateVerb(verb) ? { kind: "substrate", verb } : null;
  }
  const named = FUNCTION.exec(url);
  if (named !== null) {
    const name = decoded(named[1]!);
    return name === null ? null : { kind: "function", name, rest: named[2]! };
  }
  const actor = ACTOR.exec(url);
  if (actor === null) return null;
  const className = decoded(actor[2]!);
  const instance = decoded(actor[3]!);
  return className === null || instance === null
    ? null
    : { kind: "actor", className, instance, path: actor[1]! };
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
