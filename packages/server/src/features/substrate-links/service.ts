import type { Platform } from "../../engines/platform.ts";
import { createLookup } from "../../kernel/cache.ts";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import type { MemoryReader } from "../memory/service.ts";
import { linkErrors } from "./errors.ts";
import { boundApp, scopeOf } from "./reader.ts";
import * as store from "./store.ts";

export type { LinkRow, StoredScope } from "./store.ts";

/** An app that uses its organisation's substrate. */
export interface SubstrateLink {
  readonly appId: string;
  readonly organizationId: string;
}

export interface SubstrateLinksService {
  /** The app's link, at most 0.8 s old; null when it is not linked. */
  find(appId: string): Promise<SubstrateLink | null>;
  /**
   * What a key may see: an app's key what its link lets the app see, any other everything of its organisation. Throws
   * SUBSTRATE_NOT_LINKED for the key of an app that is not linked.
   */
  readerOf(key: KeyPrincipal): Promise<MemoryReader>;
  /** What an app's code may see; throws SUBSTRATE_NOT_LINKED. */
  readerOfApp(appId: string): Promise<MemoryReader>;
  /** Whether the app's sign-ups, verifications and deletions are mirrored as people. */
  mirrorsUsers(appId: string): Promise<boolean>;
  /** The link as it is stored, fresh; null when the app is not linked. */
  get(appId: string): Promise<store.LinkRow | null>;
  /** Links of several apps. */
  ofApps(appIds: readonly string[]): Promise<ReadonlyMap<string, store.LinkRow>>;
  /** Links the app, or changes what it may read; null leaves that as it is. */
  link(appId: string, organizationId: string, scope: store.StoredScope | null): Promise<store.LinkRow>;
  /** Whether there was a link to take away. */
  unlink(appId: string): Promise<boolean>;
  /** Throws SUBSTRATE_NOT_LINKED. */
  mirror(appId: string, users: boolean): Promise<store.LinkRow>;
}

export function createSubstrateLinksService({ database }: Platform): SubstrateLinksService {
  const links = createLookup((appId) => store.selectLink(database, appId));
  const readerOfApp = async (appId: string): Promise<MemoryReader> => {
    const row = await links.get(appId);
    if (row === null) throw linkErrors.SUBSTRATE_NOT_LINKED();
    return { organizationId: row.organization_id, scope: scopeOf(row) };
  };
  const changed = <T>(appId: string, result: T): T => {
    links.forget(appId);
    return result;
  };
  return {
    async find(appId) {
      const row = await links.get(appId);
      return row === null ? null : { appId, organizationId: row.organization_id };
    },
    async readerOf(key) {
      const appId = boundApp(key);
      return appId === null ? { organizationId: key.organizationId, scope: null } : readerOfApp(appId);
    },
    readerOfApp,
    mirrorsUsers: async (appId) => (await links.get(appId))?.mirror_users ?? false,
    get: (appId) => store.selectLink(database, appId),
    async ofApps(appIds) {
      const rows = await store.selectLinks(database, appIds);
      return new Map(rows.map((row) => [row.app_id, row]));
    },
    link: async (appId, organizationId, scope) =>
      changed(appId, await store.upsertLink(database, appId, organizationId, scope)),
    unlink: async (appId) => changed(appId, await store.deleteLink(database, appId)),
    async mirror(appId, users) {
      const row = changed(appId, await store.updateMirroring(database, appId, users));
      if (row === null) throw linkErrors.SUBSTRATE_NOT_LINKED();
      return row;
    },
  };
}
