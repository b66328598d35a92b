import type { Database } from "../../engines/postgres/database.ts";
import { createLookup } from "../../kernel/cache.ts";
import { errors } from "../../kernel/errors.ts";
import { builtinFaceOf } from "./builtin.ts";
import { type ServerRow, selectRevisions, selectServer } from "./store.ts";
import type { GatewayServer } from "./types.ts";

/** A server as this node knows it. */
export interface Entry {
  readonly server: GatewayServer;
  readonly row: ServerRow;
}

/** The servers in memory, as late as `cacheMs` at most; says when one is found changed or gone. */
export interface Registry {
  find(serverId: string): Promise<Entry | null>;
  /** Throws RESOURCE_NOT_FOUND. */
  get(serverId: string): Promise<Entry>;
  /** From memory; undefined when it is not there. */
  peek(serverId: string): Entry | null | undefined;
  /** Reads it anew, because this node has changed it. */
  refresh(serverId: string): Promise<Entry | null>;
  /** Looks whether other nodes have changed or deleted any of these. */
  watch(serverIds: readonly string[]): Promise<void>;
  /** `now` null: it was deleted. */
  onChanged(listener: (serverId: string, now: ServerRow | null) => void): void;
  /** Called after `onChanged`. */
  onDeleted(listener: (serverId: string) => void): void;
}

export function createRegistry(database: Database): Registry {
  /** The latest revision seen of each server that was ever asked for. */
  const known = new Map<string, number>();
  const onChanged: ((serverId: string, now: ServerRow | null) => void)[] = [];
  const onDeleted: ((serverId: string) => void)[] = [];

  const wasDeleted = (serverId: string) => {
    known.delete(serverId);
    for (const listener of onChanged) listener(serverId, null);
    for (const listener of onDeleted) listener(serverId);
  };
  const entries = createLookup<Entry | null>(async (serverId) => {
    const row = await selectServer(database, serverId);
    const before = known.get(serverId);
    if (row === null) {
      if (before !== undefined) wasDeleted(serverId);
      return null;
    }
    const entry = { row, server: serverOf(row) };
    // A read that began before a change may end after the one that saw it.
    if (before !== undefined && before >= row.revision) return entry;
    known.set(serverId, row.revision);
    if (before !== undefined) for (const listener of onChanged) listener(serverId, row);
    return entry;
  });
  const find = async (serverId: string) => (UUID.test(serverId) ? entries.get(serverId.toLowerCase()) : null);
  const refresh = (serverId: string) => {
    entries.forget(serverId);
    return entries.get(serverId);
  };

  return {
    find,
    async get(serverId) {
      const entry = await find(serverId);
      if (entry === null) throw noServer(serverId);
      return entry;
    },
    peek: (serverId) => entries.peek(serverId),
    refresh,
    async watch(serverIds) {
      if (serverIds.length === 0) return;
      const there = new Map(
        (await selectRevisions(database, serverIds)).map(({ id, revision }) => [id, revision]),
      );
      for (const id of serverIds) {
        const revision = there.get(id);
        if (revision === undefined) {
          entries.forget(id);
          wasDeleted(id);
        } else if (revision > (known.get(id) ?? 0)) await refresh(id);
      }
    },
    onChanged: (listener) => void onChanged.push(listener),
    onDeleted: (listener) => void onDeleted.push(listener),
  };
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export const noServer = (reference: string) =>
  errors.RESOURCE_NOT_FOUND({
    message: `There is no MCP server ${reference.slice(0, 80)}.`,
    remediation: "List them (GET /v1/gateway/servers) and use an id from there.",
  });

const serverOf = (row: ServerRow): GatewayServer => ({
  id: row.id,
  organizationId: row.organization_id,
  name: row.name,
  transport: row.transport,
  face: row.transport === "builtin" ? builtinFaceOf(row.organization_id, row.id) : null,
  capturesValues: row.capture_values,
});
