import type { KeyPrincipal } from "../../kernel/principal.ts";
import type { ReadScope } from "../memory/service.ts";
import type { LinkRow } from "./store.ts";

/** The app a key is bound to; null for a key of the whole organisation. Pure. */
export function boundApp({ scopes }: Pick<KeyPrincipal, "scopes">): string | null {
  if (scopes.includes("*")) return null;
  return scopes.find((scope) => scope.startsWith("app:"))?.slice("app:".length) ?? null;
}

/** What a link lets its app read. Pure. */
export function scopeOf({ app_id, read_scope }: Pick<LinkRow, "app_id" | "read_scope">): ReadScope {
  const { kinds, entity_types, own_only } = read_scope;
  return {
    appId: app_id,
    ...(kinds === undefined ? {} : { kinds }),
    ...(entity_types === undefined ? {} : { entityTypes: entity_types }),
    ...(own_only === undefined ? {} : { ownOnly: own_only }),
  };
}
