import { createHmac, createPublicKey, randomBytes } from "node:crypto";
import {
  createRemoteJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  type JWTPayload,
  jwtVerify,
  SignJWT,
} from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apiAs } from "../support/api.ts";
import { applySchema, must } from "../support/app.ts";
import { connectRealtime } from "../support/realtime.ts";
import { discard, type Server, startServer } from "../support/server.ts";
import { type AuthApp, authApp, codeOf, type SignedIn } from "./auth-app.ts";

let server: Server;
let red: AuthApp;
let blue: AuthApp;
let ada: SignedIn;
let blueAda: SignedIn;
/** The public key of the red app, as everyone can fetch it. */
let jwk: Record<string, string>;
beforeAll(async () => {
  server = await startServer();
  [red, blue] = await Promise.all([authApp(server), authApp(server)]);
  await applySchema(red.owner, red.id, { notes: { columns: { id: { type: "int", primaryKey: true } } } });
  ada = await red.member("ada@example.com");
  blueAda = await blue.member("ada@example.com");
  jwk = must(await red.get(".well-known/jwks.json")).keys[0];
});
afterAll(() => discard(server));

const base64 = (value: object | string | Buffer) =>
  Buffer.from(typeof value === "object" && !Buffer.isBuffer(value) ? JSON.stringify(value) : value).toString(
    "base64url",
  );
const claims = (over: JWTPayload = {}): JWTPayload => ({ ...decodeJwt(ada.access_token), ...over });
const header = (over: object = {}) => ({ ...decodeProtectedHeader(ada.access_token), ...over });
const unsigned = (head: object, body: object = claims()) => `${base64(head)}.${base64(body)}`;
const hmac = (head: object, key: string | Buffer) =>
  `${unsigned(head)}.${createHmac("sha256", key).update(unsigned(head)).digest("base64url")}`;

/** Every door an access token opens. */
async function refusals(token: string, app = red): Promise<Record<string, unknown>> {
  const api = apiAs(server.apiUrl, token);
  return {
    me: (await app.get("me", token)).status,
    sessions: (await app.get("sessions", token)).status,
    logout: (await app.post("logout", {}, token)).status,
    rows: (await api("GET", `/v1/${app.id}/notes`)).status,
    management: (await api("GET", `/v1/${app.id}/config`)).status,
    socket: await connectRealtime(server.apiUrl, app.id, token).then(
      async (client) => {
        await client.close();
        return "open";
      },
      (error: Error) => error.message,
    ),
  };
}
const REFUSED = { me: 401, sessions: 401, logout: 401, rows: 401, management: 401, socket: "HTTP 401" };

/** Forgeries by name. */
async function forgeries(): Promise<Record<string, string>> {
  const [head, body, signature] = ada.access_token.split(".") as [string, string, string];
  const pem = createPublicKey({ key: jwk as never, format: "jwk" }).export({
    type: "spki",
    format: "pem",
  }) as string;
  const ec = await generateKeyPair("ES256", { extractable: true });
  const rsa = await generateKeyPair("RS256", { extractable: true });
  const own = { jwk: await exportJWK(ec.publicKey) };
  const signed = (alg: string, key: Parameters<SignJWT["sign"]>[0], over: object = {}) =>
    new SignJWT(claims()).setProtectedHeader({ ...header(), alg, ...over }).sign(key);
  const tampered = (over: JWTPayload) => `${head}.${base64(claims(over))}.${signature}`;
  const hs = (over: object = {}) => header({ alg: "HS256", ...over });
  return {
    "no algorithm": `${unsigned(header({ alg: "none" }))}.`,
    "no algorithm, spelt otherwise": `${unsigned(header({ alg: "nOnE" }))}.`,
    "no algorithm, the old signature": `${unsigned(header({ alg: "none" }))}.${signature}`,
    "no signature": `${head}.${body}.`,
    "a cut signature": ada.access_token.slice(0, -4),
    "a signature of zeros": `${head}.${body}.${base64(Buffer.alloc(64))}`,
    "a signature of ones": `${head}.${body}.${base64(Buffer.alloc(64, 0xff))}`,
    "HS256 with the public key as JWK": hmac(hs(), JSON.stringify(jwk)),
    "HS256 with the public key as PEM": hmac(hs(), pem),
    "HS256 with the public key as PEM, trimmed": hmac(hs(), pem.trim()),
    "HS256 with the coordinates": hmac(
      hs(),
      Buffer.concat([Buffer.from(jwk.x!, "base64url"), Buffer.from(jwk.y!, "base64url")]),
    ),
    "HS256 with the key id": hmac(hs(), jwk.kid!),
    "HS256 with nothing": hmac(hs(), ""),
    "HS256 and a file for a key": hmac(hs({ kid: "../../../../../../dev/null" }), ""),
    "RS256 of another key": await signed("RS256", rsa.privateKey),
    "ES256 of another key under the same id": await signed("ES256", ec.privateKey),
    "ES256 with its own key in the header": await signed("ES256", ec.privateKey, own),
    "ES256 with a key to fetch": await signed("ES256", ec.privateKey, { jku: `${server.apiUrl}/keys.json` }),
    "ES256 with a certificate": await signed("ES256", ec.privateKey, { x5c: [base64(randomBytes(64))] }),
    "a key id that is SQL": await signed("ES256", ec.privateKey, { kid: "' or 1=1 --" }),
    "a key id that is a path": await signed("ES256", ec.privateKey, { kid: "../../etc/passwd" }),
    "a key id that is JavaScript's": await signed("ES256", ec.privateKey, { kid: "__proto__" }),
    "no key id": await signed("ES256", ec.privateKey, { kid: undefined }),
    "the other app's key id": await signed("ES256", ec.privateKey, {
      kid: decodeProtectedHeader(blueAda.access_token).kid,
    }),
    "another user": tampered({ sub: "00000000-0000-4000-8000-000000000001" }),
    "another role": tampered({ role: "service" }),
    "a longer life": tampered({ exp: 4_000_000_000 }),
    "another session": tampered({ sid: "00000000-0000-4000-8000-000000000001" }),
    "the other app's token": blueAda.access_token,
    "the other app's token, readdressed": `${blueAda.access_token.split(".")[0]}.${body}.${blueAda.access_token.split(".")[2]}`,
    "another header over the same body": `${base64(header({ typ: "x" }))}.${body}.${signature}`,
    "no JSON": `${base64("{")}.${base64("}")}.${signature}`,
    "nothing at all": "..",
    "far too long": `${head}.${base64(claims({ pad: "x".repeat(6_000) }))}.${signature}`,
  };
}

describe("forged tokens open nothing", () => {
  it("whatever is forged, at every door", async () => {
    expect((await red.get("me", ada.access_token)).body.id).toBe(ada.user.id);
    expect(await blue.works(blueAda.access_token)).toBe(true);
    for (const [name, token] of Object.entries(await forgeries())) {
      expect({ name, ...(await refusals(token)) }).toEqual({ name, ...REFUSED });
    }
    expect(await red.works(ada.access_token)).toBe(true);
  });

  it("also where the server is asked about an app that is not there", async () => {
    const forged = ada.access_token.replace(/\.[^.]+$/, ".x");
    for (const id of ["app_000000000000", "app_x'--", "%00", "..%2F..", "~nobody", "~%00"]) {
      for (const path of [`/auth/${id}/me`, `/v1/${id}/config`, `/v1/${id}/notes`]) {
        for (const token of [ada.access_token, forged]) {
          const answer = await apiAs(server.apiUrl, token)("GET", path);
          expect([path, [400, 401, 404].includes(answer.status)]).toEqual([path, true]);
        }
      }
    }
  });

  it("and only as bearer tokens", async () => {
    for (const authorization of [
      `Basic ${ada.access_token}`,
      ada.access_token,
      `Bearer  `,
      `Bearer ${ada.access_token} x`,
    ]) {
      const answer = await apiAs(server.apiUrl, null)("GET", `/auth/${red.id}/me`, undefined, {
        authorization,
      });
      expect([authorization.slice(0, 20), answer.status]).toEqual([authorization.slice(0, 20), 401]);
    }
    const lower = await apiAs(server.apiUrl, null)("GET", `/auth/${red.id}/me`, undefined, {
      authorization: `bearer ${ada.access_token}`,
    });
    expect(lower.status).toBe(200);
  });
});

describe("good tokens open what is theirs", () => {
  it("verify against the published keys, which are public only", async () => {
    const url = new URL(`${server.apiUrl}/auth/${red.id}/.well-known/jwks.json`);
    const { payload, protectedHeader } = await jwtVerify(ada.access_token, createRemoteJWKSet(url), {
      issuer: `butterbase:app:${red.id}`,
      algorithms: ["ES256"],
    });
    expect(protectedHeader).toMatchObject({ alg: "ES256", kid: jwk.kid });
    expect(payload).toMatchObject({
      sub: ada.user.id,
      email: "ada@example.com",
      email_verified: true,
      app_id: red.id,
    });
    expect(payload.exp! - payload.iat!).toBe(ada.expires_in);
    const answer = await red.get(".well-known/jwks.json");
    expect(answer.headers.get("cache-control")).toBe("public, max-age=300");
    for (const key of answer.body.keys) {
      expect(Object.keys(key).sort()).toEqual(["alg", "crv", "kid", "kty", "use", "x", "y"]);
    }
    expect(must(await blue.get(".well-known/jwks.json")).keys[0].kid).not.toBe(jwk.kid);
  });

  it("open no management and no other identity", async () => {
    const api = apiAs(server.apiUrl, ada.access_token);
    for (const path of ["config", "env", "schema", "rls", "audit-logs", "admin/auth/users", "auth/outbox"]) {
      const answer = await api("GET", `/v1/${red.id}/${path}`);
      expect([path, answer.status]).toEqual([path, 403]);
    }
    for (const as of ["service", "anon", "user", "owner"]) {
      const headers = { "x-butterbase-as-role": as, "x-butterbase-as-user": blueAda.user.id };
      const answer = await api("GET", `/v1/${red.id}/notes`, undefined, headers);
      expect([as, answer.status]).toEqual([as, 403]);
    }
    expect((await api("POST", "/init", { name: "x" })).status).toBe(401);
  });

  it("end when they expire", async () => {
    const app = await authApp(server);
    must(await app.owner("PATCH", `/v1/${app.id}/config/jwt`, { accessTokenTtl: "1s" }));
    const { access_token, expires_in } = await app.member("eve@example.com");
    expect(expires_in).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 1_050));
    const answer = await app.get("me", access_token);
    expect([answer.status, codeOf(answer)]).toEqual([401, "AUTH_END_USER_JWT_EXPIRED"]);
    expect((await apiAs(server.apiUrl, access_token)("GET", `/v1/${app.id}/notes`)).status).toBe(401);
  });

  it("end with their user, at once", async () => {
    const ben = await red.member("ben@example.com");
    expect(await red.works(ben.access_token)).toBe(true);
    must(await red.owner("DELETE", `/v1/${red.id}/admin/auth/users/${ben.user.id}`));
    expect(await refusals(ben.access_token)).toEqual(REFUSED);
    expect((await red.post("refresh", { refresh_token: ben.refresh_token })).status).toBe(401);
    expect((await red.post("login", { email: "ben@example.com", password: "Correct-horse-7" })).status).toBe(
      401,
    );
    expect(await red.works(ada.access_token)).toBe(true);
  });

  it("end with their app", async () => {
    const app = await authApp(server);
    const { access_token } = await app.member("cyd@example.com");
    must(await app.owner("DELETE", `/apps/${app.id}`));
    const forged = ada.access_token.replace(/\.[^.]+$/, ".x");
    for (const token of [access_token, ada.access_token, forged]) {
      expect((await app.get("me", token)).status).toBe(404);
      expect((await apiAs(server.apiUrl, token)("GET", `/v1/${app.id}/notes`)).status).toBe(404);
      expect((await apiAs(server.apiUrl, token)("GET", `/v1/${app.id}/config`)).status).toBe(401);
    }
    expect((await red.get("me", access_token)).status).toBe(401);
  });
});
