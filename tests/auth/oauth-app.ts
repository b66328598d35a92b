import { type Answer, apiAs } from "../support/api.ts";
import { must } from "../support/app.ts";
import type { Server } from "../support/server.ts";
import { type AuthApp, authApp } from "./auth-app.ts";
import type { Provider } from "./provider.ts";

/** Where the app wants people to end up. */
export const HOME = "https://app.example/after";

export const settingsFor = (provider: Provider) => ({
  client_id: provider.clientId,
  client_secret: provider.clientSecret,
  redirect_uris: [],
  authorization_url: `${provider.url}/authorize`,
  token_url: `${provider.url}/token`,
  userinfo_url: `${provider.url}/userinfo`,
});
export const oidcOf = (provider: Provider) => ({ issuer: provider.url, jwks_uri: `${provider.url}/jwks` });

/** An app with two configurations of the provider: `plain` OAuth 2.0, and `oidc`. */
export async function oauthApp(server: Server, provider: Provider): Promise<AuthApp> {
  const app = await authApp(server);
  const owner = apiAs(server.apiUrl, server.apiKey);
  for (const body of [
    { provider: "plain", ...settingsFor(provider) },
    { provider: "oidc", ...settingsFor(provider), provider_metadata: oidcOf(provider) },
  ]) {
    must(await owner("POST", `/v1/${app.id}/auth/oauth-config`, body));
  }
  must(await owner("PATCH", `/v1/${app.id}/config/cors`, { allowed_origins: ["https://app.example"] }));
  return app;
}

/** A browser: keeps the server's cookies and follows no redirect by itself. */
export class Browser {
  readonly #apiUrl: string;
  #cookie = "";

  constructor(apiUrl: string) {
    this.#apiUrl = apiUrl;
  }

  /** Opens a path of the server, wherever the URL says the server is. */
  async open(url: string | URL, init: RequestInit = {}): Promise<Answer> {
    const { pathname, search } = new URL(url);
    const response = await fetch(`${this.#apiUrl}${pathname}${search}`, {
      redirect: "manual",
      ...init,
      headers: this.#cookie === "" ? {} : { cookie: this.#cookie },
    });
    const set = response.headers.get("set-cookie");
    if (set !== null) this.#cookie = set.split(";")[0]!;
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text.startsWith("{") ? JSON.parse(text) : text,
    };
  }

  begin(app: AuthApp, name = "plain", redirectTo = HOME): Promise<Answer> {
    return this.open(
      `${this.#apiUrl}/auth/${app.id}/oauth/${name}?redirect_to=${encodeURIComponent(redirectTo)}`,
    );
  }
}

export const locationOf = (answer: Answer): URL => new URL(answer.headers.get("location")!);
export const tokensOf = (end: URL) =>
  Object.fromEntries(end.searchParams) as { access_token: string; refresh_token: string };
export const errorOf = (end: URL): string | null => end.searchParams.get("error");

/** How many users an app has. */
export const userCount = async (app: AuthApp): Promise<number> =>
  must(await app.owner("GET", `/v1/${app.id}/admin/auth/users?limit=200`)).users.length;

/** The whole round trip of a browser as somebody; resolves to where it ends up. */
export async function roundTrip(
  browser: Browser,
  provider: Provider,
  turn: Provider["turn"],
  app: AuthApp,
  name: string,
): Promise<URL> {
  provider.turn = turn;
  const there = await browser.begin(app, name);
  if (there.status !== 302) throw new Error(`not sent to the provider: ${JSON.stringify(there.body)}`);
  const answer = await browser.open(provider.agree(there.headers.get("location")!));
  if (answer.status !== 302) throw new Error(`not sent back: ${JSON.stringify(answer.body)}`);
  return locationOf(answer);
}

let people = 0;
/** A person nobody knows yet, with a verified address at the provider. */
export function someone(): { sub: string; email: string; email_verified: boolean; name: string } {
  people += 1;
  return {
    sub: `subject-${people}`,
    email: `person${people}@example.com`,
    email_verified: true,
    name: `Person ${people}`,
  };
}
