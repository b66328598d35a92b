import { keyErrors } from "./errors.ts";

/** What a caller may ask of a new key. */
export interface KeyRequest {
  readonly scope: "app" | "substrate" | "both";
  readonly key_scope: string;
  readonly target_app_id?: string | undefined;
  readonly additional_scopes: readonly string[];
  readonly read_only: boolean;
}

/** Scopes that may be added by name. */
const ADDITIONAL = new Set(["ai:gateway", "substrate"]);

/**
 * The scopes a key gets: `*` or `app:<id>`, what was added by name, and `read` for a read-only key. Pure.
 * Throws the catalogue's error for a combination that means nothing.
 */
export function scopesFor(request: KeyRequest): string[] {
  for (const scope of request.additional_scopes) {
    if (scope === "*" || scope === "read" || scope.startsWith("app:")) throw keyErrors.RESERVED_SCOPE();
    if (!ADDITIONAL.has(scope))
      throw keyErrors.UNKNOWN_SCOPE({ message: `There is no scope ${scope.slice(0, 60)}.` });
  }
  const scopes: string[] = [];
  if (request.key_scope === "account") {
    if (request.target_app_id !== undefined) throw keyErrors.TARGET_APP_NOT_ALLOWED();
    scopes.push("*");
  } else if (request.key_scope === "app") {
    if (request.scope === "substrate") {
      throw keyErrors.INVALID_KEY_SCOPE({
        message: "A key for the substrate alone can't be bound to an app.",
        remediation:
          "Use scope: both with key_scope: app, so that the key sees what the app's link lets it see.",
      });
    }
    if (request.target_app_id === undefined) throw keyErrors.TARGET_APP_REQUIRED();
    scopes.push(`app:${request.target_app_id}`, "ai:gateway");
  } else throw keyErrors.INVALID_KEY_SCOPE();
  for (const scope of request.additional_scopes) if (!scopes.includes(scope)) scopes.push(scope);
  if (request.read_only) scopes.push("read");
  return scopes;
}
