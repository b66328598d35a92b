import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

/** A real authorization server in front of a resource, on a loopback port: PKCE, rotation, one use of each code. */
export interface TestAuthority {
  readonly port: number;
  /** The MCP server it authorizes for. */
  readonly resourceUrl: string;
  /** Bodies the token endpoint was sent. */
  readonly asked: URLSearchParams[];
  /** Seconds that tokens live from now on. */
  expiresIn: number;
  /** Answers refreshes with an error from now on. */
  refusing: boolean;
  /** Registers clients itself. */
  registering: boolean;
  /** Waits so long before it answers the token endpoint. */
  delayMs: number;
  /** Whether an access token is the latest one it gave. */
  isLatest(token: string): boolean;
  stop(): Promise<void>;
}

interface Code {
  readonly clientId: string;
  readonly challenge: string;
  readonly redirectUri: string;
  readonly resource: string | null;
}

export async function startAuthority(): Promise<TestAuthority> {
  const codes = new Map<string, Code>();
  const refreshTokens = new Set<string>();
  let latest = "";
  let base = "";
  const metadata = () => ({
    issuer: base,
    authorization_endpoint: `${base}/authorize`,
    token_endpoint: `${base}/token`,
    ...(authority.registering ? { registration_endpoint: `${base}/register` } : {}),
    response_types_supported: ["code"],
    grant_types_supported: ["authorization_code", "refresh_token", "client_credentials"],
    code_challenge_methods_supported: ["S256"],
    token_endpoint_auth_methods_supported: ["client_secret_post", "client_secret_basic", "none"],
    authorization_response_iss_parameter_supported: true,
  });
  const tokens = (scope: string | null) => {
    latest = `at_${randomBytes(8).toString("hex")}`;
    const refresh = `rt_${randomBytes(8).toString("hex")}`;
    refreshTokens.add(refresh);
    return {
      ...{ access_token: latest, refresh_token: refresh, token_type: "Bearer" },
      ...{ expires_in: authority.expiresIn, ...(scope === null ? {} : { scope }) },
    };
  };
  const grant = (body: URLSearchParams): object | string => {
    const scope = body.get("scope");
    switch (body.get("grant_type")) {
      case "authorization_code": {
        const code = codes.get(body.get("code") ?? "");
        codes.delete(body.get("code") ?? "");
        const challenge = createHash("sha256")
          .update(body.get("code_verifier") ?? "")
          .digest("base64url");
        if (code === undefined || code.challenge !== challenge) return "invalid_grant";
        return code.redirectUri === body.get("redirect_uri") ? tokens(scope) : "invalid_grant";
      }
      case "refresh_token":
        if (authority.refusing || !refreshTokens.delete(body.get("refresh_token") ?? ""))
          return "invalid_grant";
        return tokens(scope);
      case "client_credentials": {
        const { refresh_token: _none, ...own } = tokens(scope);
        return own;
      }
      default:
        return "unsupported_grant_type";
    }
  };
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? "/", base);
    const json = (status: number, body: object) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    if (url.pathname.startsWith("/.well-known/oauth-protected-resource")) {
      return json(200, { resource: `${base}/mcp`, authorization_servers: [base] });
    }
    if (url.pathname.startsWith("/.well-known/oauth-authorization-server")) return json(200, metadata());
    if (url.pathname === "/register") {
      return json(201, {
        client_id: "registered",
        client_secret: "s3cret",
        ...JSON.parse(await text(request)),
      });
    }
    if (url.pathname === "/authorize") {
      const code = randomBytes(8).toString("hex");
      const given = (name: string) => url.searchParams.get(name) ?? "";
      codes.set(code, {
        ...{
          clientId: given("client_id"),
          challenge: given("code_challenge"),
          redirectUri: given("redirect_uri"),
        },
        resource: url.searchParams.get("resource"),
      });
      const back = new URL(given("redirect_uri"));
      for (const [name, value] of Object.entries({ code, state: given("state"), iss: base })) {
        back.searchParams.set(name, value);
      }
      return response.writeHead(302, { location: back.href }).end();
    }
    if (url.pathname === "/token") {
      const body = new URLSearchParams(await text(request));
      authority.asked.push(body);
      await new Promise((resolve) => setTimeout(resolve, authority.delayMs));
      const answer = grant(body);
      return typeof answer === "string" ? json(400, { error: answer }) : json(200, answer);
    }
    return json(404, {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  base = `http://127.0.0.1:${port}`;
  const authority: TestAuthority = {
    ...{ port, resourceUrl: `${base}/mcp`, asked: [], expiresIn: 3_600 },
    ...{ refusing: false, registering: true, delayMs: 0 },
    isLatest: (token) => token === latest,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return authority;
}

async function text(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) body += chunk;
  return body;
}
