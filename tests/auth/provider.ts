import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT } from "jose";

/** Who signs in at the provider next, and how it misbehaves. */
export interface Turn {
  sub: string;
  email?: string;
  email_verified?: boolean;
  name?: string;
  /** Makes the ID token instead of the honest one; gets what an honest token would say. */
  idToken?: (claims: Record<string, unknown>) => Promise<string> | string;
  /** Changes what the userinfo endpoint says. */
  userinfo?: (claims: Record<string, unknown>) => Record<string, unknown>;
}

/** An OAuth 2.0 and OpenID Connect provider that holds clients to the rules. */
export interface Provider {
  readonly url: string;
  readonly port: number;
  readonly clientId: string;
  readonly clientSecret: string;
  turn: Turn;
  /** Token requests it got, and why it refused those it refused. */
  readonly redeemed: Record<string, string>[];
  readonly refused: string[];
  /** What the browser's user does at the authorization page: agrees. Resolves to where the browser is sent. */
  agree(authorizationUrl: string): URL;
  /** Signs like the provider, or like somebody else. */
  sign(claims: Record<string, unknown>, forged?: boolean): Promise<string>;
  close(): Promise<void>;
}

interface Grant {
  readonly challenge: string | null;
  readonly redirectUri: string;
  readonly nonce: string | null;
  readonly turn: Turn;
}

export async function startProvider(): Promise<Provider> {
  const keys = await generateKeyPair("RS256", { extractable: true });
  const others = await generateKeyPair("RS256", { extractable: true });
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: "one", alg: "RS256", use: "sig" };
  const grants = new Map<string, Grant>();
  const access = new Map<string, Turn>();
  const clientId = "client-1";
  const clientSecret = `provider-secret-${randomBytes(12).toString("hex")}`;
  const redeemed: Record<string, string>[] = [];
  const refused: string[] = [];
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;

  const claimsOf = ({ sub, email, email_verified, name }: Turn) => ({ sub, email, email_verified, name });
  const sign = (claims: Record<string, unknown>, forged = false) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: "RS256", kid: "one" })
      .sign(forged ? others.privateKey : keys.privateKey);

  /** Why the request gets no token; null when it does. RFC 6749 §4.1.3, RFC 7636 §4.6. */
  const problemOf = (form: Record<string, string>, grant: Grant | undefined): string | null => {
    if (grant === undefined) return "invalid_grant: unknown or used code";
    if (form.grant_type !== "authorization_code") return "unsupported_grant_type";
    if (form.client_id !== clientId || form.client_secret !== clientSecret) return "invalid_client";
    if (form.redirect_uri !== grant.redirectUri) return "invalid_grant: redirect_uri";
    if (grant.challenge === null) return null;
    const made = createHash("sha256")
      .update(form.code_verifier ?? "")
      .digest("base64url");
    return made === grant.challenge ? null : "invalid_grant: PKCE";
  };
  const token = async (form: Record<string, string>) => {
    redeemed.push(form);
    const grant = grants.get(form.code ?? "");
    grants.delete(form.code ?? "");
    const problem = problemOf(form, grant);
    if (problem !== null) {
      refused.push(problem);
      return { status: 400, body: { error: problem.split(":")[0] } };
    }
    const { turn, nonce } = grant!;
    const opaque = `provider-token-${randomBytes(12).toString("hex")}`;
    access.set(opaque, turn);
    const now = Math.floor(Date.now() / 1000);
    const claims = { ...claimsOf(turn), iss: url, aud: clientId, nonce, iat: now, exp: now + 60 };
    const id_token = await (turn.idToken ?? sign)(claims);
    return { status: 200, body: { access_token: opaque, token_type: "Bearer", id_token } };
  };
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const send = (status: number, body: unknown) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    let text = "";
    for await (const chunk of request) text += chunk;
    if (request.url === "/jwks") return void send(200, { keys: [jwk] });
    if (request.url === "/token") {
      const { status, body } = await token(Object.fromEntries(new URLSearchParams(text)));
      return void send(status, body);
    }
    const turn = access.get((request.headers.authorization ?? "").replace("Bearer ", ""));
    if (request.url !== "/userinfo" || turn === undefined) return void send(401, { error: "invalid_token" });
    send(200, (turn.userinfo ?? ((claims) => claims))(claimsOf(turn)));
  }
  const provider: Provider = {
    url,
    port,
    clientId,
    clientSecret,
    turn: { sub: "nobody" },
    redeemed,
    refused,
    sign,
    agree(authorizationUrl) {
      const asked = new URL(authorizationUrl).searchParams;
      if (asked.get("response_type") !== "code" || asked.get("client_id") !== clientId)
        throw new Error("bad request");
      if (asked.has("code_challenge") && asked.get("code_challenge_method") !== "S256")
        throw new Error("not S256");
      const code = randomBytes(16).toString("hex");
      const redirectUri = asked.get("redirect_uri")!;
      grants.set(code, {
        challenge: asked.get("code_challenge"),
        redirectUri,
        nonce: asked.get("nonce"),
        turn: provider.turn,
      });
      const back = new URL(redirectUri);
      back.searchParams.set("code", code);
      back.searchParams.set("state", asked.get("state")!);
      return back;
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
  return provider;
}
