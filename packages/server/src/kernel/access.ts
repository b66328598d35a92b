import { type AmbitError, errors } from "./errors.ts";
import { type KeyPrincipal, type Principal, ROLES, type Role } from "./principal.ts";

/**
 * What an operation asks of its caller.
 * - `public`: anyone, also anonymous callers
 * - `view`: read what belongs to the organisation or app
 * - `develop`: change apps, schemas, rows, users
 * - `policy`: change gateway policies and decide approvals
 * - `administer`: members, keys, servers, credentials
 * - `own`: what only an owner may do, such as deleting the organisation
 */
export type Right = "public" | "view" | "develop" | "policy" | "administer" | "own";

/**
 * The two interfaces a key may open: apps, and the organisation's substrate. `any` asks for one of the two. An operation
 * on the substrate that names an app asks for both. A key bound to one app reaches the substrate when it has that scope
 * too.
 */
export type Surface = "app" | "substrate" | "any";

const RIGHTS_OF: Record<Role, ReadonlySet<Right>> = {
  viewer: new Set(["view"]),
  developer: new Set(["view", "develop"]),
  policy_manager: new Set(["view", "policy"]),
  admin: new Set(["view", "develop", "policy", "administer"]),
  owner: new Set(["view", "develop", "policy", "administer", "own"]),
};

/** The roles whose members have the right; weakest first. */
export const rolesWith = (right: Right): Role[] => ROLES.filter((role) => RIGHTS_OF[role].has(right));

/** Rights a key with the scope `read` keeps. */
const READ_RIGHTS: ReadonlySet<Right> = new Set(["view"]);

/** Whether a key may only look, at any app it reaches: by its scopes, or by what its role may do. */
export const onlyReads = ({ role, scopes }: KeyPrincipal): boolean =>
  scopes.includes("read") || !RIGHTS_OF[role].has("develop");

/** The question the access check answers. */
export interface AccessQuestion {
  readonly principal: Principal;
  readonly right: Right;
  /** Default `app`. */
  readonly surface?: Surface;
  readonly personOnly: boolean;
  /** The app the call names, if it names one. */
  readonly app: { readonly id: string; readonly organizationId: string } | null;
  /** The organisation the call names, if it names one and no app. */
  readonly organizationId: string | null;
  readonly nowMs: number;
}

/**
 * Decides whether the caller may go on. Pure; returns the error to throw, or null for yes.
 * A key works only inside its own organisation, only on the apps its scopes name, only while it lives.
 */
export function decideAccess(question: AccessQuestion): AmbitError | null {
  const { principal, right } = question;
  if (right === "public") return null;
  if (principal.kind === "anonymous") return errors.AUTH_REQUIRED();
  if (principal.kind === "user") {
    return errors.AUTH_INSUFFICIENT_PERMISSIONS({
      message: "An end user of an app may not use the management interface.",
      remediation: "Use an API key (bb_sk_…) of a member of the app's organisation.",
    });
  }
  if (principal.expiresAtMs !== null && principal.expiresAtMs <= question.nowMs) {
    return errors.AUTH_INVALID_API_KEY({ message: "The API key has expired." });
  }
  if (question.personOnly && principal.keyKind !== "person") return errors.AUTH_PERSON_REQUIRED();
  const organizationId = question.app?.organizationId ?? question.organizationId;
  if (organizationId !== null && organizationId !== principal.organizationId) {
    return errors.AUTH_INSUFFICIENT_PERMISSIONS({
      message: "The key belongs to another organisation.",
    });
  }
  if (!RIGHTS_OF[principal.role].has(right)) {
    return errors.AUTH_INSUFFICIENT_PERMISSIONS({
      message: `The role ${principal.role} does not include the right to ${right}.`,
    });
  }
  return decideScope(principal.scopes, right, question.surface ?? "app", question.app?.id ?? null);
}

/** The part of the decision that rests on the key's scopes alone. */
function decideScope(
  scopes: readonly string[],
  right: Right,
  surface: Surface,
  appId: string | null,
): AmbitError | null {
  if (scopes.includes("read") && !READ_RIGHTS.has(right)) {
    return errors.AUTH_INSUFFICIENT_PERMISSIONS({
      message: "The key is read-only.",
      remediation: "Have a person mint a key without `read_only`.",
    });
  }
  const opensSubstrate = scopes.includes("substrate");
  // Where an app is named, the key has to reach it, whatever else it opens.
  if (surface !== "app" && opensSubstrate && appId === null) return null;
  if (surface === "substrate" && !opensSubstrate) {
    return errors.AUTH_INSUFFICIENT_PERMISSIONS({
      message: "The key is not scoped to the substrate.",
      remediation: "Have a person mint a key with scope substrate or both: POST /api-keys.",
    });
  }
  if (scopes.includes("*")) return null;
  if (!scopes.some((scope) => scope.startsWith("app:"))) {
    return errors.AUTH_INSUFFICIENT_PERMISSIONS({
      message: "The key opens the substrate only.",
      remediation: "Use a key minted with scope app or both.",
    });
  }
  if (appId === null) {
    return errors.AUTH_INSUFFICIENT_PERMISSIONS({
      message: "The key is bound to one app and can't be used beyond it.",
      remediation: "Use an account key (key_scope: account).",
    });
  }
  if (scopes.includes(`app:${appId}`)) return null;
  return errors.AUTH_INSUFFICIENT_PERMISSIONS({ message: "The key is bound to another app." });
}

/** Whether the key may see this app in a listing. */
export function scopesReachApp(scopes: readonly string[], appId: string): boolean {
  return scopes.includes("*") || scopes.includes(`app:${appId}`);
}

/** The apps a key is bound to; null for a key of the whole organisation. */
export function appsOf(scopes: readonly string[]): string[] | null {
  const apps = scopes.filter((scope) => scope.startsWith("app:")).map((scope) => scope.slice("app:".length));
  return scopes.includes("*") || apps.length === 0 ? null : apps;
}

/** The caller as a key, for operations that only keys may use; throws AUTH_REQUIRED for anyone else. */
export function keyOf({ principal }: { readonly principal: Principal }): KeyPrincipal {
  if (principal.kind !== "key") throw errors.AUTH_REQUIRED();
  return principal;
}

/** `keyOf` for what concerns the whole organisation; throws AUTH_INSUFFICIENT_PERMISSIONS for a key bound to apps. */
export function organizationKeyOf(call: { readonly principal: Principal }): KeyPrincipal {
  const key = keyOf(call);
  if (appsOf(key.scopes) === null) return key;
  throw errors.AUTH_INSUFFICIENT_PERMISSIONS({
    message: "The key is bound to one app, and this concerns the whole organisation.",
    remediation: "Use a key of the whole organisation (key_scope: account).",
  });
}
