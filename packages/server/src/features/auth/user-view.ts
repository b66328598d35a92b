import { z } from "zod";
import type { UserRow } from "./store.ts";

/** A user as sign-in answers show them. */
export const userShape = z.object({
  id: z.string(),
  email: z.string().nullable().describe("null when an OAuth provider gave none"),
  email_verified: z.boolean(),
  display_name: z.string().nullable(),
  avatar_url: z.string().nullable(),
});
export type UserView = z.infer<typeof userShape>;

/** A user with everything that may be shown. */
export const userDetailsShape = userShape.extend({
  provider: z.string().describe("How the user first came: email, magic_link, or an OAuth provider"),
  created_at: z.string(),
  last_sign_in_at: z.string().nullable(),
});
export type UserDetails = z.infer<typeof userDetailsShape>;

export const userView = (user: UserRow): UserView => ({
  id: user.id,
  email: user.email,
  email_verified: user.email_verified,
  display_name: user.display_name,
  avatar_url: user.avatar_url,
});

export const userDetails = (user: UserRow): UserDetails => ({
  ...userView(user),
  provider: user.provider,
  created_at: user.created_at.toISOString(),
  last_sign_in_at: user.last_sign_in_at?.toISOString() ?? null,
});
