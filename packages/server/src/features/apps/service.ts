import type { Platform } from "../../engines/platform.ts";
import { createTenant, dropTenant } from "../../engines/postgres/tenant.ts";
import { createLookup } from "../../kernel/cache.ts";
import { errors } from "../../kernel/errors.ts";
import { newAppId } from "../../kernel/ids.ts";
import type { App } from "../../kernel/operation.ts";
import { appErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import * as store from "./store.ts";

export { environmentOf } from "./environment.ts";

export interface AppOrder {
  readonly organizationId: string;
  readonly name: string;
  readonly subdomain?: string | undefined;
}

export interface AppsService {
  /** By id or `~subdomain`; at most 0.8 s old. Apps not ready are not found, apps being deleted are refused with 410. */
  find(reference: string): Promise<App | null>;
  /** The whole row, fresh. */
  config(appId: string): Promise<store.AppRow>;
  list(organizationId: string): Promise<store.AppRow[]>;
  /** Makes the app with its schema and roles, or returns the one of that name. */
  create(order: AppOrder): Promise<{ app: store.AppRow; created: boolean }>;
  update(appId: string, patch: store.AppPatch): Promise<store.AppRow>;
  /** Changes the row by what `decide` makes of it; changes made at the same time wait, so that none is lost. */
  change(appId: string, decide: (row: store.AppRow) => store.AppPatch): Promise<store.AppRow>;
  /** Destroys the app with everything it owns. */
  delete(appId: string): Promise<void>;
  /** Called after an app changed on this node (paused, access mode, deleted). */
  onChange(listener: (appId: string) => void): void;
  /** Waited for before an app's tables go; what else it owns has to go with it. May be called again after a crash. */
  onDelete(listener: (appId: string) => Promise<void>): void;
  /** Finishes creations and deletions that a crash interrupted. */
  recover(): Promise<void>;
}

export function createAppsService(platform: Platform): AppsService {
  const { database, secrets, config, log } = platform;
  const lookup = createLookup((reference) => store.selectApp(database, reference));
  const listeners = new Set<(appId: string) => void>();
  const deleters = new Set<(appId: string) => Promise<void>>();
  const changed = (appId: string) => {
    lookup.forget();
    for (const listener of listeners) listener(appId);
  };
  const provision = async (appId: string) => {
    await createTenant(database, appId, secrets.derive("tenant-password", appId));
    await store.updateApp(database, appId, { status: "ready" });
    lookup.forget();
  };
  const destroy = async (appId: string) => {
    for (const deleter of deleters) await deleter(appId);
    await database.closeTenant(appId);
    await dropTenant(database, appId);
    await store.deleteApp(database, appId);
    changed(appId);
  };
  return {
    async find(reference) {
      // Postgres has no text with a null character in it, and says so with an error.
      const row = reference.includes("\0") ? null : await lookup.get(reference);
      if (row === null) return null;
      if (row.status === "deleting") throw appErrors.APP_DELETING();
      if (row.status === "provisioning") throw appErrors.APP_PROVISIONING();
      return toApp(row);
    },
    async config(appId) {
      const row = await store.selectApp(database, appId);
      if (row === null) throw errors.RESOURCE_NOT_FOUND({ message: "There is no such app." });
      return row;
    },
    list: (organizationId) => store.selectApps(database, organizationId),
    async create(order) {
      const existing = await store.selectByName(database, order.organizationId, order.name);
      if (existing !== null) return { app: existing, created: false };
      const row = await reserve(platform, order, config.defaultAccess);
      if (row.created) await provision(row.app.id);
      return { app: { ...row.app, status: "ready" }, created: row.created };
    },
    async update(appId, patch) {
      const row = await store.updateApp(database, appId, patch);
      if (row === null) throw errors.RESOURCE_NOT_FOUND({ message: "There is no such app." });
      changed(appId);
      return row;
    },
    async change(appId, decide) {
      const row = await database.transaction(async (tx) => {
        const present = await store.lockApp(tx, appId);
        return present === null ? null : store.updateApp(tx, appId, decide(present));
      });
      if (row === null) throw errors.RESOURCE_NOT_FOUND({ message: "There is no such app." });
      changed(appId);
      return row;
    },
    async delete(appId) {
      await store.updateApp(database, appId, { status: "deleting" });
      changed(appId);
      await destroy(appId);
    },
    onChange: (listener) => void listeners.add(listener),
    onDelete: (listener) => void deleters.add(listener),
    async recover() {
      for (const row of await store.selectUnfinished(database)) {
        log.warn({ app: row.id, status: row.status }, "finishing what was interrupted");
        const finish = row.status === "provisioning" ? provision : destroy;
        // One app that can't be finished keeps no other from being served.
        await finish(row.id).catch((err) => log.error({ app: row.id, err }, "could not be finished"));
      }
    },
  };
}

/** Inserts the app's row under a free subdomain. Two callers asking for one name at once get the same app. */
async function reserve(
  { database }: Platform,
  order: AppOrder,
  accessMode: "public" | "authenticated",
): Promise<{ app: store.AppRow; created: boolean }> {
  const count = (await store.selectApps(database, order.organizationId)).length;
  if (count >= limits.appsPerOrganization) throw appErrors.QUOTA_APP_LIMIT();
  for (let attempt = 0; attempt < limits.subdomainTries; attempt++) {
    const id = newAppId();
    const plain = order.subdomain ?? order.name.replaceAll("_", "-").replace(/-+$/, "").slice(0, 56);
    const subdomain = attempt === 0 ? plain : `${plain}-${id.slice(4, 10)}`;
    const app = await store.insertApp(database, {
      id,
      organization_id: order.organizationId,
      name: order.name,
      subdomain,
      access_mode: accessMode,
    });
    if (app !== null) return { app, created: true };
    const sameName = await store.selectByName(database, order.organizationId, order.name);
    if (sameName !== null) return { app: sameName, created: false };
    if (order.subdomain !== undefined) throw appErrors.SUBDOMAIN_TAKEN();
  }
  throw appErrors.SUBDOMAIN_TAKEN();
}

function toApp(row: store.AppRow): App {
  return {
    id: row.id,
    organizationId: row.organization_id,
    name: row.name,
    subdomain: row.subdomain,
    accessMode: row.access_mode,
    paused: row.paused_at !== null,
    pausedReason: row.paused_reason,
    status: "ready",
    allowedOrigins: row.allowed_origins,
  };
}
