import { createHash } from "node:crypto";
import { limits } from "./limits.ts";

/** Names of what Ambit itself puts on a table. A table's long name is cut, with a hash so that two stay two. */
function named(table: string, suffix: string): string {
  const name = `${table}_${suffix}`;
  if (name.length <= limits.nameBytes) return name;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, 8);
  return `${table.slice(0, limits.nameBytes - suffix.length - hash.length - 2)}_${hash}_${suffix}`;
}

export const serviceBypassName = (table: string): string => named(table, "service_bypass");
export const userIsolationName = (table: string): string => named(table, "user_isolation");
export const publicReadNames = (table: string) =>
  ({ user: named(table, "public_read_user"), anon: named(table, "public_read_anon") }) as const;
export const fillTriggerName = (table: string): string => named(table, "set_user_id_trigger");
