import { z } from "zod";
import { namesOf, type Platform } from "../../engines/platform.ts";
import { originOf } from "../../kernel/app-host.ts";
import type { App } from "../../kernel/operation.ts";
import type { Instance } from "./instances.ts";
import { limits } from "./limits.ts";
import { ACCESS_MODES } from "./names.ts";
import type { ClassRow, VersionHead } from "./store.ts";

/** Input fields and answers that several operations share. */
export const appId = z.string().describe("The app; manage_app action list shows the ids");
export const className = z.string().max(200).describe("Name of the class in the URL, kebab-case: chat-room");
export const instanceField = z
  .string()
  .min(1)
  .max(2_000)
  .describe("Name of the instance, or its id (64 hexadecimal digits)");

export const limitField = z.coerce
  .number()
  .int()
  .min(1)
  .max(limits.pageEntries)
  .optional()
  .describe("How many at most; default 100");

export const summarySchema = z.object({
  id: z.string(),
  name: z.string(),
  class_name: z.string().nullable(),
  status: z.enum(["PENDING", "BUILDING", "READY", "ERROR"]),
  access_mode: z.enum(ACCESS_MODES),
  last_deployed_at: z.string().nullable(),
  error_message: z
    .string()
    .nullable()
    .describe("Why the last deploy failed; the version before still serves"),
  version: z.number().nullable(),
  url: z
    .string()
    .describe("Add /<instance-id>; any text names an instance, which is made when first reached"),
});

export const instanceSchema = z.object({
  id: z.string(),
  name: z.string().nullable().describe("null: only ever reached from inside the app"),
  size_bytes: z.number(),
  first_active_at: z.string().nullable(),
  last_active_at: z.string(),
});

export const versionSchema = z.object({
  version: z.number(),
  class_name: z.string(),
  size_bytes: z.number(),
  compressed_bytes: z.number(),
  deployed_by: z.string().nullable(),
  deployed_at: z.string(),
  active: z.boolean(),
});

const iso = (atMs: number | null): string | null => (atMs === null ? null : new Date(atMs).toISOString());

export function presentClass(platform: Platform, app: App, row: ClassRow): z.infer<typeof summarySchema> {
  return {
    id: row.id,
    name: row.name,
    class_name: row.class_name,
    status: row.status,
    access_mode: row.access_mode,
    last_deployed_at: row.last_deployed_at?.toISOString() ?? null,
    error_message: row.error_message,
    version: row.version,
    url: `${originOf(namesOf(platform), app)}/_do/${row.name}`,
  };
}

export const presentInstance = (instance: Instance): z.infer<typeof instanceSchema> => ({
  id: instance.id,
  name: instance.name,
  size_bytes: instance.bytes,
  first_active_at: iso(instance.firstActiveAtMs),
  last_active_at: new Date(instance.lastActiveAtMs).toISOString(),
});

export const presentVersion = (head: VersionHead, active: number | null): z.infer<typeof versionSchema> => ({
  version: head.version,
  class_name: head.class_name,
  size_bytes: head.bytes,
  compressed_bytes: head.compressed_bytes,
  deployed_by: head.deployed_by,
  deployed_at: head.created_at.toISOString(),
  active: head.version === active,
});
