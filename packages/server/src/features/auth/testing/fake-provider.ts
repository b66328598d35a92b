import { createHash, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";

/** What the provider says of the person who signs in next. */
export interface Person {
  readonly userinfo: Record<string, unknown>;
  readonly emails?: unknown;
  /** Changes the ID token before it is signed. */
  readonly idToken?: Record<string, unknown>;
}

/** An OAuth 2.0 and OpenID Connect provider on this machine: real requests, real signatures, PKCE enforced. */
export interface FakeProvider {
  readonly url: string;
  readonly host: string;
  readonly clientSecret: string;
  /** Every request to the token endpoint: its form and its Authorization header. */
  readonly redeemed: { form: Record<string, string>; authorization: string | undefined }[];
  /** Lets `person` approve at the authorization URL; returns the code. */
  approve(authorizationUrl: string, person: Person): string;
  /** What OpenID Connect signs with from now on is a key it has not published. */
  useUnknownKey(): Promise<void>;
  stop(): Promise<void>;
}

export async function fakeProvider(): Promise<FakeProvider> {
  const clientSecret = `secret-${randomUUID()}`;
  const grants = new Map<string, { asked: URLSearchParams; person: Person }>();
  const tokens = new Map<string, Person>();
  const redeemed: FakeProvider["redeemed"] = [];
  const published = await generateKeyPair("RS256", { extractable: true });
  let signing = published.privateKey;
  let url = "";

  const redeem = async (
    form: URLSearchParams,
    authorization: string | undefined,
  ): Promise<[number, unknown]> => {
    redeemed.push({ form: Object.fromEntries(form), authorization });
    const grant = grants.get(form.get("code") ?? "");
    grants.delete(form.get("code") ?? "");
    if (grant === undefined) return [400, { error: "invalid_grant" }];
    const { asked, person } = grant;
    const basic = Buffer.from((authorization ?? "").replace("Basic ", ""), "base64")
      .toString()
      .split(":")[1];
    const secret = form.get("client_secret") ?? decodeURIComponent(basic ?? "");
    // Apple's secret is a JWT; whether it is the right one is for the test to see.
    if (secret !== clientSecret && secret.split(".").length !== 3) return [401, { error: "invalid_client" }];
    const challenge = createHash("sha256")
      .update(form.get("code_verifier") ?? "")
      .digest("base64url");
    if (asked.has("code_challenge") && asked.get("code_challenge") !== challenge)
      return [400, { error: "invalid_grant" }];
    if (asked.get("redirect_uri") !== form.get("redirect_uri")) return [400, { error: "invalid_grant" }];
    const access_token = randomUUID();
    tokens.set(access_token, person);
    const claims: JWTPayload = {
      ...person.userinfo,
      nonce: asked.get("nonce"),
      iss: url,
      aud: asked.get("client_id") ?? "",
      ...person.idToken,
    };
    const id_token = await new SignJWT(claims)
      .setProtectedHeader({ alg: "RS256", kid: "fake" })
      .setIssuedAt()
      .setExpirationTime("5m")
      .sign(signing);
    return [200, { access_token, token_type: "Bearer", id_token }];
  };
  const answer = async (request: IncomingMessage, body: string): Promise<[number, unknown]> => {
    const person = tokens.get((request.headers.authorization ?? "").replace("Bearer ", ""));
    switch (request.url) {
      case "/token":
        return redeem(new URLSearchParams(body), request.headers.authorization);
      case "/keys":
        return [200, { keys: [{ ...(await exportJWK(published.publicKey)), kid: "fake", alg: "RS256" }] }];
      case "/userinfo":
        return person === undefined ? [401, {}] : [200, person.userinfo];
      case "/userinfo/emails":
        return person === undefined ? [401, {}] : [200, person.emails];
      default:
        return [404, {}];
    }
  };
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const [status, value] = await answer(request, body);
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  url = `http://${host}`;
  return {
    url,
    host,
    clientSecret,
    redeemed,
    approve(authorizationUrl, person) {
      const code = randomUUID();
      grants.set(code, { asked: new URL(authorizationUrl).searchParams, person });
      return code;
    },
    async useUnknownKey() {
      signing = (await generateKeyPair("RS256")).privateKey;
    },
    stop: () => new Promise<void>((resolve) => void server.close(() => resolve())),
  };
}
