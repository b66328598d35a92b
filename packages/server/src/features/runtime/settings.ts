import type { Database } from "../../engines/postgres/database.ts";
import type { EgressRules } from "../../engines/workerd/types.ts";
import type { Clock } from "../../kernel/clock.ts";
import { limits } from "./limits.ts";
import { type SettingsRow, selectSettings, upsertSettings } from "./store.ts";

/** What the developers of an app decided about its running. */
export interface Settings {
  readonly egress: EgressRules;
  /** False: runs are counted, not logged. */
  readonly logs: boolean;
}

export interface SettingsCache {
  /** Fresh; also what `current` says from then on. */
  load(appId: string): Promise<Settings>;
  /** At once; at most `settingsMs` old while it is asked for. */
  current(appId: string): Settings;
  save(appId: string, patch: Partial<SettingsRow>): Promise<Settings>;
  forget(appId: string): void;
}

/** Until an app's settings are known, it reaches nothing. */
const UNKNOWN: Settings = { egress: { allow: [] }, logs: true };

export function createSettings(database: Database, clock: Clock): SettingsCache {
  const known = new Map<string, { settings: Settings; atMs: number }>();
  const loading = new Set<string>();
  let saves = 0;
  const keep = (appId: string, row: SettingsRow): Settings => {
    const settings = { egress: { allow: row.egress_allow }, logs: row.logs };
    known.set(appId, { settings, atMs: clock() });
    return settings;
  };
  const load = async (appId: string): Promise<Settings> => {
    const before = saves;
    const row = await selectSettings(database, appId);
    // What was read before somebody saved may be what that has replaced.
    return before === saves ? keep(appId, row) : load(appId);
  };
  return {
    load,
    current(appId) {
      const found = known.get(appId);
      const old = found === undefined || clock() - found.atMs > limits.settingsMs;
      if (old && !loading.has(appId)) {
        loading.add(appId);
        // The settings as they were last known hold until the database answers again.
        load(appId)
          .catch(() => {})
          .finally(() => loading.delete(appId));
      }
      return found?.settings ?? UNKNOWN;
    },
    async save(appId, patch) {
      const row = await upsertSettings(database, appId, patch);
      saves += 1;
      return keep(appId, row);
    },
    forget: (appId) => void known.delete(appId),
  };
}
