import type { Secrets } from "../../../kernel/secrets.ts";

/** What must be known again when the browser comes back from the provider. */
export interface OAuthState {
  readonly provider: string;
  readonly redirectTo: string;
  /** The redirect_uri the provider was given; the exchange must repeat it (RFC 6749 §4.1.3). */
  readonly callbackUrl: string;
  /** RFC 7636. */
  readonly codeVerifier: string;
  readonly nonce: string;
  /** SHA-256 of the cookie of the browser that began. */
  readonly browser: string;
  readonly expiresAtMs: number;
}

const PURPOSE = "oauth-state";

/** The state as the `state` parameter carries it: encrypted and authenticated, bound to the app, kept nowhere. */
export const sealState = (secrets: Secrets, appId: string, state: OAuthState): string =>
  secrets.seal(PURPOSE, JSON.stringify(state), appId);

/** The state behind the parameter, or null when this server did not make it for this app. */
export function openState(secrets: Secrets, appId: string, parameter: string): OAuthState | null {
  try {
    return JSON.parse(secrets.open(PURPOSE, parameter, appId));
  } catch {
    return null;
  }
}
