import { z } from "zod";
import { errors } from "../../kernel/errors.ts";
import { type AnyOperation, appOperation } from "../../kernel/operation.ts";
import { appId } from "./fields.ts";
import { limits } from "./limits.ts";
import type { AuthParts } from "./service.ts";
import { parseTtlSeconds } from "./token-lifetimes.ts";
import { userDetailsShape } from "./user-view.ts";

/** An app's users and auth settings, for its developers. */
export const adminOperations = (parts: AuthParts): AnyOperation[] => [
  ...userOperations(parts),
  ...lifetimeOperations(parts),
  ...settingOperations(parts),
];

function userOperations({ service }: AuthParts): AnyOperation[] {
  const base = "/v1/:app_id/admin/auth/users";
  return [
    appOperation({
      name: "auth.list_users",
      title: "List users",
      summary: "The end users of an app, newest first.",
      input: z.object({
        app_id: appId,
        limit: z.coerce.number().int().min(1).max(limits.usersPage).default(50).describe("How many users"),
        cursor: z.string().max(200).optional().describe("next_cursor of the last answer"),
      }),
      output: z.object({ users: z.array(userDetailsShape), next_cursor: z.string().nullable() }),
      right: "develop",
      risk: "read",
      idempotent: true,
      http: { method: "GET", path: base },
      mcp: { tool: "manage_auth_users", action: "list" },
      async run({ app }, { limit, cursor }) {
        const page = await service.users(app.id, limit, cursor ?? null);
        return { users: page.users, next_cursor: page.nextCursor };
      },
    }),
    appOperation({
      name: "auth.delete_user",
      title: "Delete a user",
      summary:
        "Deletes an end user and ends all sessions at once. Rows the user wrote in the app's tables stay.",
      input: z.object({ app_id: appId, user_id: z.uuid().describe("Id from the list") }),
      output: z.object({ message: z.string(), user_id: z.string(), deleted: z.literal(true) }),
      right: "develop",
      risk: "destructive",
      idempotent: false,
      audit: {
        category: "auth",
        action: "delete",
        resourceType: "app_user",
        resourceId: (input) => input.user_id,
      },
      http: { method: "DELETE", path: `${base}/:user_id` },
      mcp: { tool: "manage_auth_users", action: "delete" },
      async run({ app }, { user_id }) {
        if (!(await service.deleteUser(app.id, user_id))) {
          throw errors.RESOURCE_NOT_FOUND({
            message: "The app has no such user.",
            remediation: "List the users first: GET /v1/<app_id>/admin/auth/users.",
          });
        }
        return { message: "The user is deleted.", user_id, deleted: true as const };
      },
    }),
  ];
}

const change = {
  right: "develop",
  risk: "write",
  idempotent: true,
  audit: { category: "admin", action: "update", resourceType: "app_config" },
} as const;
const changed = z.object({ message: z.string(), app_id: z.string() });

const tool = "manage_auth_config";
const patch = (path: string) => ({ method: "PATCH" as const, path: `/v1/:app_id/config/${path}` });

function lifetimeOperations({ context: { apps } }: AuthParts): AnyOperation[] {
  return [
    appOperation({
      ...change,
      name: "auth.update_jwt",
      title: "Set token lifetimes",
      summary: "How long access and refresh tokens issued from now on live.",
      input: z.object({
        app_id: appId,
        accessTokenTtl: z
          .string()
          .refine((text) => parseTtlSeconds(text) !== null, "a number with s, m, h or d, from 1s to 30d")
          .optional()
          .describe("For example 15m or 1h"),
        refreshTokenTtlDays: z.number().int().min(1).max(limits.refreshDaysMost).optional().describe("Days"),
      }),
      output: changed.extend({
        jwt_config: z.object({ accessTokenTtl: z.string(), refreshTokenTtlDays: z.number() }),
      }),
      http: patch("jwt"),
      mcp: { tool, action: "update_jwt" },
      async run({ app }, { accessTokenTtl, refreshTokenTtlDays }) {
        const { jwt_config } = await apps.change(app.id, ({ jwt_config: present }) => ({
          jwt_config: {
            accessTokenTtl: accessTokenTtl ?? present.accessTokenTtl,
            refreshTokenTtlDays: refreshTokenTtlDays ?? present.refreshTokenTtlDays,
          },
        }));
        return { message: "Token lifetimes are set.", app_id: app.id, jwt_config };
      },
    }),
  ];
}

function settingOperations({ context: { apps } }: AuthParts): AnyOperation[] {
  return [
    appOperation({
      ...change,
      name: "auth.configure_auth_hook",
      title: "Set the auth hook",
      summary: "Names the function that is told of sign-ups and sign-ins; null for none.",
      input: z.object({
        app_id: appId,
        post_auth_function: z
          .string()
          .trim()
          .min(1)
          .max(100)
          .nullable()
          .describe("Name of a function, or null"),
      }),
      output: changed.extend({ auth_hook_function: z.string().nullable() }),
      http: patch("auth-hooks"),
      mcp: { tool, action: "configure_auth_hook" },
      async run({ app }, { post_auth_function }) {
        const { auth_hook_function } = await apps.update(app.id, { auth_hook_function: post_auth_function });
        return { message: "The auth hook is set.", app_id: app.id, auth_hook_function };
      },
    }),
    appOperation({
      ...change,
      name: "auth.update_settings",
      title: "Set how users sign in",
      summary:
        "Whether only users with a verified address may log in. Sign-up then no longer tells who has an account.",
      input: z.object({
        app_id: appId,
        require_email_verification: z
          .boolean()
          .optional()
          .describe("Refuse log-in until the address is verified"),
      }),
      output: changed.extend({ auth_config: z.object({ require_email_verification: z.boolean() }) }),
      http: patch("auth"),
      mcp: { tool, action: "update_settings" },
      async run({ app }, { require_email_verification }) {
        const { auth_config } = await apps.change(app.id, ({ auth_config: present }) => ({
          auth_config: {
            ...present,
            require_email_verification:
              require_email_verification ?? present.require_email_verification === true,
          },
        }));
        const wanted = auth_config.require_email_verification === true;
        return {
          message: "Auth settings are saved.",
          app_id: app.id,
          auth_config: { require_email_verification: wanted },
        };
      },
    }),
  ];
}
