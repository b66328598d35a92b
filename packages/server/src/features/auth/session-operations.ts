import { z } from "zod";
import { errors } from "../../kernel/errors.ts";
import { HttpReply } from "../../kernel/http-reply.ts";
import { type AnyOperation, appOperation } from "../../kernel/operation.ts";
import { appId, asOutput, audited, message, secretFields, tokenAnswer } from "./fields.ts";
import { limits } from "./limits.ts";
import type { AuthParts } from "./service.ts";
import { signedIn } from "./signed-in.ts";
import { userDetailsShape } from "./user-view.ts";

const sessionShape = z.object({
  id: z.string(),
  method: z.string().describe("password, magic_link, or an OAuth provider"),
  ip_address: z.string(),
  user_agent: z.string(),
  created_at: z.string(),
  last_used_at: z.string(),
  expires_at: z.string(),
  current: z.boolean().describe("The session this call was made with"),
});

/** A user's tokens, profile and sessions, and the keys that verify tokens. */
export const sessionOperations = (parts: AuthParts): AnyOperation[] => [
  ...tokenOperations(parts),
  logout(parts),
  ...deviceOperations(parts),
];

function tokenOperations({ context, service, keys }: AuthParts): AnyOperation[] {
  return [
    appOperation({
      name: "auth.refresh",
      title: "Refresh tokens",
      summary: "Exchanges a refresh token for new tokens. Each works once; using one again ends its session.",
      input: z.object({ app_id: appId, refresh_token: z.string().min(1).max(500) }),
      output: tokenAnswer,
      right: "public",
      risk: "write",
      idempotent: false,
      whilePaused: false,
      secretFields,
      errors: ["AUTH_INVALID_REFRESH_TOKEN", "AUTH_REFRESH_TOKEN_REUSED"],
      audit: audited("invoke", "session"),
      http: { method: "POST", path: "/auth/:app_id/refresh" },
      run: ({ app, nowMs }, input) => context.sessions.refresh(app.id, input.refresh_token, nowMs),
    }),
    appOperation({
      name: "auth.me",
      title: "Who am I",
      summary: "The signed-in user.",
      input: z.object({ app_id: appId }),
      output: userDetailsShape,
      right: "public",
      risk: "read",
      idempotent: true,
      whilePaused: false,
      http: { method: "GET", path: "/auth/:app_id/me" },
      async run(call) {
        const user = await service.user(call.app.id, signedIn(call).userId);
        if (user === null) throw errors.AUTH_INVALID_END_USER_JWT();
        return user;
      },
    }),
    appOperation({
      name: "auth.jwks",
      title: "Keys that verify access tokens",
      summary: "The app's public keys as a JSON Web Key Set (RFC 7517).",
      input: z.object({ app_id: appId }),
      output: z.looseObject({ keys: z.array(z.looseObject({ kid: z.string() })) }),
      right: "public",
      risk: "read",
      idempotent: true,
      http: { method: "GET", path: "/auth/:app_id/.well-known/jwks.json" },
      async run({ app }) {
        const headers = { "cache-control": `public, max-age=${limits.jwksMaxAgeS}` };
        return asOutput(new HttpReply({ headers, body: (await keys.of(app.id)).jwks }));
      },
    }),
  ];
}

function logout({ context: { sessions } }: AuthParts): AnyOperation {
  return appOperation({
    name: "auth.logout",
    title: "Log out",
    summary: "Ends the session this call is made with, or with `all` every session of the user.",
    input: z.object({
      app_id: appId,
      all: z.boolean().default(false).describe("Also on every other device"),
    }),
    output: message,
    right: "public",
    risk: "write",
    idempotent: false,
    whilePaused: false,
    audit: audited("delete", "session"),
    http: { method: "POST", path: "/auth/:app_id/logout" },
    async run(call, { all }) {
      const user = signedIn(call);
      await sessions.end(user, { id: all ? null : user.sessionId });
      return { message: all ? "Logged out everywhere." : "Logged out." };
    },
  });
}

function deviceOperations({ context: { sessions } }: AuthParts): AnyOperation[] {
  return [
    appOperation({
      name: "auth.list_sessions",
      title: "List sessions",
      summary: "The devices the signed-in user is signed in on, the one used last first.",
      input: z.object({ app_id: appId }),
      output: z.object({ sessions: z.array(sessionShape) }),
      right: "public",
      risk: "read",
      idempotent: true,
      whilePaused: false,
      http: { method: "GET", path: "/auth/:app_id/sessions" },
      async run(call) {
        const user = signedIn(call);
        const rows = await sessions.list(user);
        return {
          sessions: rows.map(({ user_id: _user, ...row }) => ({
            ...row,
            created_at: row.created_at.toISOString(),
            last_used_at: row.last_used_at.toISOString(),
            expires_at: row.expires_at.toISOString(),
            current: row.id === user.sessionId,
          })),
        };
      },
    }),
    appOperation({
      name: "auth.revoke_session",
      title: "End a session",
      summary: "Signs the user out on one device.",
      input: z.object({ app_id: appId, session_id: z.uuid().describe("Id from the list of sessions") }),
      output: message.extend({ id: z.string() }),
      right: "public",
      risk: "write",
      idempotent: false,
      whilePaused: false,
      audit: { ...audited("delete", "session"), resourceId: (input) => input.session_id },
      http: { method: "DELETE", path: "/auth/:app_id/sessions/:session_id" },
      async run(call, { session_id }) {
        if ((await sessions.end(signedIn(call), { id: session_id })) === 0) {
          throw errors.RESOURCE_NOT_FOUND({
            message: "The user has no such session.",
            remediation: "List the sessions first: GET /auth/<app_id>/sessions.",
          });
        }
        return { message: "The session has ended.", id: session_id };
      },
    }),
  ];
}
