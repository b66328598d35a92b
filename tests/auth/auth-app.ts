import { type Answer, type Api, apiAs } from "../support/api.ts";
import { must, newApp } from "../support/app.ts";
import type { Server } from "../support/server.ts";

export const PASSWORD = "Correct-horse-7";

/** Tokens and user, as signing in answers them. */
export interface SignedIn {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly expires_in: number;
  readonly user: { readonly id: string; readonly email: string; readonly email_verified: boolean };
}

/** An app seen by its end users and by the developer who reads its outbox. */
export interface AuthApp {
  readonly id: string;
  readonly owner: Api;
  /** POST /auth/<app>/<path>, as nobody or with an access token. */
  post(path: string, body: object, token?: string | null, headers?: Record<string, string>): Promise<Answer>;
  get(path: string, token?: string | null): Promise<Answer>;
  /** Signs up; the address is not verified. */
  signUp(email: string, password?: string): Promise<void>;
  login(email: string, password?: string): Promise<SignedIn>;
  /** Signs up, verifies the address and logs in. */
  member(email: string): Promise<SignedIn>;
  /** Mails to an address, newest first. */
  mails(
    to: string,
  ): Promise<{ kind: string; subject: string; text: string; code: string; token: string | null }[]>;
  /** The code of the newest mail to an address. */
  code(to: string): Promise<string>;
  /** Whether the access token still opens the profile. */
  works(token: string): Promise<boolean>;
}

export async function authApp(server: Server): Promise<AuthApp> {
  const owner = apiAs(server.apiUrl, server.apiKey);
  const id = await newApp(owner);
  const app: AuthApp = {
    id,
    owner,
    post: (path, body, token = null, headers = {}) =>
      apiAs(server.apiUrl, token)("POST", `/auth/${id}/${path}`, body, headers),
    get: (path, token = null) => apiAs(server.apiUrl, token)("GET", `/auth/${id}/${path}`),
    async signUp(email, password = PASSWORD) {
      must(await app.post("signup", { email, password }));
    },
    login: async (email, password = PASSWORD) => must(await app.post("login", { email, password })),
    async member(email) {
      await app.signUp(email);
      must(await app.post("verify-email", { email, code: await app.code(email) }));
      return app.login(email);
    },
    mails: async (to) => must(await owner("GET", `/v1/${id}/auth/outbox?to=${encodeURIComponent(to)}`)).mails,
    code: async (to) => (await app.mails(to))[0]!.code,
    works: async (token) => (await app.get("me", token)).status === 200,
  };
  return app;
}

export const codeOf = (answer: Answer): string | undefined => answer.body?.error?.code;

/** A code that is not `code`. */
export const otherThan = (code: string): string => String((Number(code) + 1) % 1_000_000).padStart(6, "0");
